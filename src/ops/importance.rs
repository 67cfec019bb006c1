//! The importance-weighted bound: a stable log-mean-exp over draws that come one at a time.

use super::kernel;
use super::reparam::Sampled;
use super::state::StepState;
use crate::plan::tensors::Tensors;
use crate::plan::{Plan, Role, SlotId, Step, groups};

fn constants(batch: usize, samples: usize) -> [(&'static str, f64); 2] {
    [("BATCH", batch as f64), ("SAMPLES", samples as f64)]
}

/// Declares what [`accumulate`] leaves for [`record`]: `[B, 2]`, from run to run.
fn sums(plan: &mut Plan) -> SlotId {
    plan.slot("importance.sums", &[plan.batch, 2], Role::State)
}

/// Appends the step that takes one draw of each image of the batch in. A draw is the first of
/// its batch where the state's `step` is 0.
pub fn accumulate(plan: &mut Plan, logpx_z: SlotId, latent: Sampled, state: SlotId) {
    let batch = plan.batch;
    let sums = sums(plan);
    let twin = move |t: &Tensors| {
        let first = StepState::of(t).step == 0;
        let [logpx_z, logpz, logqz_x] = ["logpx_z", "logpz", "logqz_x"].map(|name| t.floats(name));
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
        kernel: kernel("importance", "accumulate", &constants(batch, 1), twin),
        bindings: vec![
            ("logpx_z", logpx_z),
            ("logpz", latent.logpz),
            ("logqz_x", latent.logqz_x),
            ("state", state),
            ("sums", sums),
        ],
        grid: [groups(batch, 64), 1, 1],
        flops: 8 * batch as u64,
    });
}

/// Appends the step that writes the bounds of a batch, of `samples` draws each, into rows
/// `position..` of `bounds [images]`, in nats.
pub fn record(plan: &mut Plan, images: usize, samples: usize, state: SlotId) -> SlotId {
    let batch = plan.batch;
    let sums = sums(plan);
    let bounds = plan.slot("bounds", &[images], Role::Metric);
    let twin = move |t: &Tensors| {
        let position = StepState::of(t).position as usize;
        let sums = t.floats("sums");
        for (n, sum) in sums.chunks(2).take(batch).enumerate() {
            t.floats_mut("bounds")[position + n] = sum[0] + (sum[1] / samples as f64).ln();
        }
    };
    let mut constants = constants(batch, samples).to_vec();
    constants.push(("IMAGES", images as f64));
    plan.push(Step {
        label: "importance record".into(),
        kernel: kernel("importance", "record", &constants, twin),
        bindings: vec![("state", state), ("sums", sums), ("bounds", bounds)],
        grid: [groups(batch, 64), 1, 1],
        flops: 3 * batch as u64,
    });
    bounds
}
