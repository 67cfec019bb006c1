//! Plans for the methods of [`super::Explorer`]. Shapes in comments are those of the default model,
//! with B images and L latent dimensions.

use crate::model::Model;
use crate::model::params;
use crate::ops::fetch::{self, Packed};
use crate::ops::rng::{self, Order};
use crate::ops::{Graph, Target, importance, input, likelihood, posterior, state};
use crate::plan::{Plan, Role, SlotId};

/// Slot of the packed images.
pub const IMAGES: &str = "images";
/// Slot of the labels of all images.
pub const LABELS: &str = "images.labels";
/// Slot of the counters.
pub const STATE: &str = "explore.state";

/// The next batch of the images in file order.
struct Encoded {
    /// `[B,28,28,1]`
    x: SlotId,
    /// Parameters of q(z|x), `[B,2L]`
    q: SlotId,
    /// `[B]`, if the model is conditioned on labels
    labels: Option<SlotId>,
}

fn encoded(p: &mut Graph, model: &Model, images: Packed, state: SlotId) -> Encoded {
    params::declare(p, &model.params());
    let data = fetch::declare(p, IMAGES, &images);
    let indices = rng::shuffle(p, state, images.count, Order::File);
    let labels = (model.labels > 0).then(|| input::gather(p, IMAGES, images.count, indices));
    let x = fetch::batch(p, images, state, data, indices);
    let q = model.encoder().forward(p, x, labels).output();
    Encoded { x, q, labels }
}

/// Parameters of q(z|x) of a batch. Returns the plan and their slot, `[B,2L]`.
pub fn encode(model: &Model, images: Packed, batch: usize, target: &Target) -> (Plan, SlotId) {
    let mut p = Graph::new(batch);
    let state = state::declare(&mut p, STATE);
    let Encoded { q, .. } = encoded(&mut p, model, images, state);
    state::advance(&mut p, state, images.count, 0);
    (p.lower(target), q)
}

/// Parameters of q(z|x) of images `x [B,28,28,1]`, which the host fills. Returns the plan and their
/// slot, `[B,2L]`.
pub fn codes(model: &Model, batch: usize, target: &Target) -> (Plan, SlotId) {
    let mut p = Graph::new(batch);
    params::declare(&mut p, &model.params());
    let [h, w, c] = model.image;
    let x = p.slot("x", &[batch, h, w, c], Role::Data);
    let labels = (model.labels > 0).then(|| p.words("labels", &[batch], Role::Data));
    let q = model.encoder().forward(&mut p, x, labels).output();
    (p.lower(target), q)
}

/// Images of codes drawn from the prior, `count` in all; the host fills `labels [B]` of a conditioned
/// model. Returns the plan and the slot of the probabilities, `[B,28,28,1]`.
pub fn sample(model: &Model, count: usize, batch: usize, target: &Target) -> (Plan, SlotId) {
    let mut p = Graph::new(batch);
    let state = state::declare(&mut p, STATE);
    params::declare(&mut p, &model.params());
    let z = rng::normals(&mut p, state, model.latent_dim); //  [B,L]
    let labels = (model.labels > 0).then(|| p.words("labels", &[batch], Role::Data));
    let dec = model.decoder().forward(&mut p, z, labels); //   [B,28,28,1] logits
    let likelihood = model.head(&p);
    let probabilities = likelihood::decode(&mut p, likelihood, dec.output());
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
    let Encoded { x, q, labels } = encoded(&mut encode, model, images, state);

    let (mut p, state) = new();
    params::declare(&mut p, &model.params());
    let mut kept = |slot: SlotId| {
        let slot = &encode[slot];
        p.slot(slot.name.clone(), &slot.shape, Role::Data)
    };
    let (x, q) = (kept(x), kept(q)); //                            [B,28,28,1], [B,2L]
    let labels = labels.map(|slot| p.words(encode[slot].name.clone(), &[batch], Role::Data));
    let eps = rng::normals(&mut p, state, model.latent_dim); //    [B,L]
    let latent = posterior::sample(&mut p, model.posterior, q, eps); // [B,L] and its densities
    let dec = model.decoder().forward(&mut p, latent.z, labels); // [B,28,28,1] logits
    let likelihood = model.head(&p);
    let logpx_z = likelihood::loss(&mut p, likelihood, dec.output(), x); // [B]
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
