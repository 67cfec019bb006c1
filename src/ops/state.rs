//! The step state: counters on the device, so that the host writes nothing between steps.

use super::graph::Graph;
use super::operation::Operation;
use super::target::Target;
use super::wgsl::files;
use crate::plan::tensors::Tensors;
use crate::plan::{Plan, Role, SlotId, Source, Step};
use crate::rng::{self, Stream};

/// The six words of the step state, in the order of `StepState` in `shaders/common.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepState {
    /// Key of every random stream.
    pub seed: u64,
    /// Optimizer steps done; part of the noise counter.
    pub step: u32,
    /// Passes over the data done.
    pub epoch: u32,
    /// Images consumed in this epoch.
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

    /// The words on the device.
    pub fn to_words(self) -> [u32; WORDS] {
        let [low, high] = rng::key(self.seed);
        [low, high, self.step, self.epoch, self.position, self.stream]
    }

    /// From the words on the device; `None` unless there are six.
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

    /// The state in the tensor `state` of a step.
    pub(super) fn of(t: &Tensors) -> Self {
        Self::from_words(&t.words("state")).expect("the state slot holds six words")
    }

    /// The state after `batch` more images of a data set of `count`, and `steps` more steps.
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

/// Advances the state by `images` images of a data set of `count` and by `steps` steps.
#[derive(Clone, Debug)]
pub struct Advance {
    /// Step state `[6]`.
    pub state: SlotId,
    /// Images consumed.
    pub images: usize,
    /// Images in the data set.
    pub count: usize,
    /// Added to `step`, with wrap-around.
    pub steps: u32,
}

/// Declares the slot of a step state.
pub fn declare(g: &mut Graph, name: &str) -> SlotId {
    g.words(name, &[WORDS], Role::State)
}

/// Appends [`Advance`] by a batch of a data set of `count` images. `steps` is 1 for an optimizer step
/// and 0 in an evaluation, whose noise depends on the image and not on its batch. `step` wraps around,
/// so `n.wrapping_neg()` subtracts n.
pub fn advance(g: &mut Graph, state: SlotId, count: usize, steps: u32) {
    let images = g.batch;
    g.push(Advance {
        state,
        images,
        count,
        steps,
    });
}

/// Appends [`Advance`] by one step and no image.
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
