//! The step state: counters on the device which make replay static.

use super::graph::Graph;
use super::operation::Operation;
use super::target::Target;
use super::wgsl::files;
use crate::plan::tensors::Tensors;
use crate::plan::{Plan, Role, SlotId, Source, Step};
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
}

/// Number of words of a [`StepState`].
pub const WORDS: usize = 6;

impl StepState {
    /// The state before the first step.
    pub fn start(seed: u64, stream: Stream) -> Self {
        StepState {
            seed,
            step: 0,
            epoch: 0,
            position: 0,
            stream: stream as u32,
        }
    }

    /// As the device keeps it.
    pub fn to_words(self) -> [u32; WORDS] {
        let [low, high] = rng::key(self.seed);
        [low, high, self.step, self.epoch, self.position, self.stream]
    }

    /// From the device's words; `None` unless there are six.
    pub fn from_words(words: &[u32]) -> Option<Self> {
        let &[low, high, step, epoch, position, stream] = words else {
            return None;
        };
        Some(StepState {
            seed: u64::from(high) << 32 | u64::from(low),
            step,
            epoch,
            position,
            stream,
        })
    }

    /// The state in the step's tensor `state`.
    pub(super) fn of(t: &Tensors) -> Self {
        Self::from_words(&t.words("state")).expect("the state slot holds six words")
    }

    /// The state `batch` images of a data set of `count` later, and `steps` in time.
    pub fn advanced(mut self, batch: usize, count: usize, steps: u32) -> Self {
        self.step = self.step.wrapping_add(steps);
        self.position += batch as u32;
        if self.position as usize >= count {
            self.position = 0;
            self.epoch = self.epoch.wrapping_add(1);
        }
        self
    }
}

pub(super) static SOURCE: Source = Source::new("state", files!("state")).light();

/// The state moved on: by so many images of a data set of `count`, and in time by `steps`.
#[derive(Clone, Debug)]
pub struct Advance {
    /// `[6]`
    pub state: SlotId,
    /// Images consumed.
    pub images: usize,
    /// Images of the data set.
    pub count: usize,
    /// Added to the time, with wrap-around.
    pub steps: u32,
}

/// Declares the slot of a step state.
pub fn declare(g: &mut Graph, name: &str) -> SlotId {
    g.words(name, &[WORDS], Role::State)
}

/// Moves the state on by a batch of a data set of `count` images. Time moves by `steps`: 1 for an
/// optimizer step, 0 in an evaluation, whose noise depends on the image and not on its batch. Time
/// wraps around, so `n.wrapping_neg()` takes it back by n.
pub fn advance(g: &mut Graph, state: SlotId, count: usize, steps: u32) {
    let images = g.batch;
    g.push(Advance {
        state,
        images,
        count,
        steps,
    });
}

/// Moves time on by one while the batch stays where it is.
pub fn tick(g: &mut Graph, state: SlotId) {
    g.push(Advance {
        state,
        images: 0,
        count: u32::MAX as usize,
        steps: 1,
    });
}

impl Operation for Advance {
    fn lower(&self, plan: &mut Plan, _: &Target) {
        let &Advance {
            state,
            images,
            count,
            steps,
        } = self;
        let constants = [
            ("BATCH", images as f64),
            ("COUNT", count as f64),
            ("STEPS", f64::from(steps)),
        ];
        let twin = move |t: &Tensors| {
            let next = StepState::of(t).advanced(images, count, steps);
            t.words_mut("state").copy_from_slice(&next.to_words());
        };
        plan.push(Step {
            label: "state advance".into(),
            kernel: SOURCE.kernel("advance", constants, twin),
            bindings: vec![("state", state)],
            grid: [1, 1, 1],
            flops: 0,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_hold_the_state() {
        let state = StepState::start(0x1234_5678_9abc_def0, Stream::Picture);
        assert_eq!(StepState::from_words(&state.to_words()), Some(state));
    }

    #[test]
    fn an_epoch_ends_when_all_images_are_used() {
        let start = StepState::start(0, Stream::Train);
        let middle = start.advanced(7, 10, 1);
        assert_eq!((middle.epoch, middle.position), (0, 7));
        let end = middle.advanced(3, 10, 1);
        assert_eq!((end.epoch, end.position, end.step), (1, 0, 2));
    }
}
