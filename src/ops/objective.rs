//! The KL term of the objective.

use crate::plan::flag;

/// The estimate of KL(q(z|x) ‖ p(z)) in the loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Divergence {
    /// log q(z|x) − log p(z) at the drawn z, as in the tutorial.
    MonteCarlo,
    /// The analytic divergence, −½ Σ (1 + logvar − mean² − exp(logvar)).
    Analytic,
}

/// The loss: an estimate of the divergence, its weight, and a factor of the whole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KlTerm {
    /// The estimate.
    pub form: Divergence,
    /// Its weight β (Higgins et al., "beta-VAE", ICLR 2017). With β = 1 the loss is −ELBO.
    pub beta: f64,
    /// Factor of the loss, not of the reported terms.
    pub scale: f64,
    /// Steps over which the weight rises linearly from 0 (Bowman et al., "Generating sentences from a
    /// continuous space", 2016).
    pub rise: f64,
    /// Nats of each latent dimension that cost nothing: the batch mean of its divergence counts as at
    /// least this (Kingma et al., "Improved variational inference with inverse autoregressive flow",
    /// NeurIPS 2016). For the analytic divergence.
    pub free_bits: f64,
}

impl KlTerm {
    /// For steps that compute the terms of the ELBO but no loss.
    pub const PLAIN: KlTerm = KlTerm {
        form: Divergence::MonteCarlo,
        beta: 1.0,
        scale: 1.0,
        rise: 0.0,
        free_bits: 0.0,
    };

    /// Whether the weight differs between steps or dimensions.
    pub fn is_weighted(self) -> bool {
        self.rise > 0.0 || self.free_bits > 0.0
    }

    /// The part of the weight at a step that follows `done` others.
    pub fn risen(self, done: u32) -> f64 {
        let done = f64::from(done);
        if done < self.rise {
            done / self.rise
        } else {
            1.0
        }
    }

    /// The constants of the gradient's kernels; they take the factor of the loss into the weight.
    pub(super) fn constants(self) -> [(&'static str, f64); 2] {
        [
            ("ANALYTIC", flag(self.form == Divergence::Analytic)),
            ("BETA", self.beta * self.scale),
        ]
    }
}
