//! The likelihood p(x|z): which distribution the decoder's output l parameterizes.

use serde::{Deserialize, Serialize};

use super::gaussian::LogSigma;
use super::graph::Graph;
use super::{bce, gaussian};
use crate::plan::{Role, SlotId};

/// The distribution of an image given its code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Likelihood {
    /// Binary values with probabilities sigmoid(l).
    #[default]
    Bernoulli,
    /// Values in [0, 1] of density proportional to that of the Bernoulli.
    ContinuousBernoulli,
    /// Real values with mean l or sigmoid(l) and one standard deviation.
    Gaussian,
}

impl Likelihood {
    /// Its name in options and files.
    pub fn name(self) -> &'static str {
        match self {
            Likelihood::Bernoulli => "bernoulli",
            Likelihood::ContinuousBernoulli => "continuous-bernoulli",
            Likelihood::Gaussian => "gaussian",
        }
    }
}

/// A likelihood with what it needs.
#[derive(Clone, Copy, Debug)]
pub enum Head {
    /// Bernoulli; true if it is continuous.
    Bernoulli(bool),
    /// Gaussian.
    Gaussian {
        /// The mean is sigmoid(l).
        sigmoid_mean: bool,
        /// Images are in [0, 1], so their means are clamped to it.
        clamped: bool,
        /// Its standard deviation.
        log_sigma: LogSigma,
    },
}

/// Appends log p(x|z) of the decoder's output; returns `logpx_z [B]`.
pub fn loss(g: &mut Graph, head: Head, logits: SlotId, x: SlotId) -> SlotId {
    let logpx_z = g.slot("logpx_z", &[g.batch], Role::Activation);
    match head {
        Head::Bernoulli(continuous) => g.push(bce::Loss {
            continuous,
            logits,
            x,
            logpx_z,
        }),
        Head::Gaussian {
            sigmoid_mean,
            log_sigma,
            ..
        } => g.push(gaussian::Loss {
            sigmoid_mean,
            log_sigma,
            logits,
            x,
            logpx_z,
        }),
    }
    logpx_z
}

/// log p(x|z) and the gradients of the mean loss.
#[derive(Clone, Copy, Debug)]
pub struct LossAndGrad {
    /// log p(x|z), `[B]`
    pub logpx_z: SlotId,
    /// In the shape of the logits.
    pub dlogits: SlotId,
    /// Share of each image in the gradient of a learned log σ, `[B]`.
    pub dlog_sigma: Option<SlotId>,
}

/// Appends log p(x|z) and the gradients of the mean loss, times `scale`.
pub fn loss_and_grad(
    g: &mut Graph,
    head: Head,
    scale: f64,
    logits: SlotId,
    x: SlotId,
) -> LossAndGrad {
    let logpx_z = g.slot("logpx_z", &[g.batch], Role::Activation);
    let shape = g[logits].shape.clone();
    let dlogits = g.slot("dlogits", &shape, Role::Activation);
    let mut dlog_sigma = None;
    match head {
        Head::Bernoulli(continuous) => {
            let loss = bce::Loss {
                continuous,
                logits,
                x,
                logpx_z,
            };
            g.push(bce::LossAndGrad {
                loss,
                scale,
                dlogits,
            });
        }
        Head::Gaussian {
            sigmoid_mean,
            log_sigma,
            ..
        } => {
            if let LogSigma::Learned(_) = log_sigma {
                dlog_sigma = Some(g.slot("dlog_sigma", &[g.batch], Role::Activation));
            }
            let loss = gaussian::Loss {
                sigmoid_mean,
                log_sigma,
                logits,
                x,
                logpx_z,
            };
            g.push(gaussian::LossAndGrad {
                loss,
                scale,
                dlogits,
                dlog_sigma,
            });
        }
    }
    LossAndGrad {
        logpx_z,
        dlogits,
        dlog_sigma,
    }
}

/// Appends the means of p(x|z); returns `probabilities` in the shape of the logits.
pub fn decode(g: &mut Graph, head: Head, logits: SlotId) -> SlotId {
    let shape = g[logits].shape.clone();
    let probabilities = g.slot("probabilities", &shape, Role::Metric);
    match head {
        Head::Bernoulli(_) => g.push(bce::Decode {
            logits,
            probabilities,
        }),
        Head::Gaussian {
            sigmoid_mean,
            clamped,
            ..
        } => g.push(gaussian::Decode {
            sigmoid_mean,
            clamped,
            logits,
            probabilities,
        }),
    }
    probabilities
}
