//! The reparameterization z = mean + exp(logvar / 2) ε, the log-densities of z, and their gradient
//! (Kingma and Welling, "Auto-Encoding Variational Bayes", ICLR 2014).

use super::graph::Graph;
use super::operation::Operation;
use super::target::Target;
use super::wgsl::files;
use crate::plan::tensors::Tensors;
use crate::plan::{Plan, Role, SlotId, Source, Step, flag, groups};

pub(super) static SOURCE: Source = Source::new("reparam", files!("common/reparam", "reparam"));

/// The estimate of KL(q(z|x) ‖ p(z)) in the loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Divergence {
    /// log q(z|x) − log p(z) at the drawn z, as in the tutorial.
    MonteCarlo,
    /// The analytic divergence, −½ Σ (1 + logvar − mean² − exp(logvar)).
    Analytic,
}

/// The KL term of the loss: an estimate of the divergence and its weight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KlTerm {
    /// The estimate.
    pub form: Divergence,
    /// Its weight β (Higgins et al., "beta-VAE", ICLR 2017). With β = 1 the loss is −ELBO.
    pub beta: f64,
}

impl KlTerm {
    /// For steps that compute the terms of the ELBO but no loss.
    pub(super) const PLAIN: KlTerm = KlTerm {
        form: Divergence::MonteCarlo,
        beta: 1.0,
    };

    /// The shader's constants.
    pub(super) fn constants(self) -> [(&'static str, f64); 2] {
        [
            ("ANALYTIC", flag(self.form == Divergence::Analytic)),
            ("BETA", self.beta),
        ]
    }
}

/// z = mean + exp(logvar / 2) eps, and its log-densities.
#[derive(Clone, Copy, Debug)]
pub struct Sampled {
    /// Mean and log-variance of q(z|x), `[B, 2·latent]`
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

/// The gradient of the mean loss with respect to q.
#[derive(Clone, Debug)]
pub struct Backward {
    /// The KL term of the loss.
    pub term: KlTerm,
    /// The sample.
    pub drawn: Sampled,
    /// Gradient from the decoder, `[B, latent]`
    pub dz: SlotId,
    /// `[B, 2·latent]`
    pub dq: SlotId,
}

pub(super) fn constants(batch: usize, latent: usize, term: KlTerm) -> [(&'static str, f64); 4] {
    let [form, beta] = term.constants();
    let batch = ("BATCH", batch as f64);
    [batch, ("LATENT", latent as f64), form, beta]
}

/// Appends [`Sampled`] from `q [B, 2·latent]` and `eps [B, latent]`.
pub fn sample(g: &mut Graph, q: SlotId, eps: SlotId) -> Sampled {
    let (batch, latent) = (g.batch, g[eps].len() / g.batch);
    let mut slot = |name: &str, shape: &[usize]| g.slot(name, shape, Role::Activation);
    let sampled = Sampled {
        q,
        eps,
        z: slot("z", &[batch, latent]),
        logpz: slot("logpz", &[batch]),
        logqz_x: slot("logqz_x", &[batch]),
        kl: slot("kl", &[batch]),
    };
    g.push(sampled);
    sampled
}

/// Appends [`Backward`]; returns `dq [B, 2·latent]`.
pub fn backward(g: &mut Graph, term: KlTerm, drawn: Sampled, dz: SlotId) -> SlotId {
    let latent = g[drawn.z].len() / g.batch;
    let dq = g.slot("dq", &[g.batch, 2 * latent], Role::Activation);
    g.push(Backward {
        term,
        drawn,
        dz,
        dq,
    });
    dq
}

impl Operation for Sampled {
    fn lower(&self, plan: &mut Plan, _: &Target) {
        let batch = plan.batch;
        let latent = plan[self.eps].len() / batch;
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
        let constants = constants(batch, latent, KlTerm::PLAIN);
        plan.push(Step {
            label: "reparam sample".into(),
            kernel: SOURCE.kernel("sample", constants, twin),
            bindings: vec![
                ("q", self.q),
                ("eps", self.eps),
                ("z_out", self.z),
                ("logpz", self.logpz),
                ("logqz_x", self.logqz_x),
                ("kl", self.kl),
            ],
            grid: [groups(batch, 64), 1, 1],
            flops: 16 * (batch * latent) as u64,
        });
    }
}

impl Operation for Backward {
    fn lower(&self, plan: &mut Plan, _: &Target) {
        let &Backward { term, dz, dq, .. } = self;
        let Sampled { q, eps, z, .. } = self.drawn;
        let batch = plan.batch;
        let latent = plan[z].len() / batch;
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
            kernel: SOURCE.kernel("backward", constants(batch, latent, term), twin),
            bindings: vec![("q", q), ("eps", eps), ("z", z), ("dz", dz), ("dq", dq)],
            grid: [groups(batch * latent, 64), 1, 1],
            flops: 8 * (batch * latent) as u64,
        });
    }
}
