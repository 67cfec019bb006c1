//! Sigmoid cross-entropy on logits, its gradient, and the sigmoid. Kernels read the values of an image
//! in quads, since the height and width of an image are multiples of 4.

use super::graph::Graph;
use super::operation::Operation;
use super::target::Target;
use super::wgsl::files;
use crate::plan::tensors::Tensors;
use crate::plan::{Plan, Role, SlotId, Source, Step, groups};

pub(super) static SOURCE: Source = Source::new("bce", files!("common/sum", "bce"));

fn constants(batch: usize, values: usize) -> [(&'static str, f64); 2] {
    [("BATCH", batch as f64), ("VALUES", values as f64)]
}

fn sigmoid(l: f64) -> f64 {
    let e = (-l.abs()).exp();
    if l >= 0.0 {
        1.0 / (1.0 + e)
    } else {
        e / (1.0 + e)
    }
}

fn logpx_z(t: &Tensors, values: usize) {
    let (l, x) = (t.floats("logits"), t.floats("x"));
    let images = l.chunks(values).zip(x.chunks(values));
    for (sum, (l, x)) in t.floats_mut("logpx_z").iter_mut().zip(images) {
        let terms = l.iter().zip(x);
        let terms = terms.map(|(l, x)| l.max(0.0) - l * x + (-l.abs()).exp().ln_1p());
        *sum = -terms.sum::<f64>();
    }
}

/// log p(x|z) of each image: −Σ (max(l, 0) − l x + ln(1 + exp(−|l|))) over its logits l.
#[derive(Clone, Debug)]
pub struct Loss {
    /// `[B, …]`
    pub logits: SlotId,
    /// Targets in [0, 1], `[B, …]`
    pub x: SlotId,
    /// `[B]`
    pub logpx_z: SlotId,
}

/// log p(x|z), and the gradient of the mean loss with respect to the logits: (sigmoid(l) − x) / B.
#[derive(Clone, Debug)]
pub struct LossAndGrad {
    /// log p(x|z).
    pub loss: Loss,
    /// `[B, …]`
    pub dlogits: SlotId,
}

/// The sigmoid of logits.
#[derive(Clone, Debug)]
pub struct Decode {
    /// `[B, …]`
    pub logits: SlotId,
    /// `[B, …]`
    pub probabilities: SlotId,
}

/// Appends [`Loss`] of `logits` and targets `x`, both `[B, …]`; returns `logpx_z`, `[B]`.
pub fn loss(g: &mut Graph, logits: SlotId, x: SlotId) -> SlotId {
    let logpx_z = g.slot("logpx_z", &[g.batch], Role::Activation);
    g.push(Loss { logits, x, logpx_z });
    logpx_z
}

/// Appends [`LossAndGrad`]; returns `logpx_z`, `[B]`, and `dlogits`, in the shape of `logits`.
pub fn loss_and_grad(g: &mut Graph, logits: SlotId, x: SlotId) -> (SlotId, SlotId) {
    let logpx_z = g.slot("logpx_z", &[g.batch], Role::Activation);
    let shape = g[logits].shape.clone();
    let dlogits = g.slot("dlogits", &shape, Role::Activation);
    let loss = Loss { logits, x, logpx_z };
    g.push(LossAndGrad { loss, dlogits });
    (logpx_z, dlogits)
}

/// Appends [`Decode`] of `logits`; returns `probabilities`, in the shape of `logits`.
pub fn decode(g: &mut Graph, logits: SlotId) -> SlotId {
    let shape = g[logits].shape.clone();
    let probabilities = g.slot("probabilities", &shape, Role::Metric);
    g.push(Decode {
        logits,
        probabilities,
    });
    probabilities
}

impl Operation for Loss {
    fn lower(&self, plan: &mut Plan, _: &Target) {
        let batch = plan.batch;
        let values = plan[self.x].len() / batch;
        let twin = move |t: &Tensors| logpx_z(t, values);
        plan.push(Step {
            label: "bce loss".into(),
            kernel: SOURCE.kernel("loss", constants(batch, values), twin),
            bindings: vec![
                ("logits", self.logits),
                ("x", self.x),
                ("logpx_z", self.logpx_z),
            ],
            grid: [groups(batch, 1), 1, 1],
            flops: 8 * (batch * values) as u64,
        });
    }
}

impl Operation for LossAndGrad {
    fn lower(&self, plan: &mut Plan, _: &Target) {
        let Loss {
            logits,
            x,
            logpx_z: result,
        } = self.loss;
        let batch = plan.batch;
        let values = plan[x].len() / batch;
        let twin = move |t: &Tensors| {
            logpx_z(t, values);
            let (l, x) = (t.floats("logits"), t.floats("x"));
            for (i, grad) in t.floats_mut("dlogits").iter_mut().enumerate() {
                *grad = (sigmoid(l[i]) - x[i]) / batch as f64;
            }
        };
        plan.push(Step {
            label: "bce loss and gradient".into(),
            kernel: SOURCE.kernel("loss_and_grad", constants(batch, values), twin),
            bindings: vec![
                ("logits", logits),
                ("x", x),
                ("logpx_z", result),
                ("dlogits", self.dlogits),
            ],
            grid: [groups(batch, 1), 1, 1],
            flops: 12 * (batch * values) as u64,
        });
    }
}

impl Operation for Decode {
    fn lower(&self, plan: &mut Plan, _: &Target) {
        let batch = plan.batch;
        let values = plan[self.logits].len() / batch;
        let twin = move |t: &Tensors| {
            let l = t.floats("logits");
            let mut p = t.floats_mut("probabilities");
            p.iter_mut().zip(&*l).for_each(|(p, l)| *p = sigmoid(*l));
        };
        plan.push(Step {
            label: "bce decode".into(),
            kernel: SOURCE.kernel("decode", constants(batch, values), twin),
            bindings: vec![
                ("logits", self.logits),
                ("probabilities", self.probabilities),
            ],
            grid: [groups(values / 4, 64), groups(batch, 1), 1],
            flops: 4 * (batch * values) as u64,
        });
    }
}
