//! Convolution and transposed convolution with their epilogues.

use super::choose::{Chosen, choose, turned};
use super::kernels::{Call, Site};
use super::spec::Conv;
use super::variant::Variant;
use crate::ops::activation::{Activation, constants as activations};
use crate::ops::operation::Operation;
use crate::ops::target::Target;
use crate::plan::tensors::Tensors;
use crate::plan::{Plan, SlotId, Step};

/// The epilogue: what a kernel applies to its sums before it stores them.
#[derive(Clone, Copy, Debug)]
pub enum Epilogue {
    /// Add the bias, then apply the activation.
    Forward {
        /// One per output channel.
        bias: SlotId,
        /// The layer's activation.
        activation: Activation,
    },
    /// Multiply by the derivative of the activation that computed `gate`.
    Backward {
        /// Same shape as the output.
        gate: SlotId,
        /// The activation whose output is `gate`.
        activation: Activation,
    },
}

/// y = correlate(x) or adjoint(x) with an epilogue.
#[derive(Clone, Debug)]
pub struct Contract {
    /// Label of the step, such as `decoder.deconv2 forward`.
    pub label: String,
    /// Geometry.
    pub spec: Conv,
    /// [`Call::Correlate`] or [`Call::Adjoint`].
    pub call: Call,
    /// Input `[B, height, width, channels]`: big images for `Correlate`, small ones for `Adjoint`.
    pub x: SlotId,
    /// `[kernel, kernel, big channels, small channels]`
    pub weights: SlotId,
    /// The epilogue.
    pub epilogue: Epilogue,
    /// Output `[B, height, width, channels]`: small images for `Correlate`, big ones for `Adjoint`.
    pub y: SlotId,
}

impl Contract {
    fn site<'a>(&self, plan: &Plan, target: &'a Target) -> Site<'a> {
        let spec = self.spec;
        let shape = match self.call {
            Call::Correlate => spec.big,
            Call::Adjoint | Call::WeightGrad(_) => spec.small,
        };
        let batch = plan[self.x].len() / shape.iter().product::<usize>();
        Site {
            target,
            spec,
            batch,
        }
    }

    /// Whether the thin kernels compute it from buffers.
    pub(in crate::ops) fn is_thin(&self, target: &Target) -> bool {
        choose(target, &self.spec) == Variant::Thin && !target.heuristics.texels
    }
}

impl Operation for Contract {
    fn lower(&self, plan: &mut Plan, target: &Target) {
        let site = self.site(plan, target);
        let (spec, call) = match turned(target, &self.spec) {
            Some(spec) => (spec, self.call.turned()),
            None => (self.spec, self.call),
        };
        let site = Site { spec, ..site };
        let batch = site.batch;
        let chosen = Chosen::new(site, choose(target, &spec));
        let kernels = chosen.kernels();
        let to_small = call == Call::Correlate;
        let side = |name| if to_small { name } else { kernels.of_big(name) };
        let (input, result) = if to_small {
            ("big", "small_out")
        } else {
            ("small", side("big_out"))
        };
        let x = chosen.image(plan, self.x);
        let (weights, weights_at) = chosen.weights(plan, self.weights);
        let (extra, forward, backward) = match self.epilogue {
            Epilogue::Forward { bias, activation } => {
                ((side("bias"), bias), Some(activation), None)
            }
            Epilogue::Backward { gate, activation } => {
                let name = side("gate");
                // A gate of another name is a buffer.
                let gate = if name == "gate" {
                    chosen.image(plan, gate)
                } else {
                    gate
                };
                ((name, gate), None, Some(activation))
            }
        };
        let entry = match (to_small, forward.is_some()) {
            (true, true) => "correlate",
            (true, false) => "correlate_gated",
            (false, true) => "adjoint",
            (false, false) => "adjoint_gated",
        };
        let mut constants = chosen.constants(call, weights_at);
        constants.extend(activations(forward, backward));
        constants.push(("SPLITS", 1.0));
        let twin = move |t: &Tensors| {
            let (x, w) = (t.floats(input), t.floats("weights"));
            let w = &w[weights_at..][..spec.weights()];
            let mut y = t.floats_mut(result);
            y.fill(0.0);
            if to_small {
                spec.correlate(batch, &x, w, &mut y);
            } else {
                spec.adjoint(batch, &x, w, &mut y);
            }
            let extra = t.floats(extra.0);
            for (i, y) in y.iter_mut().enumerate() {
                if let Some(activation) = forward {
                    *y = activation.of(*y + extra[i % extra.len()]);
                }
                if let Some(activation) = backward {
                    *y = activation.backward(*y, extra[i]);
                }
            }
        };
        plan.push(Step {
            label: self.label.clone(),
            kernel: chosen.source(call).kernel(entry, constants, twin),
            bindings: vec![(input, x), ("weights", weights), extra, (result, self.y)],
            grid: kernels.grid(&chosen.site, call),
            flops: batch as u64 * spec.flops(),
        });
    }
}
