//! Where the terms of the objective go: a ring of batch means, or a table over a split.

use super::kernel;
use super::reparam::{Divergence, KlTerm, Sampled};
use super::state::StepState;
use crate::plan::tensors::Tensors;
use crate::plan::{Plan, Role, SlotId, Step, groups};

/// Rows of the metrics ring; more steps than a submission ever carries.
pub const RING: usize = 512;
/// Columns of the metrics ring: loss, log p(x|z), log p(z), log q(z|x), analytic KL.
pub const COLUMNS: usize = 5;
/// Columns of the table of terms: log p(x|z), log p(z), log q(z|x), analytic KL.
pub const TERMS: usize = 4;

fn constants(batch: usize, term: KlTerm) -> [(&'static str, f64); 4] {
    let [form, beta] = term.constants();
    [("BATCH", batch as f64), ("RING", RING as f64), form, beta]
}

fn term(t: &Tensors, n: usize) -> [f64; TERMS] {
    ["logpx_z", "logpz", "logqz_x", "kl"].map(|name| t.floats(name)[n])
}

fn bindings(logpx_z: SlotId, latent: Sampled, state: SlotId) -> Vec<(&'static str, SlotId)> {
    vec![
        ("logpx_z", logpx_z),
        ("logpz", latent.logpz),
        ("logqz_x", latent.logqz_x),
        ("kl", latent.kl),
        ("state", state),
    ]
}

/// Appends the means over the batch, into the row `step mod RING` of `metrics`. The loss holds the
/// KL term with its weight; the other columns are terms of the ELBO as they are.
pub fn batch_means(
    plan: &mut Plan,
    kl_term: KlTerm,
    logpx_z: SlotId,
    latent: Sampled,
    state: SlotId,
) -> SlotId {
    let batch = plan.batch;
    let ring = plan.slot("metrics", &[RING, COLUMNS], Role::Metric);
    let twin = move |t: &Tensors| {
        let mut mean = [0.0; TERMS];
        for n in 0..batch {
            let terms = term(t, n);
            mean.iter_mut()
                .zip(terms)
                .for_each(|(m, v)| *m += v / batch as f64);
        }
        let [logpx_z, logpz, logqz_x, kl] = mean;
        let divergence = match kl_term.form {
            Divergence::MonteCarlo => logqz_x - logpz,
            Divergence::Analytic => kl,
        };
        let at = StepState::of(t).step as usize % RING * COLUMNS;
        let loss = kl_term.beta * divergence - logpx_z;
        let row = [loss, logpx_z, logpz, logqz_x, kl];
        t.floats_mut("ring")[at..][..COLUMNS].copy_from_slice(&row);
    };
    let mut bindings = bindings(logpx_z, latent, state);
    bindings.push(("ring", ring));
    plan.push(Step {
        label: "elbo batch means".into(),
        kernel: kernel("elbo", "batch_means", &constants(batch, kl_term), twin),
        bindings,
        grid: [1, 1, 1],
        flops: (TERMS * batch) as u64,
    });
    ring
}

/// Appends the per-image terms into rows `position..` of `terms [images, 4]`.
pub fn record(
    plan: &mut Plan,
    images: usize,
    logpx_z: SlotId,
    latent: Sampled,
    state: SlotId,
) -> SlotId {
    let batch = plan.batch;
    let table = plan.slot("terms", &[images, TERMS], Role::Metric);
    let twin = move |t: &Tensors| {
        let position = StepState::of(t).position as usize;
        for n in 0..batch {
            let terms = term(t, n);
            t.floats_mut("terms")[(position + n) * TERMS..][..TERMS].copy_from_slice(&terms);
        }
    };
    let mut bindings = bindings(logpx_z, latent, state);
    bindings.push(("terms", table));
    let mut constants = constants(batch, KlTerm::PLAIN).to_vec();
    constants.push(("IMAGES", images as f64));
    plan.push(Step {
        label: "elbo record".into(),
        kernel: kernel("elbo", "record", &constants, twin),
        bindings,
        grid: [groups(batch, 64), 1, 1],
        flops: 0,
    });
    table
}
