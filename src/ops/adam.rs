//! Adam in Keras's form, over the whole parameter arena in one dispatch.

use super::state::StepState;
use super::{fused, kernel};
use crate::plan::tensors::Tensors;
use crate::plan::{Plan, SlotId, Step, groups};

/// Adam's constants. The defaults are the tutorial's (Keras's, with a rate of 1e-4).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// Learning rate.
    pub rate: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the uncorrected second moment.
    pub epsilon: f64,
}

impl Default for Adam {
    fn default() -> Self {
        Adam {
            rate: 1e-4,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-7,
        }
    }
}

/// Arenas the optimizer works on; all of one length, a multiple of 4.
#[derive(Clone, Copy, Debug)]
pub struct Arenas {
    /// Weights.
    pub params: SlotId,
    /// Gradients.
    pub grads: SlotId,
    /// First moments.
    pub m: SlotId,
    /// Second moments.
    pub v: SlotId,
}

/// Appends the update of every parameter, behind the step that counts the update in `state`.
pub fn update(plan: &mut Plan, state: SlotId, arenas: Arenas, adam: Adam) {
    let count = plan[arenas.params].len();
    let constants = [
        ("COUNT", (count / 4) as f64),
        ("RATE", adam.rate),
        ("EPSILON", adam.epsilon),
        ("KEEP_LESS1", 1.0 - adam.beta1),
        ("KEEP_LESS2", 1.0 - adam.beta2),
        ("LOG_BETA1", adam.beta1.ln()),
        ("LOG_BETA2", adam.beta2.ln()),
    ];
    let twin = move |t: &Tensors| {
        let step = f64::from(StepState::of(t).step);
        let rate = adam.rate * (1.0 - adam.beta2.powf(step)).sqrt() / (1.0 - adam.beta1.powf(step));
        let grads = t.floats("grads");
        let (mut params, mut m) = (t.floats_mut("params"), t.floats_mut("m"));
        let mut v = t.floats_mut("v");
        for (i, g) in grads.iter().enumerate() {
            m[i] += (g - m[i]) * (1.0 - adam.beta1);
            v[i] += (g * g - v[i]) * (1.0 - adam.beta2);
            params[i] -= rate * m[i] / (v[i].sqrt() + adam.epsilon);
        }
    };
    plan.push(Step {
        label: "adam update".into(),
        kernel: kernel("adam", "update", &constants, twin),
        bindings: vec![
            ("state", state),
            ("grads", arenas.grads),
            ("params", arenas.params),
            ("m", arenas.m),
            ("v", arenas.v),
        ],
        grid: [groups(count / 4, 64), 1, 1],
        flops: 12 * count as u64,
    });
}

/// Rows that an invocation of the update adds up by itself.
const MOST_ROWS: f64 = 32.0;

/// The update in one step with two sums that it waits for, of weights and of a bias; none where
/// these are no sums into its gradients, or long ones.
pub fn update_of_sums(plan: &Plan, sums: [&Step; 2], update: &Step) -> Option<Step> {
    let names = [
        ["WEIGHTS_AT", "WEIGHTS_QUADS", "WEIGHTS_ROWS"],
        ["BIAS_AT", "BIAS_QUADS", "BIAS_ROWS"],
    ];
    let mut constants = update.kernel.constants.clone();
    for (sum, [at, quads, rows]) in sums.into_iter().zip(names) {
        let (_, offset) = plan[sum.bound("y4")?].view_of?;
        let columns = sum.kernel.constant("COLUMNS")?;
        let summed = sum.kernel.constant("ROWS").filter(|n| *n <= MOST_ROWS)?;
        constants.extend([
            (at, (offset / 4) as f64),
            (quads, columns / 4.0),
            (rows, summed),
        ]);
    }
    let bindings = vec![
        ("state", update.bound("state")?),
        ("grads_out", update.bound("grads")?),
        ("params", update.bound("params")?),
        ("m", update.bound("m")?),
        ("v", update.bound("v")?),
        ("weights_rows", sums[0].bound("x4")?),
        ("bias_rows", sums[1].bound("x4")?),
    ];
    let label = format!("{}, {}, {}", sums[0].label, sums[1].label, update.label);
    let steps = [sums[0], sums[1], update];
    Some(fused(
        plan,
        label,
        ("adam", "update_sums"),
        constants,
        bindings,
        update.grid,
        &steps,
    ))
}
