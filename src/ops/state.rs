//! The step state: counters on the device which make replay static.

use super::kernel;
use super::adam::Adam;
use crate::plan::{Plan, Role, SlotId, Step};
use crate::plan::cpu::Tensors;
use crate::rng::{self, Stream};

/// Words of the state, in the order of `StepState` in `shaders/common.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepState {
    /// Key of every random stream.
    pub seed: u64,
    /// Optimizer steps done; the time axis of the noise.
    pub step: u32,
    /// Passes over the data done.
    pub epoch: u32,
    /// Images of this epoch consumed so far.
    pub position: u32,
    /// Stream of the noise.
    pub stream: u32,
    /// `1 - beta1^t` of the step about to run.
    pub correction1: f32,
    /// `1 - beta2^t` of the step about to run.
    pub correction2: f32,
}

/// Number of words of a [`StepState`].
pub const WORDS: usize = 8;

impl StepState {
    /// The state before the first step.
    pub fn start(seed: u64, stream: Stream, adam: &Adam) -> Self {
        StepState {
            seed,
            step: 0,
            epoch: 0,
            position: 0,
            stream: stream as u32,
            correction1: (1.0 - adam.beta1) as f32,
            correction2: (1.0 - adam.beta2) as f32,
        }
    }

    /// As the device keeps it.
    pub fn to_words(self) -> [u32; WORDS] {
        let [low, high] = rng::key(self.seed);
        [
            low,
            high,
            self.step,
            self.epoch,
            self.position,
            self.stream,
            self.correction1.to_bits(),
            self.correction2.to_bits(),
        ]
    }

    /// From the device's words; `None` unless there are eight.
    pub fn from_words(words: &[u32]) -> Option<Self> {
        let &[low, high, step, epoch, position, stream, c1, c2] = words else {
            return None;
        };
        Some(StepState {
            seed: u64::from(high) << 32 | u64::from(low),
            step,
            epoch,
            position,
            stream,
            correction1: f32::from_bits(c1),
            correction2: f32::from_bits(c2),
        })
    }

    /// The state in the step's tensor `state`.
    pub(super) fn of(t: &Tensors) -> Self {
        Self::from_words(&t.words("state")).expect("the state slot holds eight words")
    }

    /// The state one step of `batch` images later, over a data set of `count`.
    pub fn advanced(mut self, batch: usize, count: usize, adam: &Adam) -> Self {
        self.step = self.step.wrapping_add(1);
        self.correction1 += (1.0 - self.correction1) * (1.0 - adam.beta1) as f32;
        self.correction2 += (1.0 - self.correction2) * (1.0 - adam.beta2) as f32;
        self.position += batch as u32;
        if self.position as usize >= count {
            self.position = 0;
            self.epoch = self.epoch.wrapping_add(1);
        }
        self
    }
}

/// Declares the slot of a step state.
pub fn declare(plan: &mut Plan, name: &str) -> SlotId {
    plan.words(name, &[WORDS], Role::State)
}

/// Appends the step that moves the state on, over a data set of `count` images.
pub fn advance(plan: &mut Plan, state: SlotId, count: usize, adam: Adam) {
    let batch = plan.batch;
    let constants = [
        ("BATCH", batch as f64),
        ("COUNT", count as f64),
        ("KEEP_LESS1", 1.0 - adam.beta1),
        ("KEEP_LESS2", 1.0 - adam.beta2),
    ];
    let twin = move |t: &Tensors| {
        let next = StepState::of(t).advanced(batch, count, &adam);
        t.words_mut("state").copy_from_slice(&next.to_words());
    };
    plan.push(Step {
        label: "state advance".into(),
        kernel: kernel("state", "advance", &constants, twin),
        bindings: vec![("state", state)],
        grid: [1, 1, 1],
        flops: 0,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_hold_the_state() {
        let state = StepState::start(0x1234_5678_9abc_def0, Stream::Picture, &Adam::default());
        assert_eq!(StepState::from_words(&state.to_words()), Some(state));
    }

    // SPEC: within 5e-6 of the value in double for every t up to a million.
    #[test]
    fn bias_corrections_stay_exact_for_a_million_steps() {
        let adam = Adam::default();
        let mut state = StepState::start(0, Stream::Train, &adam);
        let mut worst = 0f64;
        for t in 1..=1_000_000 {
            let exact = (1.0 - adam.beta2.powi(t)).sqrt() / (1.0 - adam.beta1.powi(t));
            let found = f64::from(state.correction2.sqrt() / state.correction1);
            worst = worst.max((found / exact - 1.0).abs());
            state = state.advanced(32, 60_000, &adam);
        }
        assert!(worst < 5e-6, "worst relative error {worst}");
    }

    #[test]
    fn an_epoch_ends_when_all_images_are_used() {
        let adam = Adam::default();
        let start = StepState::start(0, Stream::Train, &adam);
        let middle = start.advanced(7, 10, &adam);
        assert_eq!((middle.epoch, middle.position), (0, 7));
        let end = middle.advanced(3, 10, &adam);
        assert_eq!((end.epoch, end.position, end.step), (1, 0, 2));
    }
}
