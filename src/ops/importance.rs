//! The importance-weighted bound: a stable log-mean-exp over draws that come one at a time.

use super::graph::Graph;
use super::operation::Operation;
use super::reparam::Sampled;
use super::state::StepState;
use super::target::Target;
use super::wgsl::files;
use crate::plan::tensors::Tensors;
use crate::plan::{Plan, Role, SlotId, Source, Step, groups};

pub(super) static SOURCE: Source = Source::new("importance", files!("importance"));

fn constants(batch: usize, samples: usize) -> [(&'static str, f64); 2] {
    [("BATCH", batch as f64), ("SAMPLES", samples as f64)]
}

/// A draw of each image of the batch, added to the sums. It is the first of its batch where the
/// state's `step` is 0.
#[derive(Clone, Debug)]
pub struct Accumulate {
    /// `[B]`
    pub logpx_z: SlotId,
    /// The other terms, `[B]` each.
    pub latent: Sampled,
    /// `[6]`
    pub state: SlotId,
    /// The largest log-weight so far and the sum relative to it, `[B, 2]`.
    pub sums: SlotId,
}

/// The bounds of a batch in nats, into rows `position..` of a table.
#[derive(Clone, Debug)]
pub struct Record {
    /// Draws of each image.
    pub samples: usize,
    /// `[6]`
    pub state: SlotId,
    /// `[B, 2]`
    pub sums: SlotId,
    /// `[images]`
    pub bounds: SlotId,
}

/// Declares what [`accumulate`] leaves for [`record`]: `[B, 2]`, from run to run.
fn sums(g: &mut Graph) -> SlotId {
    g.slot("importance.sums", &[g.batch, 2], Role::State)
}

/// Adds one draw of each image of the batch.
pub fn accumulate(g: &mut Graph, logpx_z: SlotId, latent: Sampled, state: SlotId) {
    let sums = sums(g);
    g.push(Accumulate {
        logpx_z,
        latent,
        state,
        sums,
    });
}

/// Writes the bounds of `samples` draws into `bounds [images]`, whose slot it gives.
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
