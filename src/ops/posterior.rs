//! The approximate posterior q(z|x): drawing a code, its log-densities, and their gradient.

use serde::{Deserialize, Serialize};

use super::graph::Graph;
use super::objective::KlTerm;
use super::operation::Operation;
use super::state::StepState;
use super::target::Target;
use super::{full, reparam};
use crate::plan::tensors::Tensors;
use crate::plan::{Plan, Role, SlotId, Step, groups};

/// The approximate posterior q(z|x), a Gaussian.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Posterior {
    /// A diagonal covariance: mean and log-variance of each dimension.
    #[default]
    Diagonal,
    /// Any covariance T Tᵀ: the mean and the elements of T ([`full`]).
    Full,
}

impl Posterior {
    /// Its name in options and files.
    pub fn name(self) -> &'static str {
        match self {
            Posterior::Diagonal => "diagonal",
            Posterior::Full => "full",
        }
    }

    /// Number of its parameters, the outputs of the encoder.
    pub fn values(self, latent: usize) -> usize {
        match self {
            Posterior::Diagonal => 2 * latent,
            Posterior::Full => latent + full::elements(latent),
        }
    }

    /// Mean and log-variance of each dimension `[N, 2L]`, means first, from the parameters of N
    /// posteriors. Variances are the diagonal of the covariance T Tᵀ.
    pub fn means_and_logvars(self, latent: usize, q: Vec<f32>) -> Vec<f32> {
        if self == Posterior::Diagonal {
            return q;
        }
        let of = |q: &[f32]| {
            let (means, t) = q.split_at(latent);
            let t: Vec<f64> = t.iter().map(|&t| t.into()).collect();
            let (scale, _) = full::scale(latent, &t);
            let logvar = |row: &[f64]| row.iter().map(|t| t * t).sum::<f64>().ln() as f32;
            let logvars = scale.chunks(latent).map(logvar);
            means.iter().copied().chain(logvars).collect::<Vec<_>>()
        };
        q.chunks(self.values(latent)).flat_map(of).collect()
    }
}

/// z, drawn from q(z|x) with the noise eps, and its log-densities.
#[derive(Clone, Copy, Debug)]
pub struct Sampled {
    /// The kind of q(z|x).
    pub posterior: Posterior,
    /// Parameters of q(z|x), `[B, values]`
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
    /// Weights of [`Weigh`], if they differ between steps or dimensions.
    pub weights: Option<SlotId>,
    /// Gradient from the decoder, `[B, latent]`
    pub dz: SlotId,
    /// In the shape of q.
    pub dq: SlotId,
}

/// The weights of the KL term in this step: for each dimension its weight, without β; then for each its
/// divergence, or the free bits if they are more; then the weight that rises over the first steps.
#[derive(Clone, Debug)]
pub struct Weigh {
    /// The KL term of the loss.
    pub term: KlTerm,
    /// The sample.
    pub drawn: Sampled,
    /// Step state `[6]`, before this step is counted.
    pub state: SlotId,
    /// `[2 latent + 1]`
    pub weights: SlotId,
}

/// Appends [`Weigh`] if the weights are not 1 throughout; returns them.
pub fn weigh(g: &mut Graph, term: KlTerm, drawn: Sampled, state: SlotId) -> Option<SlotId> {
    term.is_weighted().then(|| {
        let latent = g[drawn.z].len() / g.batch;
        let weights = g.slot("kl.weights", &[2 * latent + 1], Role::Activation);
        g.push(Weigh {
            term,
            drawn,
            state,
            weights,
        });
        weights
    })
}

/// Appends [`Sampled`] from `q [B, values]` and `eps [B, latent]`.
pub fn sample(g: &mut Graph, posterior: Posterior, q: SlotId, eps: SlotId) -> Sampled {
    let (batch, latent) = (g.batch, g[eps].len() / g.batch);
    let mut slot = |name: &str, shape: &[usize]| g.slot(name, shape, Role::Activation);
    let sampled = Sampled {
        posterior,
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

/// Appends [`Backward`]; returns dq in the shape of q.
pub fn backward(
    g: &mut Graph,
    term: KlTerm,
    drawn: Sampled,
    weights: Option<SlotId>,
    dz: SlotId,
) -> SlotId {
    let shape = g[drawn.q].shape.clone();
    let dq = g.slot("dq", &shape, Role::Activation);
    g.push(Backward {
        term,
        drawn,
        weights,
        dz,
        dq,
    });
    dq
}

impl Operation for Sampled {
    fn lower(&self, plan: &mut Plan, _: &Target) {
        let batch = plan.batch;
        let latent = plan[self.eps].len() / batch;
        let constants = reparam::constants(batch, latent, KlTerm::PLAIN);
        let kernel = match self.posterior {
            Posterior::Diagonal => {
                let twin = move |t: &Tensors| reparam::sample(t, latent);
                reparam::SOURCE.kernel("sample", constants, twin)
            }
            Posterior::Full => {
                let twin = move |t: &Tensors| full::sample(t, latent);
                full::SOURCE.kernel("sample", constants, twin)
            }
        };
        plan.push(Step {
            label: "reparam sample".into(),
            kernel,
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
        let &Backward {
            term,
            weights,
            dz,
            dq,
            ..
        } = self;
        let Sampled { q, eps, z, .. } = self.drawn;
        let batch = plan.batch;
        let latent = plan[z].len() / batch;
        let constants = reparam::constants(batch, latent, term);
        let weighted = weights.is_some();
        let entry = match weighted {
            true => "backward_weighted",
            false => "backward",
        };
        let of_step = move |t: &Tensors| match weighted {
            true => t.floats("kl_weights").to_vec(),
            false => vec![1.0; latent],
        };
        let (kernel, items) = match self.drawn.posterior {
            Posterior::Diagonal => {
                let twin = move |t: &Tensors| reparam::backward(t, latent, term, &of_step(t));
                let kernel = reparam::SOURCE.kernel(entry, constants, twin);
                (kernel, batch * latent)
            }
            Posterior::Full => {
                let twin = move |t: &Tensors| full::backward(t, latent, term, &of_step(t));
                let kernel = full::SOURCE.kernel(entry, constants, twin);
                (kernel, plan[q].len())
            }
        };
        let mut bindings = vec![("q", q), ("eps", eps), ("z", z), ("dz", dz), ("dq", dq)];
        bindings.extend(weights.map(|weights| ("kl_weights", weights)));
        plan.push(Step {
            label: "reparam backward".into(),
            kernel,
            bindings,
            grid: [groups(items, 64), 1, 1],
            flops: 8 * (batch * latent) as u64,
        });
    }
}

impl Operation for Weigh {
    fn lower(&self, plan: &mut Plan, _: &Target) {
        let (term, posterior) = (self.term, self.drawn.posterior);
        let latent = plan[self.drawn.z].len() / plan.batch;
        let batch = plan.batch as f64;
        let twin = move |t: &Tensors| {
            let (q, risen) = (t.floats("q"), term.risen(StepState::of(t).step));
            let mut weights = t.floats_mut("weights_out");
            for d in 0..latent {
                let mean = match posterior {
                    Posterior::Diagonal => reparam::divergences(&q, latent, d).sum::<f64>(),
                    Posterior::Full => full::divergences(&q, latent, d).sum::<f64>(),
                } / batch;
                let is_free = mean < term.free_bits;
                weights[d] = if is_free { 0.0 } else { risen };
                weights[latent + d] = mean.max(term.free_bits);
            }
            weights[2 * latent] = risen;
        };
        let source = match posterior {
            Posterior::Diagonal => &reparam::SOURCE,
            Posterior::Full => &full::SOURCE,
        };
        let mut constants = reparam::constants(plan.batch, latent, term).to_vec();
        constants.extend([("RISE", term.rise), ("FREE", term.free_bits)]);
        plan.push(Step {
            label: "KL weights".into(),
            kernel: source.kernel("weights", constants, twin),
            bindings: vec![
                ("q", self.drawn.q),
                ("state", self.state),
                ("weights_out", self.weights),
            ],
            grid: [groups(latent, 1), 1, 1],
            flops: 8 * plan[self.drawn.q].len() as u64,
        });
    }
}
