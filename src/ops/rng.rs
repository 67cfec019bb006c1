//! Random draws: the order of the images and the noise of the latent codes.

use super::graph::Graph;
use super::operation::Operation;
use super::state::StepState;
use super::target::Target;
use super::wgsl::files;
use crate::plan::tensors::Tensors;
use crate::plan::{Plan, Role, SlotId, Source, Step, flag, groups};
use crate::rng;

pub(super) static SOURCE: Source =
    Source::new("rng", files!("common/philox", "common/images", "rng")).light();

/// Order of the images in a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// A new uniform permutation each epoch.
    Shuffled,
    /// The order of the data set.
    File,
}

/// Draws the indices of the images in the batch.
#[derive(Clone, Debug)]
pub struct Shuffle {
    /// Step state `[6]`.
    pub state: SlotId,
    /// Images of the data set.
    pub count: usize,
    /// Their order.
    pub order: Order,
    /// `[B]`
    pub indices: SlotId,
}

/// Finds the places of the images in the batch, where the device has a window of them at a time.
#[derive(Clone, Debug)]
pub struct Places {
    /// Step state `[6]`.
    pub state: SlotId,
    /// Images of the data set.
    pub count: usize,
    /// Images on the device.
    pub window: usize,
    /// `[B]`
    pub places: SlotId,
}

/// Draws noise from N(0, 1).
#[derive(Clone, Debug)]
pub struct Normals {
    /// Step state `[6]`.
    pub state: SlotId,
    /// `[B, latent]`
    pub eps: SlotId,
}

/// Appends [`Shuffle`] over `count` images; returns `indices [B]`.
pub fn shuffle(g: &mut Graph, state: SlotId, count: usize, order: Order) -> SlotId {
    let indices = g.words("indices", &[g.batch], Role::Activation);
    g.push(Shuffle {
        state,
        count,
        order,
        indices,
    });
    indices
}

/// Appends [`Places`] over `count` images in windows of `window`; returns `places [B]`.
pub fn places(g: &mut Graph, state: SlotId, count: usize, window: usize) -> SlotId {
    let places = g.words("places", &[g.batch], Role::Activation);
    g.push(Places {
        state,
        count,
        window,
        places,
    });
    places
}

/// Appends [`Normals`]; returns `eps [B, latent]`.
pub fn normals(g: &mut Graph, state: SlotId, latent: usize) -> SlotId {
    let eps = g.slot("eps", &[g.batch, latent], Role::Activation);
    g.push(Normals { state, eps });
    eps
}

/// The constants of the module; a kernel that does not use one has it set to 1.
#[derive(Clone, Copy)]
struct Sizes {
    latent: usize,
    count: usize,
    order: Order,
    window: usize,
}

impl Sizes {
    const UNUSED: Self = Sizes {
        latent: 1,
        count: 1,
        order: Order::File,
        window: 1,
    };

    fn constants(self, batch: usize) -> [(&'static str, f64); 5] {
        [
            ("BATCH", batch as f64),
            ("LATENT", self.latent as f64),
            ("COUNT", self.count as f64),
            ("SHUFFLE", flag(self.order == Order::Shuffled)),
            ("WINDOW", self.window as f64),
        ]
    }
}

impl Operation for Shuffle {
    fn lower(&self, plan: &mut Plan, _: &Target) {
        let &Shuffle {
            state,
            count,
            order,
            indices,
        } = self;
        let twin = move |t: &Tensors| {
            let state = StepState::of(t);
            let (count, key) = (count as u32, rng::key(state.seed));
            for (row, index) in t.words_mut("indices").iter_mut().enumerate() {
                let at = (state.position + row as u32).min(count - 1);
                *index = match order {
                    Order::Shuffled => rng::permute(at, count, state.epoch, key),
                    Order::File => at,
                };
            }
        };
        let constants = Sizes {
            count,
            order,
            ..Sizes::UNUSED
        };
        let constants = constants.constants(plan.batch);
        plan.push(Step {
            label: "shuffle".into(),
            kernel: SOURCE.kernel("shuffle", constants, twin),
            bindings: vec![("state", state), ("indices", indices)],
            grid: [groups(plan.batch, 64), 1, 1],
            flops: 0,
        });
    }
}

impl Operation for Places {
    fn lower(&self, plan: &mut Plan, _: &Target) {
        let &Places {
            state,
            count,
            window,
            places,
        } = self;
        let twin = move |t: &Tensors| {
            let position = StepState::of(t).position;
            for (row, place) in t.words_mut("places").iter_mut().enumerate() {
                *place = (position + row as u32).min(count as u32 - 1) % window as u32;
            }
        };
        let constants = Sizes {
            count,
            window,
            ..Sizes::UNUSED
        };
        let constants = constants.constants(plan.batch);
        plan.push(Step {
            label: "places".into(),
            kernel: SOURCE.kernel("place", constants, twin),
            bindings: vec![("state", state), ("places", places)],
            grid: [groups(plan.batch, 64), 1, 1],
            flops: 0,
        });
    }
}

impl Operation for Normals {
    fn lower(&self, plan: &mut Plan, _: &Target) {
        let &Normals { state, eps } = self;
        let latent = plan[eps].len() / plan.batch;
        let twin = move |t: &Tensors| {
            let state = StepState::of(t);
            for (row, codes) in t.floats_mut("eps").chunks_mut(latent).enumerate() {
                for (block, four) in codes.chunks_mut(4).enumerate() {
                    let at = state.position + row as u32;
                    let counter = [block as u32, at, state.step, state.stream];
                    let drawn = rng::normals(counter, rng::key(state.seed));
                    four.copy_from_slice(&drawn[..four.len()]);
                }
            }
        };
        let constants = Sizes {
            latent,
            ..Sizes::UNUSED
        };
        let constants = constants.constants(plan.batch);
        plan.push(Step {
            label: "noise".into(),
            kernel: SOURCE.kernel("normals", constants, twin),
            bindings: vec![("state", state), ("eps", eps)],
            grid: [groups(plan.batch * latent.div_ceil(4), 64), 1, 1],
            flops: 0,
        });
    }
}
