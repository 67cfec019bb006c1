//! Output of the terms of the objective: a ring of batch means, or a table with a row per image.

use super::graph::Graph;
use super::objective::{Divergence, KlTerm};
use super::operation::Operation;
use super::posterior::Sampled;
use super::state::StepState;
use super::target::Target;
use super::wgsl::files;
use crate::plan::tensors::Tensors;
use crate::plan::{Plan, Role, SlotId, Source, Step, groups};

pub(super) static SOURCE: Source = Source::new("elbo", files!("common/sum", "elbo")).light();

/// Rows of the metrics ring: the steps between two readbacks, of which a fast GPU takes a few thousand.
pub const RING: usize = 4096;
/// Columns of the metrics ring: loss, log p(x|z), log p(z), log q(z|x), analytic KL.
pub const COLUMNS: usize = 5;
/// Columns of the table of terms: log p(x|z), log p(z), log q(z|x), analytic KL.
pub const TERMS: usize = 4;

fn constants(batch: usize, term: KlTerm) -> [(&'static str, f64); 5] {
    let [form, _] = term.constants();
    [
        ("BATCH", batch as f64),
        ("RING", RING as f64),
        ("BETA", term.beta),
        ("LOSS_SCALE", term.scale),
        form,
    ]
}

fn term(t: &Tensors, n: usize) -> [f64; TERMS] {
    ["logpx_z", "logpz", "logqz_x", "kl"].map(|name| t.floats(name)[n])
}

fn bindings(
    logpx_z: SlotId,
    latent: Sampled,
    state: SlotId,
    (name, result): (&'static str, SlotId),
) -> Vec<(&'static str, SlotId)> {
    vec![
        ("logpx_z", logpx_z),
        ("logpz", latent.logpz),
        ("logqz_x", latent.logqz_x),
        ("kl", latent.kl),
        ("state", state),
        (name, result),
    ]
}

/// Means over the batch, written to row `step mod RING` of the ring. The loss includes the weight of
/// the KL term; the other columns are unweighted terms of the ELBO.
#[derive(Clone, Debug)]
pub struct BatchMeans {
    /// The KL term of the loss.
    pub kl_term: KlTerm,
    /// `[B]`
    pub logpx_z: SlotId,
    /// The other terms, `[B]` each.
    pub latent: Sampled,
    /// Weights of [`super::posterior::Weigh`], if they differ between steps or dimensions.
    pub weights: Option<SlotId>,
    /// Step state `[6]`.
    pub state: SlotId,
    /// `[RING, COLUMNS]`
    pub ring: SlotId,
}

/// The terms of each image, written to rows `position..` of a table.
#[derive(Clone, Debug)]
pub struct Record {
    /// `[B]`
    pub logpx_z: SlotId,
    /// The other terms, `[B]` each.
    pub latent: Sampled,
    /// Step state `[6]`.
    pub state: SlotId,
    /// `[images, TERMS]`
    pub table: SlotId,
}

/// Appends [`BatchMeans`]; returns the slot `metrics [RING, COLUMNS]`.
pub fn batch_means(
    g: &mut Graph,
    kl_term: KlTerm,
    logpx_z: SlotId,
    latent: Sampled,
    weights: Option<SlotId>,
    state: SlotId,
) -> SlotId {
    let ring = g.slot("metrics", &[RING, COLUMNS], Role::Metric);
    g.push(BatchMeans {
        kl_term,
        logpx_z,
        latent,
        weights,
        state,
        ring,
    });
    ring
}

/// Appends [`Record`]; returns the slot `terms [images, TERMS]`.
pub fn record(
    g: &mut Graph,
    images: usize,
    logpx_z: SlotId,
    latent: Sampled,
    state: SlotId,
) -> SlotId {
    let table = g.slot("terms", &[images, TERMS], Role::Metric);
    g.push(Record {
        logpx_z,
        latent,
        state,
        table,
    });
    table
}

impl Operation for BatchMeans {
    fn lower(&self, plan: &mut Plan, _: &Target) {
        let (batch, kl_term) = (plan.batch, self.kl_term);
        let latent = plan[self.latent.z].len() / batch;
        let weighted = self.weights.is_some();
        let twin = move |t: &Tensors| {
            let mut mean = [0.0; TERMS];
            for n in 0..batch {
                let terms = mean.iter_mut().zip(term(t, n));
                terms.for_each(|(m, v)| *m += v / batch as f64);
            }
            let [logpx_z, logpz, logqz_x, kl] = mean;
            let weights = match weighted {
                true => t.floats("kl_weights").to_vec(),
                false => vec![1.0; 2 * latent + 1],
            };
            let divergence = match kl_term.form {
                Divergence::MonteCarlo => logqz_x - logpz,
                Divergence::Analytic if weighted => weights[latent..2 * latent].iter().sum(),
                Divergence::Analytic => kl,
            };
            let divergence = weights[2 * latent] * divergence;
            let at = StepState::of(t).step as usize % RING * COLUMNS;
            let loss = kl_term.scale * (kl_term.beta * divergence - logpx_z);
            let row = [loss, logpx_z, logpz, logqz_x, kl];
            t.floats_mut("ring")[at..][..COLUMNS].copy_from_slice(&row);
        };
        let mut constants = constants(batch, kl_term).to_vec();
        let result = ("ring", self.ring);
        let mut bindings = bindings(self.logpx_z, self.latent, self.state, result);
        let mut entry = "batch_means";
        if let Some(weights) = self.weights {
            entry = "batch_means_weighted";
            constants.push(("LATENT", latent as f64));
            bindings.push(("kl_weights", weights));
        }
        plan.push(Step {
            label: "elbo batch means".into(),
            kernel: SOURCE.kernel(entry, constants, twin),
            bindings,
            grid: [1, 1, 1],
            flops: (TERMS * batch) as u64,
        });
    }
}

impl Operation for Record {
    fn lower(&self, plan: &mut Plan, _: &Target) {
        let batch = plan.batch;
        let twin = move |t: &Tensors| {
            let position = StepState::of(t).position as usize;
            for n in 0..batch {
                let row = (position + n) * TERMS;
                t.floats_mut("terms")[row..][..TERMS].copy_from_slice(&term(t, n));
            }
        };
        let images = plan[self.table].len() / TERMS;
        let mut constants = constants(batch, KlTerm::PLAIN).to_vec();
        constants.push(("IMAGES", images as f64));
        plan.push(Step {
            label: "elbo record".into(),
            kernel: SOURCE.kernel("record", constants, twin),
            bindings: bindings(self.logpx_z, self.latent, self.state, ("terms", self.table)),
            grid: [groups(batch, 64), 1, 1],
            flops: 0,
        });
    }
}
