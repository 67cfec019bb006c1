//! Sigmoid cross-entropy on logits, its gradient, and the sigmoid itself. The values of an image come
//! in quads: height and width of a model's images are multiples of 4.

use super::kernel;
use crate::plan::tensors::Tensors;
use crate::plan::{Plan, Role, SlotId, Step, groups};

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

fn logpx_z(logits: &[f64], x: &[f64]) -> f64 {
    let terms = logits.iter().zip(x);
    -terms
        .map(|(l, x)| l.max(0.0) - l * x + (-l.abs()).exp().ln_1p())
        .sum::<f64>()
}

/// Appends log p(x|z), `[B]`, of `logits` and targets `x`, both `[B, …]`.
pub fn loss(plan: &mut Plan, logits: SlotId, x: SlotId) -> SlotId {
    let batch = plan.batch;
    let values = plan[x].len() / batch;
    let result = plan.slot("logpx_z", &[batch], Role::Activation);
    plan.push(loss_step(batch, values, [logits, x, result]));
    result
}

fn loss_step(batch: usize, values: usize, [logits, x, result]: [SlotId; 3]) -> Step {
    let twin = move |t: &Tensors| {
        let (l, x) = (t.floats("logits"), t.floats("x"));
        for (n, sum) in t.floats_mut("logpx_z").iter_mut().enumerate() {
            *sum = logpx_z(&l[n * values..][..values], &x[n * values..][..values]);
        }
    };
    Step {
        label: "bce loss".into(),
        kernel: kernel("bce", "loss", &constants(batch, values), twin),
        bindings: vec![("logits", logits), ("x", x), ("logpx_z", result)],
        grid: [groups(batch, 1), 1, 1],
        flops: 8 * (batch * values) as u64,
    }
}

/// Of a step that computes the loss and its gradient, the loss.
pub fn loss_alone(plan: &Plan, both: &Step) -> Option<Step> {
    let values = both.kernel.constant("VALUES")? as usize;
    let slots = [
        both.bound("logits")?,
        both.bound("x")?,
        both.bound("logpx_z")?,
    ];
    Some(loss_step(plan.batch, values, slots))
}

/// Appends log p(x|z), `[B]`, and the gradient of the mean loss on the logits, of their shape.
pub fn loss_and_grad(plan: &mut Plan, logits: SlotId, x: SlotId) -> (SlotId, SlotId) {
    let batch = plan.batch;
    let values = plan[x].len() / batch;
    let result = plan.slot("logpx_z", &[batch], Role::Activation);
    let shape = plan[logits].shape.clone();
    let dlogits = plan.slot("dlogits", &shape, Role::Activation);
    let twin = move |t: &Tensors| {
        let (l, x) = (t.floats("logits"), t.floats("x"));
        for (n, sum) in t.floats_mut("logpx_z").iter_mut().enumerate() {
            *sum = logpx_z(&l[n * values..][..values], &x[n * values..][..values]);
        }
        for (i, grad) in t.floats_mut("dlogits").iter_mut().enumerate() {
            *grad = (sigmoid(l[i]) - x[i]) / batch as f64;
        }
    };
    plan.push(Step {
        label: "bce loss and gradient".into(),
        kernel: kernel("bce", "loss_and_grad", &constants(batch, values), twin),
        bindings: vec![
            ("logits", logits),
            ("x", x),
            ("logpx_z", result),
            ("dlogits", dlogits),
        ],
        grid: [groups(batch, 1), 1, 1],
        flops: 12 * (batch * values) as u64,
    });
    (result, dlogits)
}

/// Appends `probabilities` = sigmoid(logits), of their shape.
pub fn decode(plan: &mut Plan, logits: SlotId) -> SlotId {
    let batch = plan.batch;
    let shape = plan[logits].shape.clone();
    let values = plan[logits].len() / batch;
    let probabilities = plan.slot("probabilities", &shape, Role::Metric);
    let twin = move |t: &Tensors| {
        let l = t.floats("logits");
        let mut p = t.floats_mut("probabilities");
        p.iter_mut().zip(&*l).for_each(|(p, l)| *p = sigmoid(*l));
    };
    plan.push(Step {
        label: "bce decode".into(),
        kernel: kernel("bce", "decode", &constants(batch, values), twin),
        bindings: vec![("logits", logits), ("probabilities", probabilities)],
        grid: [groups(values / 4, 64), groups(batch, 1), 1],
        flops: 4 * (batch * values) as u64,
    });
    probabilities
}
