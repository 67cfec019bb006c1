//! The importance-weighted bound (Burda et al., "Importance Weighted Autoencoders", ICLR 2016):
//! log (1/K Σ wₖ) with log w = log p(x|z) + log p(z) − log q(z|x), as a streaming log-mean-exp.

use super::graph::Graph;
use super::operation::Operation;
use super::posterior::Sampled;
use super::state::StepState;
use super::target::Target;
use super::wgsl::files;
use crate::plan::tensors::Tensors;
use crate::plan::{Plan, Role, SlotId, Source, Step, groups};

pub(super) static SOURCE: Source = Source::new("importance", files!("importance"));

fn constants(batch: usize, samples: usize) -> [(&'static str, f64); 2] {
    [("BATCH", batch as f64), ("SAMPLES", samples as f64)]
}

/// Adds one draw of each image of the batch to the sums. A `step` of 0 in the state starts new sums.
#[derive(Clone, Debug)]
pub struct Accumulate {
    /// `[B]`
    pub logpx_z: SlotId,
    /// The other terms, `[B]` each.
    pub latent: Sampled,
    /// Step state `[6]`.
    pub state: SlotId,
    /// The largest log-weight so far, and the sum of weights relative to it, `[B, 2]`.
    pub sums: SlotId,
}

/// The bounds of a batch in nats, written to rows `position..` of a table.
#[derive(Clone, Debug)]
pub struct Record {
    /// Draws per image.
    pub samples: usize,
    /// Step state `[6]`.
    pub state: SlotId,
    /// `[B, 2]`
    pub sums: SlotId,
    /// `[images]`
    pub bounds: SlotId,
}

/// Declares the sums `[B, 2]` of [`accumulate`], which persist between runs.
fn sums(g: &mut Graph) -> SlotId {
    g.slot("importance.sums", &[g.batch, 2], Role::State)
}

/// Appends [`Accumulate`].
pub fn accumulate(g: &mut Graph, logpx_z: SlotId, latent: Sampled, state: SlotId) {
    let sums = sums(g);
    g.push(Accumulate {
        logpx_z,
        latent,
        state,
        sums,
    });
}

/// Appends [`Record`] for `samples` draws; returns the slot `bounds [images]`.
pub fn record(g: &mut Graph, images: usize, samples: usize, state: SlotId) -> SlotId {
    let sums = sums(g);
    let bounds = g.slot("bounds", &[images], Role::Metric);
    g.push(Record {
        samples,
        state,
        sums,
        bounds,
    });
    bounds
}

impl Operation for Accumulate {
    fn lower(&self, plan: &mut Plan, _: &Target) {
        let batch = plan.batch;
        let twin = move |t: &Tensors| {
            let first = StepState::of(t).step == 0;
            let [logpx_z, logpz, logqz_x] =
                ["logpx_z", "logpz", "logqz_x"].map(|name| t.floats(name));
            for (n, sum) in t.floats_mut("sums").chunks_mut(2).take(batch).enumerate() {
                let weight = logpx_z[n] + logpz[n] - logqz_x[n];
                let (largest, total) = if first {
                    (weight, 0.0)
                } else {
                    (sum[0], sum[1])
                };
                let next = largest.max(weight);
                sum[0] = next;
                sum[1] = total * (largest - next).exp() + (weight - next).exp();
            }
        };
        plan.push(Step {
            label: "importance accumulate".into(),
            kernel: SOURCE.kernel("accumulate", constants(batch, 1), twin),
            bindings: vec![
                ("logpx_z", self.logpx_z),
                ("logpz", self.latent.logpz),
                ("logqz_x", self.latent.logqz_x),
                ("state", self.state),
                ("sums", self.sums),
            ],
            grid: [groups(batch, 64), 1, 1],
            flops: 8 * batch as u64,
        });
    }
}

impl Operation for Record {
    fn lower(&self, plan: &mut Plan, _: &Target) {
        let (batch, samples) = (plan.batch, self.samples);
        let twin = move |t: &Tensors| {
            let position = StepState::of(t).position as usize;
            let sums = t.floats("sums");
            for (n, sum) in sums.chunks(2).take(batch).enumerate() {
                t.floats_mut("bounds")[position + n] = sum[0] + (sum[1] / samples as f64).ln();
            }
        };
        let mut constants = constants(batch, samples).to_vec();
        constants.push(("IMAGES", plan[self.bounds].len() as f64));
        plan.push(Step {
            label: "importance record".into(),
            kernel: SOURCE.kernel("record", constants, twin),
            bindings: vec![
                ("state", self.state),
                ("sums", self.sums),
                ("bounds", self.bounds),
            ],
            grid: [groups(batch, 64), 1, 1],
            flops: 3 * batch as u64,
        });
    }
}
