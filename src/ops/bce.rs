//! Bernoulli likelihood: sigmoid cross-entropy on logits, its gradient, and the sigmoid. Also the
//! continuous Bernoulli (Loaiza-Ganem and Cunningham, NeurIPS 2019), which adds log C(l).

use super::operation::Operation;
use super::target::Target;
use super::wgsl::files;
use crate::plan::tensors::Tensors;
use crate::plan::{Constants, Plan, SlotId, Source, Step, flag, groups};

pub(super) static SOURCE: Source = Source::new("bce", files!("common/sum", "bce"));

fn sigmoid(l: f64) -> f64 {
    let e = (-l.abs()).exp();
    if l >= 0.0 {
        1.0 / (1.0 + e)
    } else {
        e / (1.0 + e)
    }
}

/// log C(l) with C = l / tanh(l / 2), the normalizer of the continuous Bernoulli.
fn log_normalizer(l: f64) -> f64 {
    let (a, s) = (l.abs(), l * l);
    if a < 1e-3 {
        return std::f64::consts::LN_2 + s / 12.0 - 7.0 * s * s / 1440.0;
    }
    let e = (-a).exp();
    a.ln() + e.ln_1p() - (-e).ln_1p()
}

/// Its derivative, 1 / l − 1 / sinh(l).
fn normalizer_slope(l: f64) -> f64 {
    if l.abs() < 1e-3 {
        l / 6.0 - 7.0 * l.powi(3) / 360.0
    } else {
        1.0 / l - 1.0 / l.sinh()
    }
}

/// log p(x|z) of each image: −Σ (max(l, 0) − l x + ln(1 + exp(−|l|))) over its logits l, plus log C(l) if
/// it is continuous.
#[derive(Clone, Debug)]
pub struct Loss {
    /// The continuous Bernoulli.
    pub continuous: bool,
    /// `[B, …]`
    pub logits: SlotId,
    /// Targets in [0, 1], `[B, …]`
    pub x: SlotId,
    /// `[B]`
    pub logpx_z: SlotId,
}

/// log p(x|z), and the gradient of the mean loss with respect to the logits: (sigmoid(l) − x) scale / B,
/// minus that of log C(l).
#[derive(Clone, Debug)]
pub struct LossAndGrad {
    /// log p(x|z).
    pub loss: Loss,
    /// Factor of the loss.
    pub scale: f64,
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

impl Loss {
    fn constants(&self, batch: usize, values: usize, scale: f64) -> Constants {
        vec![
            ("BATCH", batch as f64),
            ("VALUES", values as f64),
            ("CONTINUOUS", flag(self.continuous)),
            ("LOSS_SCALE", scale),
        ]
    }

    fn twin(&self, values: usize) -> impl Fn(&Tensors) + Send + Sync + use<> {
        let continuous = self.continuous;
        move |t: &Tensors| {
            let (l, x) = (t.floats("logits"), t.floats("x"));
            let images = l.chunks(values).zip(x.chunks(values));
            let term = |(l, x): (&f64, &f64)| {
                let entropy = l.max(0.0) - l * x + (-l.abs()).exp().ln_1p();
                entropy - if continuous { log_normalizer(*l) } else { 0.0 }
            };
            for (sum, (l, x)) in t.floats_mut("logpx_z").iter_mut().zip(images) {
                *sum = -l.iter().zip(x).map(term).sum::<f64>();
            }
        }
    }

    fn bindings(&self) -> Vec<(&'static str, SlotId)> {
        vec![
            ("logits", self.logits),
            ("x", self.x),
            ("logpx_z", self.logpx_z),
        ]
    }
}

impl Operation for Loss {
    fn lower(&self, plan: &mut Plan, _: &Target) {
        let batch = plan.batch;
        let values = plan[self.x].len() / batch;
        let constants = self.constants(batch, values, 1.0);
        plan.push(Step {
            label: "bce loss".into(),
            kernel: SOURCE.kernel("loss", constants, self.twin(values)),
            bindings: self.bindings(),
            grid: [groups(batch, 1), 1, 1],
            flops: 8 * (batch * values) as u64,
        });
    }
}

impl Operation for LossAndGrad {
    fn lower(&self, plan: &mut Plan, _: &Target) {
        let (batch, scale, continuous) = (plan.batch, self.scale, self.loss.continuous);
        let values = plan[self.loss.x].len() / batch;
        let loss = self.loss.twin(values);
        let twin = move |t: &Tensors| {
            loss(t);
            let (l, x) = (t.floats("logits"), t.floats("x"));
            for (i, grad) in t.floats_mut("dlogits").iter_mut().enumerate() {
                let normalizer = if continuous {
                    normalizer_slope(l[i])
                } else {
                    0.0
                };
                *grad = (sigmoid(l[i]) - x[i] - normalizer) * scale / batch as f64;
            }
        };
        let constants = self.loss.constants(batch, values, scale);
        let mut bindings = self.loss.bindings();
        bindings.push(("dlogits", self.dlogits));
        plan.push(Step {
            label: "bce loss and gradient".into(),
            kernel: SOURCE.kernel("loss_and_grad", constants, twin),
            bindings,
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
        let constants = [
            ("BATCH", batch as f64),
            ("VALUES", values as f64),
            ("CONTINUOUS", 0.0),
            ("LOSS_SCALE", 1.0),
        ];
        plan.push(Step {
            label: "bce decode".into(),
            kernel: SOURCE.kernel("decode", constants, twin),
            bindings: vec![
                ("logits", self.logits),
                ("probabilities", self.probabilities),
            ],
            grid: [groups(values, 64), groups(batch, 1), 1],
            flops: 4 * (batch * values) as u64,
        });
    }
}
