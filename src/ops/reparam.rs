//! The reparameterization, the latent log-densities, and their gradient.

use super::{flag, kernel};
use crate::plan::tensors::Tensors;
use crate::plan::{Plan, Role, SlotId, Step, groups};

/// How the divergence of q(z|x) from p(z) enters the loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Divergence {
    /// log q(z|x) − log p(z) at the drawn z, the tutorial's form.
    MonteCarlo,
    /// ½ Σ (exp(logvar) + mean² − 1 − logvar).
    Analytic,
}

/// The KL term of the loss: a form of the divergence, and its weight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KlTerm {
    /// How the divergence is computed.
    pub form: Divergence,
    /// Its weight β (Higgins et al., "beta-VAE", ICLR 2017). With 1 the loss is minus the ELBO.
    pub beta: f64,
}

impl KlTerm {
    /// Of steps which compute the terms of the ELBO and nothing that β enters.
    pub(super) const PLAIN: KlTerm = KlTerm {
        form: Divergence::MonteCarlo,
        beta: 1.0,
    };

    /// As constants of a shader.
    pub(super) fn constants(self) -> [(&'static str, f64); 2] {
        [
            ("ANALYTIC", flag(self.form == Divergence::Analytic)),
            ("BETA", self.beta),
        ]
    }
}

/// What the sampling step reads and writes.
#[derive(Clone, Copy, Debug)]
pub struct Sampled {
    /// Mean and log-variance, `[B, 2·latent]`
    pub q: SlotId,
    /// Noise, `[B, latent]`
    pub eps: SlotId,
    /// `[B, latent]`
    pub z: SlotId,
    /// log p(z), `[B]`
    pub logpz: SlotId,
    /// log q(z|x), `[B]`
    pub logqz_x: SlotId,
    /// The analytic divergence, `[B]`
    pub kl: SlotId,
}

fn constants(batch: usize, latent: usize, term: KlTerm) -> [(&'static str, f64); 4] {
    let [form, beta] = term.constants();
    let batch = ("BATCH", batch as f64);
    [batch, ("LATENT", latent as f64), form, beta]
}

/// Appends z = mean + exp(logvar / 2) eps and its log-densities; `q` is `[B, 2·latent]`.
pub fn sample(plan: &mut Plan, q: SlotId, eps: SlotId) -> Sampled {
    let batch = plan.batch;
    let latent = plan[eps].len() / batch;
    let z = plan.slot("z", &[batch, latent], Role::Activation);
    let mut term = |name: &str| plan.slot(name, &[batch], Role::Activation);
    let (logpz, logqz_x, kl) = (term("logpz"), term("logqz_x"), term("kl"));
    let twin = move |t: &Tensors| {
        let (q, eps) = (t.floats("q"), t.floats("eps"));
        let log_2_pi = (2.0 * std::f64::consts::PI).ln();
        let mut z = t.floats_mut("z_out");
        let (mut logpz, mut logqz_x) = (t.floats_mut("logpz"), t.floats_mut("logqz_x"));
        let mut kl = t.floats_mut("kl");
        for n in 0..batch {
            (logpz[n], logqz_x[n], kl[n]) = (0.0, 0.0, 0.0);
            for d in 0..latent {
                let (mean, logvar) = (q[2 * n * latent + d], q[(2 * n + 1) * latent + d]);
                let value = mean + (0.5 * logvar).exp() * eps[n * latent + d];
                z[n * latent + d] = value;
                logpz[n] -= 0.5 * (value * value + log_2_pi);
                let square = (value - mean).powi(2) * (-logvar).exp();
                logqz_x[n] -= 0.5 * (square + logvar + log_2_pi);
                kl[n] += 0.5 * (logvar.exp() + mean * mean - 1.0 - logvar);
            }
        }
    };
    plan.push(Step {
        label: "reparam sample".into(),
        kernel: kernel(
            "reparam",
            "sample",
            &constants(batch, latent, KlTerm::PLAIN),
            twin,
        ),
        bindings: vec![
            ("q", q),
            ("eps", eps),
            ("z_out", z),
            ("logpz", logpz),
            ("logqz_x", logqz_x),
            ("kl", kl),
        ],
        grid: [groups(batch, 64), 1, 1],
        flops: 16 * (batch * latent) as u64,
    });
    Sampled {
        q,
        eps,
        z,
        logpz,
        logqz_x,
        kl,
    }
}

/// Appends the gradient `dq [B, 2·latent]` of the mean loss, from the decoder's `dz`.
pub fn backward(plan: &mut Plan, term: KlTerm, drawn: Sampled, dz: SlotId) -> SlotId {
    let batch = plan.batch;
    let Sampled { q, eps, z, .. } = drawn;
    let latent = plan[z].len() / batch;
    let dq = plan.slot("dq", &[batch, 2 * latent], Role::Activation);
    let twin = move |t: &Tensors| {
        let (q, eps) = (t.floats("q"), t.floats("eps"));
        let (z, dz) = (t.floats("z"), t.floats("dz"));
        let mut dq = t.floats_mut("dq");
        let scale = term.beta / batch as f64;
        for n in 0..batch {
            for d in 0..latent {
                let (i, at) = (n * latent + d, 2 * n * latent + d);
                let (mean, logvar) = (q[at], q[at + latent]);
                let noise = 0.5 * eps[i] * (0.5 * logvar).exp();
                (dq[at], dq[at + latent]) = match term.form {
                    Divergence::MonteCarlo => {
                        let total = dz[i] + z[i] * scale;
                        (total, total * noise - 0.5 * scale)
                    }
                    Divergence::Analytic => (
                        dz[i] + mean * scale,
                        dz[i] * noise + 0.5 * scale * (logvar.exp() - 1.0),
                    ),
                };
            }
        }
    };
    plan.push(Step {
        label: "reparam backward".into(),
        kernel: kernel("reparam", "backward", &constants(batch, latent, term), twin),
        bindings: vec![("q", q), ("eps", eps), ("z", z), ("dz", dz), ("dq", dq)],
        grid: [groups(batch * latent, 64), 1, 1],
        flops: 8 * (batch * latent) as u64,
    });
    dq
}
