//! Dense layers, y = x W + b, and their gradients.

use super::{flag, kernel};
use crate::plan::tensors::Tensors;
use crate::plan::{Plan, SlotId, Step, groups};

/// Sizes of a dense layer; weights are `[inputs, outputs]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dense {
    /// Features of x.
    pub inputs: usize,
    /// Features of y.
    pub outputs: usize,
}

/// From how many terms on a sum is spread over a workgroup.
const DEEP: usize = 128;

impl Dense {
    fn constants(&self, batch: usize, relu: bool, gated: bool) -> [(&'static str, f64); 5] {
        [
            ("BATCH", batch as f64),
            ("IN", self.inputs as f64),
            ("OUT", self.outputs as f64),
            ("RELU", flag(relu)),
            ("GATED", flag(gated)),
        ]
    }

    fn flops(&self, batch: usize) -> u64 {
        2 * (batch * self.inputs * self.outputs) as u64
    }

    fn grid(terms: usize, outputs: usize, batch: usize) -> [u32; 3] {
        let size = if terms >= DEEP { 1 } else { 64 };
        [groups(outputs, size), groups(batch, 1), 1]
    }

    /// y = x W + b, through a ReLU if asked.
    pub fn forward(&self, relu: bool, x: &[f64], w: &[f64], b: &[f64], y: &mut [f64]) {
        for (x, y) in x.chunks(self.inputs).zip(y.chunks_mut(self.outputs)) {
            y.copy_from_slice(b);
            for (x, row) in x.iter().zip(w.chunks(self.outputs)) {
                y.iter_mut().zip(row).for_each(|(y, w)| *y += x * w);
            }
            if relu {
                y.iter_mut().filter(|y| **y < 0.0).for_each(|y| *y = 0.0);
            }
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

    /// dW = xᵀ dy and db = the sum of dy.
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

/// Operands of the forward step.
#[derive(Clone, Copy, Debug)]
pub struct Forward {
    /// `[B, inputs]`
    pub x: SlotId,
    /// `[inputs, outputs]`
    pub weights: SlotId,
    /// `[outputs]`
    pub bias: SlotId,
    /// `[B, outputs]`
    pub y: SlotId,
}

/// Appends y = x W + b.
pub fn forward(plan: &mut Plan, label: String, spec: Dense, relu: bool, to: Forward) {
    let batch = plan.batch;
    let entry = if spec.inputs >= DEEP {
        "forward_deep"
    } else {
        "forward"
    };
    let twin = move |t: &Tensors| {
        let (x, w, b) = (t.floats("x"), t.floats("weights"), t.floats("bias"));
        spec.forward(relu, &x, &w, &b, &mut t.floats_mut("y"));
    };
    plan.push(Step {
        label,
        kernel: kernel("dense", entry, &spec.constants(batch, relu, false), twin),
        bindings: vec![
            ("x", to.x),
            ("weights", to.weights),
            ("bias", to.bias),
            ("y", to.y),
        ],
        grid: Dense::grid(spec.inputs, spec.outputs, batch),
        flops: spec.flops(batch),
    });
}

/// Operands of the input-gradient step.
#[derive(Clone, Copy, Debug)]
pub struct InputGrad {
    /// `[B, outputs]`
    pub dy: SlotId,
    /// `[inputs, outputs]`
    pub weights: SlotId,
    /// The layer's input `[B, inputs]`, which may be a ReLU's output.
    pub x: SlotId,
    /// `[B, inputs]`
    pub dx: SlotId,
}

/// Appends dx = dy Wᵀ; where `gated`, zero where x is 0.
pub fn input_grad(plan: &mut Plan, label: String, spec: Dense, gated: bool, of: InputGrad) {
    let batch = plan.batch;
    let entry = if spec.outputs >= DEEP {
        "input_grad_deep"
    } else {
        "input_grad"
    };
    let twin = move |t: &Tensors| {
        let mut dx = t.floats_mut("dx");
        spec.input_grad(&t.floats("dy"), &t.floats("weights"), &mut dx);
        if gated {
            let x = t.floats("x");
            dx.iter_mut()
                .zip(&*x)
                .filter(|(_, x)| **x <= 0.0)
                .for_each(|(d, _)| *d = 0.0);
        }
    };
    plan.push(Step {
        label,
        kernel: kernel("dense", entry, &spec.constants(batch, false, gated), twin),
        bindings: vec![
            ("dy", of.dy),
            ("weights", of.weights),
            ("x", of.x),
            ("dx", of.dx),
        ],
        grid: Dense::grid(spec.outputs, spec.inputs, batch),
        flops: spec.flops(batch),
    });
}

/// Operands of the weight-gradient step.
#[derive(Clone, Copy, Debug)]
pub struct WeightGrad {
    /// `[B, inputs]`
    pub x: SlotId,
    /// `[B, outputs]`
    pub dy: SlotId,
    /// `[inputs, outputs]`
    pub weights_grad: SlotId,
    /// `[outputs]`
    pub bias_grad: SlotId,
}

/// Appends the gradients of weights and bias.
pub fn weight_grad(plan: &mut Plan, label: String, spec: Dense, of: WeightGrad) {
    let batch = plan.batch;
    let twin = move |t: &Tensors| {
        let (x, dy) = (t.floats("x"), t.floats("dy"));
        spec.weight_grad(
            &x,
            &dy,
            &mut t.floats_mut("weights_grad"),
            &mut t.floats_mut("bias_grad"),
        );
    };
    plan.push(Step {
        label,
        kernel: kernel(
            "dense",
            "weight_grad",
            &spec.constants(batch, false, false),
            twin,
        ),
        bindings: vec![
            ("x", of.x),
            ("dy", of.dy),
            ("weights_grad", of.weights_grad),
            ("bias_grad", of.bias_grad),
        ],
        grid: [groups((spec.inputs + 1) * spec.outputs, 64), 1, 1],
        flops: spec.flops(batch),
    });
}
