//! The convolutional VAE, its train step, and every other plan made from it.
//!
//! A model is a description ([`Model`]): layers, posterior, likelihood, objective. The default is the
//! model of TensorFlow's tutorial "Convolutional Variational Autoencoder". Shapes in comments are those of
//! the default, with B images and L latent dimensions.

mod description;
mod filters;
pub mod layers;
pub mod params;
pub mod prior;
mod resolve;
mod stored;

use crate::ops::adam::{self, Adam, Arenas};
use crate::ops::fetch::{self, Packed};
use crate::ops::rng::{self, Order};
use crate::ops::{Graph, Target, clip, elbo, input, likelihood, posterior, reduce, state};
use crate::plan::{Plan, Role, SlotId};

pub use crate::ops::likelihood::Likelihood;
pub use crate::ops::posterior::Posterior;
pub use description::{Described, Loss, Mean, Model, ModelError, Sigma};
pub use filters::Filters;
pub use stored::Arch;

/// How a model is trained, beyond its own objective.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Recipe {
    /// The optimizer.
    pub adam: Adam,
    /// Largest norm of all gradients together.
    pub clip_norm: Option<f64>,
    /// Steps over which the weight of the KL term rises from 0.
    pub kl_warmup: f64,
    /// Nats of each latent dimension that cost nothing.
    pub free_bits: f64,
}

impl From<Adam> for Recipe {
    fn from(adam: Adam) -> Self {
        Recipe {
            adam,
            ..Recipe::default()
        }
    }
}

impl Recipe {
    fn clip(&self, g: &mut Graph, arenas: Arenas) -> Arenas {
        let clip = |most| clip::clip(g, most, arenas.grads);
        let grads = self.clip_norm.map_or(arenas.grads, clip);
        Arenas { grads, ..arenas }
    }
}

/// Source of batches and noise.
#[derive(Clone, Copy, Debug)]
pub enum Feed {
    /// The packed images of a split in the named slot, in the given order; the device draws the noise.
    Images(&'static str, Packed, Order),
    /// The host fills the slots `x` and `eps` before each run, to replay a recorded case.
    Injected,
}

impl Feed {
    /// Images per pass.
    pub(crate) fn count(&self, batch: usize) -> usize {
        match self {
            Feed::Images(_, data, _) => data.count,
            Feed::Injected => batch,
        }
    }

    fn batch(&self, p: &mut Graph, model: &Model, state: SlotId) -> Batch {
        let conditioned = model.labels > 0;
        match *self {
            Feed::Images(name, data, order) => {
                let images = fetch::declare(p, name, &data);
                let indices = rng::shuffle(p, state, data.count, order);
                let eps = rng::normals(p, state, model.latent_dim);
                let labels = conditioned.then(|| input::gather(p, name, data.count, indices));
                let x = fetch::batch(p, data, state, images, indices);
                Batch { x, eps, labels }
            }
            Feed::Injected => {
                let [h, w, c] = model.image;
                let x = p.slot("x", &[p.batch, h, w, c], Role::Data);
                let eps = p.slot("eps", &[p.batch, model.latent_dim], Role::Data);
                let labels = conditioned.then(|| p.words("labels", &[p.batch], Role::Data));
                Batch { x, eps, labels }
            }
        }
    }
}

/// What a step reads.
struct Batch {
    /// Images, `[B,28,28,1]`.
    x: SlotId,
    /// Noise, `[B,L]`.
    eps: SlotId,
    /// Classes, `[B]`, if the model is conditioned on them.
    labels: Option<SlotId>,
}

/// One optimizer step.
pub fn train_step(
    model: &Model,
    feed: Feed,
    recipe: impl Into<Recipe>,
    batch: usize,
    target: &Target,
) -> Plan {
    let mut p = Graph::new(batch);
    let (encoder, decoder) = (model.encoder(), model.decoder());
    let recipe = recipe.into();
    let term = model.kl_term(&recipe);
    let state = state::declare(&mut p, "state");
    let arenas = params::declare_training(&mut p, &model.params());
    // forward
    let Batch { x, eps, labels } = feed.batch(&mut p, model, state); //      [B,28,28,1], [B,L], [B]
    let enc = encoder.forward(&mut p, x, labels); //                         [B,2L]: mean | logvar
    let latent = posterior::sample(&mut p, model.posterior, enc.output(), eps); // [B,L] and its densities
    let dec = decoder.forward(&mut p, latent.z, labels); //                  [B,28,28,1] logits
    let likelihood = model.head(&p);
    let loss = likelihood::loss_and_grad(&mut p, likelihood, term.scale, dec.output(), x);
    let weights = posterior::weigh(&mut p, term, latent, state); //          if the KL term has some
    elbo::batch_means(&mut p, term, loss.logpx_z, latent, weights, state); // → metrics ring
    // backward
    params::sigma_grad(&mut p, &loss); //                                    if σ is learned
    let dz = decoder.backward(&mut p, &dec, loss.dlogits); //                [B,L]
    let dq = posterior::backward(&mut p, term, latent, weights, dz); //        [B,2L]
    encoder.backward_all_params(&mut p, &enc, dq); //                        nobody needs dx
    // update
    state::advance(&mut p, state, feed.count(batch), 1);
    let arenas = recipe.clip(&mut p, arenas); //                             if a norm is given
    adam::update(&mut p, state, arenas, recipe.adam); //                     one dispatch for all
    p.lower(target) //                                                       steps for the adapter
}

/// Writes the ELBO terms of each image of a split, with one noise draw each, to `terms`.
pub fn evaluate(model: &Model, feed: Feed, batch: usize, target: &Target) -> Plan {
    let mut p = Graph::new(batch);
    let state = state::declare(&mut p, "evaluate.state");
    params::declare(&mut p, &model.params());
    let Batch { x, eps, labels } = feed.batch(&mut p, model, state);
    let enc = model.encoder().forward(&mut p, x, labels);
    let latent = posterior::sample(&mut p, model.posterior, enc.output(), eps);
    let dec = model.decoder().forward(&mut p, latent.z, labels);
    let likelihood = model.head(&p);
    let logpx_z = likelihood::loss(&mut p, likelihood, dec.output(), x);
    elbo::record(&mut p, feed.count(batch), logpx_z, latent, state);
    state::advance(&mut p, state, feed.count(batch), 0);
    p.lower(target)
}

/// Sums the terms of `images` images into `terms.sum`.
pub fn sum_terms(images: usize, target: &Target) -> Plan {
    let mut p = Graph::new(images);
    let terms = p.slot("terms", &[images, elbo::TERMS], Role::Metric);
    let sum = p.slot("terms.sum", &[elbo::TERMS], Role::Metric);
    let label = "terms sum".into();
    p.push(reduce::SumRows {
        label,
        x: terms,
        rows: images,
        y: sum,
    });
    p.lower(target)
}

/// Encodes, samples and decodes the first `batch` images of a split into `probabilities`.
pub fn reconstruct(model: &Model, feed: Feed, batch: usize, target: &Target) -> Plan {
    let mut p = Graph::new(batch);
    let state = state::declare(&mut p, "picture.state");
    params::declare(&mut p, &model.params());
    let Batch { x, eps, labels } = feed.batch(&mut p, model, state);
    let enc = model.encoder().forward(&mut p, x, labels);
    let latent = posterior::sample(&mut p, model.posterior, enc.output(), eps);
    let dec = model.decoder().forward(&mut p, latent.z, labels);
    let likelihood = model.head(&p);
    likelihood::decode(&mut p, likelihood, dec.output());
    p.lower(target)
}

/// Decodes `codes [B,L]`, which the host fills. Returns the plan and the slot of the probabilities,
/// `[B,28,28,1]`.
pub fn decode(model: &Model, batch: usize, target: &Target) -> (Plan, SlotId) {
    let mut p = Graph::new(batch);
    params::declare(&mut p, &model.params());
    let codes = p.slot("codes", &[batch, model.latent_dim], Role::Data);
    let labels = (model.labels > 0).then(|| p.words("labels", &[batch], Role::Data));
    let dec = model.decoder().forward(&mut p, codes, labels);
    let likelihood = model.head(&p);
    let probabilities = likelihood::decode(&mut p, likelihood, dec.output());
    (p.lower(target), probabilities)
}
