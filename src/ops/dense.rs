//! Dense layers, y = x W + b, and their gradients.

use super::activation::{Activation, constants as activations};
use super::conv::{self, Call, Conv, Epilogue, Side, Variant};
use super::operation::{Operation, Operations};
use super::target::Target;
use super::wgsl::files;
use crate::plan::tensors::Tensors;
use crate::plan::{Constants, Plan, SlotId, Source, Step, groups};

pub(super) static SOURCE: Source =
    Source::new("dense", files!("common/activation", "common/sum", "dense"));

/// Sizes of a dense layer; weights are `[inputs, outputs]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dense {
    /// Features of x.
    pub inputs: usize,
    /// Features of y.
    pub outputs: usize,
}

/// Sums of at least this many terms are shared by a workgroup.
const DEEP: usize = 128;

impl Dense {
    fn constants(&self, batch: usize, activations: [(&'static str, f64); 2]) -> Constants {
        let [activation, gate] = activations;
        vec![
            ("BATCH", batch as f64),
            ("IN", self.inputs as f64),
            ("OUT", self.outputs as f64),
            activation,
            gate,
        ]
    }

    /// The layer as a 1×1 convolution of one row of B pixels, if the target prefers that and a tiled
    /// kernel serves it.
    fn as_conv(&self, plan: &Plan, target: &Target) -> Option<Conv> {
        let spec = Conv {
            big: [1, plan.batch, self.inputs],
            small: [1, plan.batch, self.outputs],
            kernel: 1,
            stride: 1,
            pad: [0, 0],
            reversed: false,
        };
        let tiled = || conv::choose(target, &spec) != Variant::Plain;
        (target.heuristics.dense_as_conv && tiled()).then_some(spec)
    }

    fn flops(&self, batch: usize) -> u64 {
        2 * (batch * self.inputs * self.outputs) as u64
    }

    fn grid(terms: usize, outputs: usize, batch: usize) -> [u32; 3] {
        let size = if terms >= DEEP { 1 } else { 64 };
        [groups(outputs, size), groups(batch, 1), 1]
    }

    /// y = activation(x W + b).
    pub fn forward(&self, activation: Activation, x: &[f64], w: &[f64], b: &[f64], y: &mut [f64]) {
        for (x, y) in x.chunks(self.inputs).zip(y.chunks_mut(self.outputs)) {
            y.copy_from_slice(b);
            for (x, row) in x.iter().zip(w.chunks(self.outputs)) {
                y.iter_mut().zip(row).for_each(|(y, w)| *y += x * w);
            }
            y.iter_mut().for_each(|y| *y = activation.of(*y));
        }
    }

    /// dx = dy Wᵀ.
    pub fn input_grad(&self, dy: &[f64], w: &[f64], dx: &mut [f64]) {
        for (dy, dx) in dy.chunks(self.outputs).zip(dx.chunks_mut(self.inputs)) {
            for (dx, row) in dx.iter_mut().zip(w.chunks(self.outputs)) {
                *dx = dy.iter().zip(row).map(|(y, w)| y * w).sum();
            }
        }
    }

    /// dW = xᵀ dy, and db = the sum of dy over the batch.
    pub fn weight_grad(&self, x: &[f64], dy: &[f64], dw: &mut [f64], db: &mut [f64]) {
        dw.fill(0.0);
        db.fill(0.0);
        for (x, dy) in x.chunks(self.inputs).zip(dy.chunks(self.outputs)) {
            db.iter_mut().zip(dy).for_each(|(b, y)| *b += y);
            for (x, row) in x.iter().zip(dw.chunks_mut(self.outputs)) {
                row.iter_mut().zip(dy).for_each(|(w, y)| *w += x * y);
            }
        }
    }
}

/// y = activation(x W + b).
#[derive(Clone, Debug)]
pub struct Forward {
    /// Label of the step, such as `encoder.dense forward`.
    pub label: String,
    /// Sizes.
    pub spec: Dense,
    /// The layer's activation.
    pub activation: Activation,
    /// `[B, inputs]`
    pub x: SlotId,
    /// `[inputs, outputs]`
    pub weights: SlotId,
    /// `[outputs]`
    pub bias: SlotId,
    /// `[B, outputs]`
    pub y: SlotId,
}

impl Operation for Forward {
    fn expand(&self, plan: &mut Plan, target: &Target) -> Option<Operations> {
        let spec = self.spec.as_conv(plan, target)?;
        let (bias, activation) = (self.bias, self.activation);
        let contract = conv::Contract {
            label: self.label.clone(),
            spec,
            call: Call::Correlate,
            x: self.x,
            weights: self.weights,
            epilogue: Epilogue::Forward { bias, activation },
            y: self.y,
        };
        Some(vec![Box::new(contract)])
    }

    fn lower(&self, plan: &mut Plan, _: &Target) {
        let (spec, activation, batch) = (self.spec, self.activation, plan.batch);
        let entry = if spec.inputs >= DEEP {
            "forward_deep"
        } else {
            "forward"
        };
        let twin = move |t: &Tensors| {
            let (x, w, b) = (t.floats("x"), t.floats("weights"), t.floats("bias"));
            spec.forward(activation, &x, &w, &b, &mut t.floats_mut("y"));
        };
        plan.push(Step {
            label: self.label.clone(),
            kernel: SOURCE.kernel(
                entry,
                spec.constants(batch, activations(Some(activation), None)),
                twin,
            ),
            bindings: vec![
                ("x", self.x),
                ("weights", self.weights),
                ("bias", self.bias),
                ("y", self.y),
            ],
            grid: Dense::grid(spec.inputs, spec.outputs, batch),
            flops: spec.flops(batch),
        });
    }
}

/// dx = dy Wᵀ, times the derivative of the activation that computed x.
#[derive(Clone, Debug)]
pub struct InputGrad {
    /// Label of the step.
    pub label: String,
    /// Sizes.
    pub spec: Dense,
    /// The activation whose output is x.
    pub activation: Activation,
    /// `[B, outputs]`
    pub dy: SlotId,
    /// `[inputs, outputs]`
    pub weights: SlotId,
    /// Input of the layer, `[B, inputs]`.
    pub x: SlotId,
    /// `[B, inputs]`
    pub dx: SlotId,
}

impl Operation for InputGrad {
    fn expand(&self, plan: &mut Plan, target: &Target) -> Option<Operations> {
        let spec = self.spec.as_conv(plan, target)?;
        let (gate, activation) = (self.x, self.activation);
        let contract = conv::Contract {
            label: self.label.clone(),
            spec,
            call: Call::Adjoint,
            x: self.dy,
            weights: self.weights,
            epilogue: Epilogue::Backward { gate, activation },
            y: self.dx,
        };
        Some(vec![Box::new(contract)])
    }

    fn lower(&self, plan: &mut Plan, _: &Target) {
        let (spec, activation, batch) = (self.spec, self.activation, plan.batch);
        let entry = if spec.outputs >= DEEP {
            "input_grad_deep"
        } else {
            "input_grad"
        };
        let twin = move |t: &Tensors| {
            let mut dx = t.floats_mut("dx");
            spec.input_grad(&t.floats("dy"), &t.floats("weights"), &mut dx);
            let x = t.floats("x");
            let values = dx.iter_mut().zip(&*x);
            values.for_each(|(dx, x)| *dx = activation.backward(*dx, *x));
        };
        plan.push(Step {
            label: self.label.clone(),
            kernel: SOURCE.kernel(
                entry,
                spec.constants(batch, activations(None, Some(activation))),
                twin,
            ),
            bindings: vec![
                ("dy", self.dy),
                ("weights", self.weights),
                ("x", self.x),
                ("dx", self.dx),
            ],
            grid: Dense::grid(spec.outputs, spec.inputs, batch),
            flops: spec.flops(batch),
        });
    }
}

/// The gradients dW = xᵀ dy and db = Σ dy.
#[derive(Clone, Debug)]
pub struct WeightGrad {
    /// Name of the layer.
    pub layer: String,
    /// Sizes.
    pub spec: Dense,
    /// `[B, inputs]`
    pub x: SlotId,
    /// `[B, outputs]`
    pub dy: SlotId,
    /// `[inputs, outputs]`
    pub weights_grad: SlotId,
    /// `[outputs]`
    pub bias_grad: SlotId,
}

impl Operation for WeightGrad {
    fn expand(&self, plan: &mut Plan, target: &Target) -> Option<Operations> {
        let spec = self.spec.as_conv(plan, target)?;
        let gradient = conv::WeightGrad {
            layer: self.layer.clone(),
            spec,
            big: self.x,
            small: self.dy,
            dy: Side::Small,
            weights_grad: self.weights_grad,
            bias_grad: self.bias_grad,
        };
        Some(vec![Box::new(gradient)])
    }

    fn lower(&self, plan: &mut Plan, _: &Target) {
        let (spec, batch) = (self.spec, plan.batch);
        let twin = move |t: &Tensors| {
            let (x, dy) = (t.floats("x"), t.floats("dy"));
            let (mut dw, mut db) = (t.floats_mut("weights_grad"), t.floats_mut("bias_grad"));
            spec.weight_grad(&x, &dy, &mut dw, &mut db);
        };
        let constants = spec.constants(batch, activations(None, None));
        plan.push(Step {
            label: format!("{} weight gradient", self.layer),
            kernel: SOURCE.kernel("weight_grad", constants, twin),
            bindings: vec![
                ("x", self.x),
                ("dy", self.dy),
                ("weights_grad", self.weights_grad),
                ("bias_grad", self.bias_grad),
            ],
            grid: [groups((spec.inputs + 1) * spec.outputs, 64), 1, 1],
            flops: spec.flops(batch),
        });
    }
}
