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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Binarize, PackedImages};
    use crate::model;
    use crate::ops::elbo::TERMS;
    use crate::ops::state::StepState;
    use crate::plan::cpu::{Memory, Values};
    use crate::rng::Stream;

    fn model() -> Model {
        Model {
            image: [8, 8, 1],
            latent_dim: 3,
            encoder_filters: [5, 4],
            decoder_base: 3,
            decoder_filters: [4, 5],
            ..Model::default()
        }
    }

    /// Five images: their layout and their words.
    fn images() -> (Packed, Vec<u32>) {
        let pixels: Vec<u8> = (0..5 * 64u32).map(|i| (i * i % 251) as u8).collect();
        let images = PackedImages::from_bytes([8, 8, 1], &pixels, Binarize::Threshold);
        (Packed::of(&images), images.device_words())
    }

    fn fill(memory: &mut Memory, plan: &Plan, state: &str) {
        memory.fit(plan);
        let specs = model().params();
        for (spec, values) in specs.iter().zip(params::initial(&specs, 3)) {
            if plan.find(&spec.name).is_some() {
                memory.set_floats(plan, &spec.name, &values);
            }
        }
        let words = StepState::start(7, Stream::Evaluate).to_words().to_vec();
        for (name, words) in [(state, words), (IMAGES, images().1)] {
            if let Some(slot) = plan.find(name) {
                memory.set(plan, slot, &Values::Words(words));
            }
        }
    }

    /// log w of each image for draw `k`, from the plan of the ELBO.
    fn log_weights(k: u32) -> Vec<f64> {
        let feed = model::Feed::Resident(IMAGES, images().0, Order::File);
        let plan = model::evaluate(&model(), feed, 5, &Target::portable());
        let mut memory = Memory::default();
        fill(&mut memory, &plan, "evaluate.state");
        let mut state = StepState::start(7, Stream::Evaluate);
        state.step = k;
        let slot = plan.find("evaluate.state").expect("the state");
        memory.set(&plan, slot, &Values::Words(state.to_words().to_vec()));
        memory.run(&plan);
        let terms = memory.floats(&plan, "terms");
        terms.chunks(TERMS).map(|t| t[0] + t[1] - t[2]).collect()
    }

    // The reference exponentiates relative to the mean of the weights, not their maximum.
    #[test]
    fn the_bound_is_the_log_of_the_mean_weight_whatever_the_batch() {
        let samples = 4;
        let weights: Vec<Vec<f64>> = (0..samples).map(log_weights).collect();
        let expected: Vec<f64> = (0..5)
            .map(|n| {
                let of = |k: usize| weights[k][n];
                let mean = (0..4).map(of).sum::<f64>() / 4.0;
                mean + ((0..4).map(|k| (of(k) - mean).exp()).sum::<f64>() / 4.0).ln()
            })
            .collect();
        for batches in [vec![5], vec![2, 2, 1]] {
            let mut memory = Memory::default();
            let build = |b: &usize| bound(&model(), images().0, samples, *b, &Target::portable());
            let plans: Vec<Bound> = batches.iter().map(build).collect();
            for Bound {
                encode,
                draw,
                record,
            } in &plans
            {
                for plan in [encode, draw, record] {
                    plan.check().expect("a sound plan");
                    memory.fit(plan);
                }
            }
            let first = &plans[0];
            for plan in [&first.encode, &first.draw] {
                fill(&mut memory, plan, STATE);
            }
            for plans in &plans {
                memory.run(&plans.encode);
                (0..samples).for_each(|_| memory.run(&plans.draw));
                memory.run(&plans.record);
            }
            let found = memory.floats(&first.record, "bounds");
            for (found, expected) in found.iter().zip(&expected) {
                assert!((found - expected).abs() < 1e-9, "{found} for {expected}");
            }
        }
    }
}
