//! Convolution and transposed convolution with their epilogues.

use super::choose::{Chosen, choose};
use super::kernels::{Call, Site};
use super::spec::Conv;
use super::variant::Variant;
use crate::ops::operation::Operation;
use crate::ops::target::Target;
use crate::plan::tensors::Tensors;
use crate::plan::{Plan, SlotId, Step, flag};

/// The epilogue: what a kernel applies to its sums before it stores them.
#[derive(Clone, Copy, Debug)]
pub enum Epilogue {
    /// Add the bias, optionally followed by a ReLU.
    Forward {
        /// One per output channel.
        bias: SlotId,
        /// Apply a ReLU.
        relu: bool,
    },
    /// Multiply by the derivative of the ReLU that computed `gate`.
    Backward {
        /// Same shape as the output.
        gate: SlotId,
        /// False if `gate` is not the output of a ReLU; the gradient then passes unchanged.
        gated: bool,
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
        let Contract { spec, call, .. } = *self;
        let site = self.site(plan, target);
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
        let (extra, relu, gated) = match self.epilogue {
            Epilogue::Forward { bias, relu } => ((side("bias"), bias), relu, false),
            Epilogue::Backward { gate, gated } => {
                let name = side("gate");
                // A gate of another name is a buffer.
                let gate = if name == "gate" {
                    chosen.image(plan, gate)
                } else {
                    gate
                };
                ((name, gate), false, gated)
            }
        };
        let forward = matches!(self.epilogue, Epilogue::Forward { .. });
        let entry = match (to_small, forward) {
            (true, true) => "correlate",
            (true, false) => "correlate_gated",
            (false, true) => "adjoint",
            (false, false) => "adjoint_gated",
        };
        let mut constants = chosen.constants(call, weights_at);
        constants.extend([
            ("RELU", flag(relu)),
            ("GATED", flag(gated)),
            ("SPLITS", 1.0),
        ]);
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
            finish(&t.floats(extra.0), forward, relu, gated, &mut y);
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

/// The epilogue on the CPU; `extra` is the bias or the gate.
fn finish(extra: &[f64], forward: bool, relu: bool, gated: bool, y: &mut [f64]) {
    for (i, value) in y.iter_mut().enumerate() {
        if forward {
            *value += extra[i % extra.len()];
        }
        if relu && *value < 0.0 || gated && extra[i] <= 0.0 {
            *value = 0.0;
        }
    }
}
