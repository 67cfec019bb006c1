//! Adam in Keras's form; one dispatch updates the whole parameter arena.

use super::fused::Fused;
use super::graph::Graph;
use super::operation::Operation;
use super::reduce::ColumnSums;
use super::state::StepState;
use super::target::Target;
use super::wgsl::files;
use crate::plan::tensors::Tensors;
use crate::plan::{Plan, SlotId, Source, Step, groups};

pub(super) static SOURCE: Source = Source::new("adam", files!("adam"));

/// How the learning rate changes after its warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Schedule {
    /// Not at all.
    #[default]
    Constant,
    /// Half a cosine, to 0 after this many steps.
    Cosine {
        /// Steps of the whole run.
        last: f64,
    },
    /// A factor each time that so many steps are done.
    Stairs {
        /// Steps between two factors.
        every: u32,
        /// The factor.
        factor: f64,
    },
}

/// Hyperparameters of Adam (Kingma and Ba, 2015). The defaults are Keras's, with a rate of 1e-4.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// Learning rate.
    pub rate: f64,
    /// Decay rate of the first moment.
    pub beta1: f64,
    /// Decay rate of the second moment.
    pub beta2: f64,
    /// ε, added to the square root of the uncorrected second moment.
    pub epsilon: f64,
    /// Decoupled weight decay w (Loshchilov and Hutter, ICLR 2019): each step also subtracts rate · w of
    /// each parameter.
    pub decay: f64,
    /// Steps over which the rate rises linearly.
    pub warmup: f64,
    /// The rate afterwards.
    pub schedule: Schedule,
}

impl Adam {
    /// The learning rate of step t, counted from 1.
    pub fn rate_at(&self, t: f64) -> f64 {
        let rate = match self.schedule {
            Schedule::Constant => self.rate,
            Schedule::Cosine { last } => {
                let done = (t - 1.0 - self.warmup) / (last - self.warmup).max(1.0);
                self.rate * (0.5 + 0.5 * (std::f64::consts::PI * done.clamp(0.0, 1.0)).cos())
            }
            Schedule::Stairs { every, factor } => {
                self.rate * factor.powf(((t - 1.0) / f64::from(every)).floor())
            }
        };
        if t < self.warmup {
            rate * t / self.warmup
        } else {
            rate
        }
    }
}

impl Default for Adam {
    fn default() -> Self {
        Adam {
            rate: 1e-4,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-7,
            decay: 0.0,
            warmup: 0.0,
            schedule: Schedule::Constant,
        }
    }
}

/// The arenas of the optimizer. All have the same length, a multiple of 4.
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

/// The update of every parameter:
///
/// m += (g − m)(1 − β₁), v += (g² − v)(1 − β₂), p −= rate √(1 − β₂ᵗ) / (1 − β₁ᵗ) · m / (√v + ε).
#[derive(Clone, Debug)]
pub struct Update {
    /// Step state `[6]`; its `step` is t and already counts this update.
    pub state: SlotId,
    /// The arenas.
    pub arenas: Arenas,
    /// The hyperparameters.
    pub adam: Adam,
}

/// Appends the update of every parameter. [`state::advance`](super::state::advance) must precede it.
pub fn update(g: &mut Graph, state: SlotId, arenas: Arenas, adam: Adam) {
    g.push(Update {
        state,
        arenas,
        adam,
    });
}

impl Update {
    fn constants(&self, plan: &Plan) -> Vec<(&'static str, f64)> {
        let adam = self.adam;
        let mut constants = vec![
            ("COUNT", (plan[self.arenas.params].len() / 4) as f64),
            ("RATE", adam.rate),
            ("EPSILON", adam.epsilon),
            ("KEEP_LESS1", 1.0 - adam.beta1),
            ("KEEP_LESS2", 1.0 - adam.beta2),
            ("LOG_BETA1", adam.beta1.ln()),
            ("LOG_BETA2", adam.beta2.ln()),
        ];
        if adam.decay > 0.0 {
            constants.push(("DECAY", adam.decay));
        }
        if adam.warmup > 0.0 {
            constants.push(("WARMUP", adam.warmup));
        }
        match adam.schedule {
            Schedule::Constant => {}
            Schedule::Cosine { last } => constants.extend([("SCHEDULE", 1.0), ("LAST", last)]),
            Schedule::Stairs { every, factor } => {
                constants.extend([
                    ("SCHEDULE", 2.0),
                    ("EVERY", f64::from(every)),
                    ("FACTOR", factor),
                ]);
            }
        }
        constants
    }

    fn grid(&self, plan: &Plan) -> [u32; 3] {
        [groups(plan[self.arenas.params].len() / 4, 64), 1, 1]
    }
}

impl Operation for Update {
    fn lower(&self, plan: &mut Plan, _: &Target) {
        let (arenas, adam) = (self.arenas, self.adam);
        let twin = move |t: &Tensors| {
            let step = f64::from(StepState::of(t).step);
            let plain = adam.rate_at(step);
            let rate = plain * (1.0 - adam.beta2.powf(step)).sqrt() / (1.0 - adam.beta1.powf(step));
            let grads = t.floats("grads");
            let (mut params, mut m) = (t.floats_mut("params"), t.floats_mut("m"));
            let mut v = t.floats_mut("v");
            for (i, g) in grads.iter().enumerate() {
                m[i] += (g - m[i]) * (1.0 - adam.beta1);
                v[i] += (g * g - v[i]) * (1.0 - adam.beta2);
                params[i] -= plain * adam.decay * params[i];
                params[i] -= rate * m[i] / (v[i].sqrt() + adam.epsilon);
            }
        };
        plan.push(Step {
            label: "adam update".into(),
            kernel: SOURCE.kernel("update", self.constants(plan), twin),
            bindings: vec![
                ("state", self.state),
                ("grads", arenas.grads),
                ("params", arenas.params),
                ("m", arenas.m),
                ("v", arenas.v),
            ],
            grid: self.grid(plan),
            flops: 12 * plan[arenas.params].len() as u64,
        });
    }
}

/// Fused: the reduction of a weight gradient and a bias gradient, and the update.
#[derive(Clone, Debug)]
pub struct UpdateOfSums {
    sums: [ColumnSums; 2],
    update: Update,
}

impl UpdateOfSums {
    /// `None` unless each sum has one range, few rows, and columns in quads.
    pub fn of(plan: &Plan, sums: [ColumnSums; 2], update: Update) -> Option<Self> {
        /// Most rows that an invocation of the update adds.
        const MOST_ROWS: usize = 32;
        let fits = |sum: &ColumnSums| {
            let quads = plan[sum.y].len().is_multiple_of(4);
            sum.ranges == 1 && quads && sum.rows <= MOST_ROWS
        };
        sums.iter()
            .all(fits)
            .then_some(UpdateOfSums { sums, update })
    }
}

impl Operation for UpdateOfSums {
    fn lower(&self, plan: &mut Plan, target: &Target) {
        let UpdateOfSums { sums, update } = self;
        let names = [
            ["WEIGHTS_AT", "WEIGHTS_QUADS", "WEIGHTS_ROWS"],
            ["BIAS_AT", "BIAS_QUADS", "BIAS_ROWS"],
        ];
        let mut constants = update.constants(plan);
        for (sum, [at, quads, rows]) in sums.iter().zip(names) {
            let offset = plan[sum.y].view_of.map_or(0, |(_, offset)| offset);
            constants.extend([
                (at, (offset / 4) as f64),
                (quads, (plan[sum.y].len() / 4) as f64),
                (rows, sum.rows as f64),
            ]);
        }
        let [weights, bias] = sums.clone();
        let fused = Fused {
            label: format!("{}, {}, adam update", weights.label, bias.label),
            source: &SOURCE,
            entry: "update_sums",
            constants,
            bindings: vec![
                ("state", update.state),
                ("grads_out", update.arenas.grads),
                ("params", update.arenas.params),
                ("m", update.arenas.m),
                ("v", update.arenas.v),
                ("weights_rows", weights.x),
                ("bias_rows", bias.x),
            ],
            grid: update.grid(plan),
        };
        fused.push(plan, target, &[&weights, &bias, update]);
    }
}
