//! The convolutional VAE, its train step, and every other plan made from it.
//!
//! Image size, latent size and filter counts are free. The defaults are the model of TensorFlow's
//! tutorial "Convolutional Variational Autoencoder". Shapes in comments are for these defaults, with B
//! images and L latent dimensions.

pub mod layers;
pub mod params;
pub mod prior;

use serde::{Deserialize, Serialize};

use crate::ops::adam::{self, Adam};
use crate::ops::conv::{Conv, Padding};
use crate::ops::dense::Dense;
use crate::ops::fetch::{self, Packed};
use crate::ops::reparam::{self, Divergence, KlTerm};
use crate::ops::rng::{self, Order};
use crate::ops::{Graph, Target, bce, elbo, reduce, state};
use crate::plan::{Plan, Role, SlotId};
use layers::{Kind, Layer, Stack};
use params::ParamSpec;

/// The divergence term of the objective, as spelled in configurations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// One-sample Monte Carlo estimate, as in the tutorial.
    #[default]
    Mc,
    /// The analytic KL divergence.
    AnalyticKl,
}

/// A convolutional VAE.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// Height, width and channels of an image; height and width are multiples of 4.
    pub image: [usize; 3],
    /// Latent dimensions.
    pub latent_dim: usize,
    /// Filters of the encoder's two convolutions.
    pub encoder_filters: [usize; 2],
    /// Channels of the image at the decoder's input.
    pub decoder_base: usize,
    /// Filters of the decoder's first two transposed convolutions.
    pub decoder_filters: [usize; 2],
    /// Objective.
    pub loss: Loss,
    /// Weight β of the divergence term in the training loss (β-VAE); files omit a β of 1. The reported
    /// ELBO is unweighted. Minus the loss bounds log p(x) only with β = 1 and binary images.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub beta: f64,
}

fn one() -> f64 {
    1.0
}

fn is_one(value: &f64) -> bool {
    *value == 1.0
}

impl Default for Model {
    fn default() -> Self {
        Model {
            image: [28, 28, 1],
            latent_dim: 2,
            encoder_filters: [32, 64],
            decoder_base: 32,
            decoder_filters: [64, 32],
            loss: Loss::Mc,
            beta: 1.0,
        }
    }
}

/// Why a model is not valid.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// Height and width must be multiples of 4 (the decoder doubles twice) and at least 8.
    #[error(
        "images of {height}×{width} do not fit this model: height and width must be multiples of 4, at least 8"
    )]
    ImageSize {
        /// Height in pixels.
        height: usize,
        /// Width in pixels.
        width: usize,
    },
    /// A count is zero.
    #[error("{what} must be at least 1")]
    Zero {
        /// The option, in the user's words.
        what: &'static str,
    },
    /// The weight of the divergence term is negative or not finite in single precision.
    #[error("the weight of the divergence term is {0}, but must be a number from 0 up")]
    Beta(f64),
}

impl Model {
    /// Checks that every size, count and weight is in its range.
    pub fn validate(&self) -> Result<(), ModelError> {
        let [height, width, channels] = self.image;
        let fits = |n: usize| n >= 8 && n.is_multiple_of(4);
        if !fits(height) || !fits(width) {
            return Err(ModelError::ImageSize { height, width });
        }
        for (what, count) in [
            ("the number of image channels", channels),
            ("the number of latent dimensions", self.latent_dim),
            (
                "the number of filters of each encoder convolution",
                self.encoder_filters[0].min(self.encoder_filters[1]),
            ),
            (
                "the number of channels that the decoder starts from",
                self.decoder_base,
            ),
            (
                "the number of filters of each decoder convolution",
                self.decoder_filters[0].min(self.decoder_filters[1]),
            ),
        ] {
            if count == 0 {
                return Err(ModelError::Zero { what });
            }
        }
        // The device computes in single precision.
        if !(self.beta as f32).is_finite() || self.beta < 0.0 {
            return Err(ModelError::Beta(self.beta));
        }
        Ok(())
    }

    /// The encoder: image → mean and log-variance of q(z|x).
    pub fn encoder(&self) -> Stack {
        let [first, second] = self.encoder_filters;
        let conv1 = Conv::new(self.image, first, 3, 2, Padding::Valid); //    28,28,1 → 13,13,32
        let conv2 = Conv::new(conv1.small, second, 3, 2, Padding::Valid); // 13,13,32 → 6,6,64
        let dense = Dense {
            inputs: conv2.small.iter().product(), //                               2304 → 2L
            outputs: 2 * self.latent_dim,
        };
        stack(
            "encoder",
            vec![
                ("conv1", Kind::Conv(conv1), true),
                ("conv2", Kind::Conv(conv2), true),
                ("dense", Kind::Dense(dense), false),
            ],
        )
    }

    /// The decoder: latent code → logits of p(x|z).
    pub fn decoder(&self) -> Stack {
        let [height, width, channels] = self.image;
        let [first, second] = self.decoder_filters;
        let base = [height / 4, width / 4, self.decoder_base];
        let half = [height / 2, width / 2, first];
        let full = [height, width, second];
        let dense = Dense {
            inputs: self.latent_dim, //                                                       L → 1568
            outputs: base.iter().product(),
        };
        let deconv1 = Conv::new(half, base[2], 3, 2, Padding::Same); //            7,7,32 → 14,14,64
        let deconv2 = Conv::new(full, half[2], 3, 2, Padding::Same); //          14,14,64 → 28,28,32
        let deconv3 = Conv::new([height, width, channels], full[2], 3, 1, Padding::Same); // → 28,28,1
        stack(
            "decoder",
            vec![
                ("dense", Kind::Dense(dense), true),
                ("deconv1", Kind::Deconv(deconv1), true),
                ("deconv2", Kind::Deconv(deconv2), true),
                ("deconv3", Kind::Deconv(deconv3), false),
            ],
        )
    }

    /// Specifications of all parameters, in the order of the layers.
    pub fn params(&self) -> Vec<ParamSpec> {
        self.encoder()
            .params()
            .chain(self.decoder().params())
            .collect()
    }

    fn kl_term(&self) -> KlTerm {
        KlTerm {
            form: match self.loss {
                Loss::Mc => Divergence::MonteCarlo,
                Loss::AnalyticKl => Divergence::Analytic,
            },
            beta: self.beta,
        }
    }
}

fn stack(name: &str, layers: Vec<(&str, Kind, bool)>) -> Stack {
    let layer = |(layer, kind, relu)| Layer {
        name: format!("{name}.{layer}"),
        kind,
        relu,
    };
    Stack {
        layers: layers.into_iter().map(layer).collect(),
    }
}

/// Source of batches and noise.
#[derive(Clone, Copy, Debug)]
pub enum Feed {
    /// A packed split in the named slot, in the given order; the device draws the noise.
    Resident(&'static str, Packed, Order),
    /// The host fills the slots `x` and `eps` before each run, to replay a recorded case.
    Injected,
}

impl Feed {
    /// Images per pass.
    fn count(&self, batch: usize) -> usize {
        match self {
            Feed::Resident(_, data, _) => data.count,
            Feed::Injected => batch,
        }
    }

    /// The batch `[B,28,28,1]` and the noise `[B,L]`.
    fn batch(&self, p: &mut Graph, model: &Model, state: SlotId) -> (SlotId, SlotId) {
        match *self {
            Feed::Resident(name, data, order) => {
                let images = fetch::declare(p, name, &data);
                let indices = rng::shuffle(p, state, data.count, order);
                let eps = rng::normals(p, state, model.latent_dim);
                (fetch::batch(p, data, state, images, indices), eps)
            }
            Feed::Injected => {
                let [h, w, c] = model.image;
                let x = p.slot("x", &[p.batch, h, w, c], Role::Data);
                (x, p.slot("eps", &[p.batch, model.latent_dim], Role::Data))
            }
        }
    }
}

/// One optimizer step.
pub fn train_step(model: &Model, feed: Feed, adam: Adam, batch: usize, target: &Target) -> Plan {
    let mut p = Graph::new(batch);
    let (encoder, decoder) = (model.encoder(), model.decoder());
    let kl_term = model.kl_term();
    let state = state::declare(&mut p, "state");
    let arenas = params::declare_training(&mut p, &model.params());
    // forward
    let (x, eps) = feed.batch(&mut p, model, state); //                      [B,28,28,1], [B,L]
    let enc = encoder.forward(&mut p, x); //                                 [B,2L]: mean | logvar
    let latent = reparam::sample(&mut p, enc.output(), eps); //              [B,L] and its densities
    let dec = decoder.forward(&mut p, latent.z); //                          [B,28,28,1] logits
    let (logpx_z, dlogits) = bce::loss_and_grad(&mut p, dec.output(), x); // [B], [B,28,28,1]
    elbo::batch_means(&mut p, kl_term, logpx_z, latent, state); //           → metrics ring
    // backward
    let dz = decoder.backward(&mut p, &dec, dlogits); //                     [B,L]
    let dq = reparam::backward(&mut p, kl_term, latent, dz); //              [B,2L]
    encoder.backward_all_params(&mut p, &enc, dq); //                        nobody needs dx
    // update
    state::advance(&mut p, state, feed.count(batch), 1);
    adam::update(&mut p, state, arenas, adam); //                            one dispatch for all
    p.lower(target) //                                                       steps for the adapter
}

/// Writes the ELBO terms of each image of a split, with one noise draw each, to `terms`.
pub fn evaluate(model: &Model, feed: Feed, batch: usize, target: &Target) -> Plan {
    let mut p = Graph::new(batch);
    let state = state::declare(&mut p, "evaluate.state");
    params::declare(&mut p, &model.params());
    let (x, eps) = feed.batch(&mut p, model, state);
    let enc = model.encoder().forward(&mut p, x);
    let latent = reparam::sample(&mut p, enc.output(), eps);
    let dec = model.decoder().forward(&mut p, latent.z);
    let logpx_z = bce::loss(&mut p, dec.output(), x);
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
    let (x, eps) = feed.batch(&mut p, model, state);
    let enc = model.encoder().forward(&mut p, x);
    let latent = reparam::sample(&mut p, enc.output(), eps);
    let dec = model.decoder().forward(&mut p, latent.z);
    bce::decode(&mut p, dec.output());
    p.lower(target)
}

/// Decodes `codes [B,L]`, which the host fills. Returns the plan and the slot of the probabilities,
/// `[B,28,28,1]`.
pub fn decode(model: &Model, batch: usize, target: &Target) -> (Plan, SlotId) {
    let mut p = Graph::new(batch);
    params::declare(&mut p, &model.params());
    let codes = p.slot("codes", &[batch, model.latent_dim], Role::Data);
    let dec = model.decoder().forward(&mut p, codes);
    let probabilities = bce::decode(&mut p, dec.output());
    (p.lower(target), probabilities)
}
