//! Plans for the methods of [`super::Explorer`]. Shapes in comments are those of the default model,
//! with B images and L latent dimensions.

use crate::model::Model;
use crate::model::params;
use crate::ops::fetch::{self, Packed};
use crate::ops::rng::{self, Order};
use crate::ops::{Graph, Target, bce, importance, reparam, state};
use crate::plan::{Plan, Role, SlotId};

/// Slot of the packed images.
pub const IMAGES: &str = "images";
/// Slot of the counters.
pub const STATE: &str = "explore.state";

/// The next batch of the images in file order, `[B,28,28,1]`, and its codes, `[B,2L]`.
fn encoded(p: &mut Graph, model: &Model, images: Packed, state: SlotId) -> (SlotId, SlotId) {
    params::declare(p, &model.params());
    let data = fetch::declare(p, IMAGES, &images);
    let indices = rng::shuffle(p, state, images.count, Order::File);
    let x = fetch::batch(p, images, state, data, indices);
    let enc = model.encoder().forward(p, x);
    (x, enc.output())
}

/// Mean and log-variance of q(z|x) of a batch. Returns the plan and their slot, `[B,2L]`.
pub fn encode(model: &Model, images: Packed, batch: usize, target: &Target) -> (Plan, SlotId) {
    let mut p = Graph::new(batch);
    let state = state::declare(&mut p, STATE);
    let (_, q) = encoded(&mut p, model, images, state);
    state::advance(&mut p, state, images.count, 0);
    (p.lower(target), q)
}

/// Images of codes drawn from the prior, `count` in all. Returns the plan and the slot of the
/// probabilities, `[B,28,28,1]`.
pub fn sample(model: &Model, count: usize, batch: usize, target: &Target) -> (Plan, SlotId) {
    let mut p = Graph::new(batch);
    let state = state::declare(&mut p, STATE);
    params::declare(&mut p, &model.params());
    let z = rng::normals(&mut p, state, model.latent_dim); //  [B,L]
    let dec = model.decoder().forward(&mut p, z); //           [B,28,28,1] logits
    let probabilities = bce::decode(&mut p, dec.output());
    state::advance(&mut p, state, count, 0);
    (p.lower(target), probabilities)
}

/// The importance-weighted bound of a batch: `encode` runs once, `draw` once per sample, and
/// `record` once, on one memory.
#[derive(Clone, Debug)]
pub struct Bound<P = Plan> {
    /// Fetches and encodes the batch.
    pub encode: P,
    /// Draws, decodes and weighs one code per image. The state's `step` counts the draws.
    pub draw: P,
    /// Writes the bounds to the table `bounds [images]` and advances to the next batch.
    pub record: P,
}

/// The plans of the bound with `samples` draws per image.
pub fn bound(model: &Model, images: Packed, samples: u32, batch: usize, target: &Target) -> Bound {
    let new = || {
        let mut p = Graph::new(batch);
        let state = state::declare(&mut p, STATE);
        (p, state)
    };
    let (mut encode, state) = new();
    let (x, q) = encoded(&mut encode, model, images, state);

    let (mut p, state) = new();
    params::declare(&mut p, &model.params());
    let mut kept = |slot: SlotId| {
        let slot = &encode[slot];
        p.slot(slot.name.clone(), &slot.shape, Role::Data)
    };
    let (x, q) = (kept(x), kept(q)); //                            [B,28,28,1], [B,2L]
    let eps = rng::normals(&mut p, state, model.latent_dim); //    [B,L]
    let latent = reparam::sample(&mut p, q, eps); //               [B,L] and its densities
    let dec = model.decoder().forward(&mut p, latent.z); //        [B,28,28,1] logits
    let logpx_z = bce::loss(&mut p, dec.output(), x); //           [B]
    importance::accumulate(&mut p, logpx_z, latent, state);
    state::tick(&mut p, state);
    let draw = p.lower(target);

    let (mut record, state) = new();
    importance::record(&mut record, images.count, samples as usize, state);
    // Resets the step, so that the noise of an image does not depend on its batch.
    state::advance(&mut record, state, images.count, samples.wrapping_neg());
    Bound {
        encode: encode.lower(target),
        draw,
        record: record.lower(target),
    }
}
