//! Gaussian likelihood with one standard deviation σ for all values, fixed or learned ("optimal σ",
//! Rybkin, Daniilidis and Levine, ICML 2021).

use super::operation::Operation;
use super::target::Target;
use super::wgsl::files;
use crate::plan::tensors::Tensors;
use crate::plan::{Constants, Plan, SlotId, Source, Step, flag, groups};

pub(super) static SOURCE: Source = Source::new("gaussian", files!("common/sum", "gaussian"));

/// log σ.
#[derive(Clone, Copy, Debug)]
pub enum LogSigma {
    /// A number.
    Fixed(f64),
    /// A parameter, `[1]`.
    Learned(SlotId),
}

/// log p(x|z) of each image: −Σ (½ r² + log σ + ½ log 2π) with r = (x − μ) / σ.
#[derive(Clone, Debug)]
pub struct Loss {
    /// The mean μ is the sigmoid of the decoder's output, else the output.
    pub sigmoid_mean: bool,
    /// log σ.
    pub log_sigma: LogSigma,
    /// The decoder's output, `[B, …]`
    pub logits: SlotId,
    /// `[B, …]`
    pub x: SlotId,
    /// `[B]`
    pub logpx_z: SlotId,
}

/// log p(x|z), and the gradients of the mean loss with respect to the decoder's output and to log σ.
#[derive(Clone, Debug)]
pub struct LossAndGrad {
    /// log p(x|z).
    pub loss: Loss,
    /// Factor of the loss.
    pub scale: f64,
    /// `[B, …]`
    pub dlogits: SlotId,
    /// Share of each image in the gradient of a learned log σ, Σ (1 − r²) scale / B; `[B]`.
    pub dlog_sigma: Option<SlotId>,
}

/// The means.
#[derive(Clone, Debug)]
pub struct Decode {
    /// The mean is the sigmoid of the decoder's output.
    pub sigmoid_mean: bool,
    /// Means are clamped to [0, 1].
    pub clamped: bool,
    /// `[B, …]`
    pub logits: SlotId,
    /// `[B, …]`
    pub probabilities: SlotId,
}

fn constants(batch: usize, values: usize, sigmoid: bool, log_sigma: f64, scale: f64) -> Constants {
    vec![
        ("BATCH", batch as f64),
        ("VALUES", values as f64),
        ("SIGMOID_MEAN", flag(sigmoid)),
        ("LOG_SIGMA", log_sigma),
        ("LOSS_SCALE", scale),
    ]
}

fn mean(sigmoid: bool, l: f64) -> f64 {
    if sigmoid { 1.0 / (1.0 + (-l).exp()) } else { l }
}

impl Loss {
    fn fixed(&self) -> f64 {
        match self.log_sigma {
            LogSigma::Fixed(value) => value,
            LogSigma::Learned(_) => 0.0,
        }
    }

    fn is_learned(&self) -> bool {
        matches!(self.log_sigma, LogSigma::Learned(_))
    }

    fn bindings(&self) -> Vec<(&'static str, SlotId)> {
        let mut bindings = vec![
            ("logits", self.logits),
            ("x", self.x),
            ("logpx_z", self.logpx_z),
        ];
        if let LogSigma::Learned(slot) = self.log_sigma {
            bindings.push(("log_sigma", slot));
        }
        bindings
    }

    /// The residuals r of all values, and log σ.
    fn residuals(&self) -> impl Fn(&Tensors) -> (Vec<f64>, f64) + Send + Sync + use<> {
        let (sigmoid, fixed, learned) = (self.sigmoid_mean, self.fixed(), self.is_learned());
        move |t: &Tensors| {
            let log_sigma = if learned {
                t.floats("log_sigma")[0]
            } else {
                fixed
            };
            let (l, x) = (t.floats("logits"), t.floats("x"));
            let values = l.iter().zip(&*x);
            let residual = |(l, x): (&f64, &f64)| (x - mean(sigmoid, *l)) * (-log_sigma).exp();
            (values.map(residual).collect(), log_sigma)
        }
    }

    fn twin(&self, values: usize) -> impl Fn(&Tensors) + Send + Sync + use<> {
        let residuals = self.residuals();
        move |t: &Tensors| {
            let (r, log_sigma) = residuals(t);
            let rest = values as f64 * (log_sigma + 0.5 * (2.0 * std::f64::consts::PI).ln());
            for (sum, r) in t.floats_mut("logpx_z").iter_mut().zip(r.chunks(values)) {
                *sum = -0.5 * r.iter().map(|r| r * r).sum::<f64>() - rest;
            }
        }
    }
}

impl Operation for Loss {
    fn lower(&self, plan: &mut Plan, _: &Target) {
        let batch = plan.batch;
        let values = plan[self.x].len() / batch;
        let entry = if self.is_learned() {
            "loss_learned"
        } else {
            "loss"
        };
        let constants = constants(batch, values, self.sigmoid_mean, self.fixed(), 1.0);
        plan.push(Step {
            label: "gaussian loss".into(),
            kernel: SOURCE.kernel(entry, constants, self.twin(values)),
            bindings: self.bindings(),
            grid: [groups(batch, 1), 1, 1],
            flops: 6 * (batch * values) as u64,
        });
    }
}

impl Operation for LossAndGrad {
    fn lower(&self, plan: &mut Plan, _: &Target) {
        let (batch, scale, sigmoid) = (plan.batch, self.scale, self.loss.sigmoid_mean);
        let values = plan[self.loss.x].len() / batch;
        let learned = self.loss.is_learned();
        let (loss, residuals) = (self.loss.twin(values), self.loss.residuals());
        let twin = move |t: &Tensors| {
            loss(t);
            let (r, log_sigma) = residuals(t);
            let factor = scale / batch as f64;
            let l = t.floats("logits");
            for (i, grad) in t.floats_mut("dlogits").iter_mut().enumerate() {
                let mean = mean(sigmoid, l[i]);
                let slope = if sigmoid { mean - mean * mean } else { 1.0 };
                *grad = -r[i] * (-log_sigma).exp() * slope * factor;
            }
            if learned {
                let mut shares = t.floats_mut("dlog_sigma");
                for (share, r) in shares.iter_mut().zip(r.chunks(values)) {
                    *share = r.iter().map(|r| 1.0 - r * r).sum::<f64>() * factor;
                }
            }
        };
        let entry = if learned {
            "loss_and_grad_learned"
        } else {
            "loss_and_grad"
        };
        let mut bindings = self.loss.bindings();
        bindings.push(("dlogits", self.dlogits));
        bindings.extend(self.dlog_sigma.map(|slot| ("dlog_sigma", slot)));
        let constants = constants(batch, values, sigmoid, self.loss.fixed(), scale);
        plan.push(Step {
            label: "gaussian loss and gradient".into(),
            kernel: SOURCE.kernel(entry, constants, twin),
            bindings,
            grid: [groups(batch, 1), 1, 1],
            flops: 12 * (batch * values) as u64,
        });
    }
}

impl Operation for Decode {
    fn lower(&self, plan: &mut Plan, _: &Target) {
        let (batch, sigmoid, clamped) = (plan.batch, self.sigmoid_mean, self.clamped);
        let values = plan[self.logits].len() / batch;
        let constants = constants(batch, values, sigmoid, 0.0, 1.0);
        let entry = if clamped { "decode" } else { "decode_reals" };
        let twin = move |t: &Tensors| {
            let l = t.floats("logits");
            let mut means = t.floats_mut("probabilities");
            let values = means.iter_mut().zip(&*l);
            for (p, l) in values {
                let mean = mean(sigmoid, *l);
                *p = if clamped { mean.clamp(0.0, 1.0) } else { mean };
            }
        };
        plan.push(Step {
            label: "gaussian decode".into(),
            kernel: SOURCE.kernel(entry, constants, twin),
            bindings: vec![
                ("logits", self.logits),
                ("probabilities", self.probabilities),
            ],
            grid: [groups(values, 64), groups(batch, 1), 1],
            flops: 4 * (batch * values) as u64,
        });
    }
}
