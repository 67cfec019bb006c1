//! The cases that come with the program.
//!
//! One is recorded with TensorFlow: a batch of 32 of the tutorial's model, so that its kernels are
//! those of a default training run; it is also the smallest recorded file. The CPU twins compute the
//! expectations of the others in double precision. These cover what the recorded case does not, and
//! add nothing to the size of the program.

use super::case::Case;
use super::run;
#[cfg(feature = "cli")]
use crate::files::tensors::TensorFile;
use crate::model::params;
use crate::model::{Described, Filters, Likelihood, Loss, Model, Posterior};
use crate::ops::Activation;
use crate::ops::adam::Adam;
use crate::ops::conv::Padding;
use crate::rng;

#[cfg(feature = "cli")]
const RECORDED: &[u8] = include_bytes!("../../assets/golden/p2.safetensors");

/// The tutorial's batch size. Kernels are compiled per batch size, so cases of one size share them.
pub const BATCH: usize = 32;

/// Batch size of the colour model.
pub const COLOUR_BATCH: usize = 5;

/// A model of colour images; all channel counts but that of the image are multiples of 4.
pub fn colour() -> Model {
    let filters = Filters {
        image: [32, 32, 3],
        latent_dim: 16,
        encoder_filters: vec![16, 32],
        decoder_base: 16,
        decoder_filters: vec![32, 16],
        loss: Loss::Mc,
        beta: 1.0,
    };
    filters.model()
}

/// The recipe of a case whose expectations the CPU twins compute.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// File name of the case.
    pub name: &'static str,
    /// The model.
    pub model: Model,
    /// Images in the batch.
    pub batch: usize,
    /// Optimizer steps.
    pub steps: usize,
    /// Biases are uniform in ± this limit.
    pub biases: f64,
    /// Factors for the kernels of these layers.
    pub scaled: &'static [(&'static str, f32)],
    /// Targets are real numbers from 0 to 1 instead of binary rectangles.
    pub real: bool,
}

impl Recipe {
    /// An ordinary case: two steps, small biases, binary images.
    pub fn new(name: &'static str, model: Model, batch: usize) -> Self {
        Recipe {
            name,
            model,
            batch,
            steps: 2,
            biases: 0.1,
            scaled: &[],
            real: false,
        }
    }

    /// Builds the case and computes its expectations with the twins.
    pub fn cook(&self) -> Case {
        let key = rng::key(self.name.bytes().map(u64::from).sum());
        let specs = self.model.params();
        let weights = params::initial(&specs, u64::from(key[0]));
        let params = specs.iter().zip(weights).enumerate();
        let params = params.map(|(i, (spec, mut values))| {
            if spec.limit == 0.0 {
                values = rng::uniform(spec.len(), self.biases, 100 + i as u32, key);
            }
            let layer = spec.name.trim_end_matches(".kernel");
            if let Some((_, factor)) = self.scaled.iter().find(|(name, _)| *name == layer) {
                values.iter_mut().for_each(|v| *v *= factor);
            }
            (spec.name.clone(), values)
        });
        let noise = |step: usize| {
            let block = |i: u32| rng::normals([i, step as u32, 0, 7], key);
            let count = self.batch * self.model.latent_dim;
            let blocks = (0..count.div_ceil(4) as u32).flat_map(block);
            blocks.take(count).map(|v| v as f32).collect()
        };
        let mut case = Case {
            name: self.name.to_owned(),
            batch: self.batch,
            x: self.images(key),
            labels: self.labels(),
            adam: Adam::default(),
            eps: (0..self.steps).map(noise).collect(),
            params: params.collect(),
            expect: Default::default(),
            unknown: Vec::new(),
            relu_margin: None,
            model: self.model.clone(),
        };
        let outcome = run::on_twins(&case);
        // Only positive activations show their distance from the kink. Half of the smallest is an
        // estimate for all; it only decides which limits apply.
        let layers = outcome.names().filter(|name| name.starts_with("act/"));
        let all = layers.filter_map(|name| outcome.get(name));
        let open = all.flat_map(|(_, values)| values).filter(|v| **v > 0.0);
        let nearest = open.fold(f64::INFINITY, |m, v| m.min(*v));
        case.relu_margin = Some(nearest / 2.0);
        for name in outcome.names() {
            let (_, values) = outcome.get(name).unwrap_or_default();
            let single = values.iter().map(|&v| v as f32);
            case.expect.insert(name.to_owned(), single.collect());
        }
        case
    }

    /// A label of each image, in turn.
    fn labels(&self) -> Vec<u32> {
        match self.model.labels as u32 {
            0 => Vec::new(),
            classes => (0..self.batch as u32).map(|n| n % classes).collect(),
        }
    }

    fn images(&self, key: [u32; 2]) -> Vec<f32> {
        let [height, width, channels] = self.model.image;
        let values = height * width * channels;
        if self.real {
            let grey = rng::uniform(self.batch * values, 0.5, 1, key).into_iter();
            return grey.map(|v| v + 0.5).collect();
        }
        let corners = rng::uniform(4 * self.batch, 0.5, 1, key);
        let image = |corner: &[f32]| {
            let span = |a: f32, b: f32, size: usize| {
                let at = |v: f32| ((v + 0.5) * size as f32) as usize;
                at(a.min(b))..=at(a.max(b))
            };
            let rows = span(corner[0], corner[1], height);
            let columns = span(corner[2], corner[3], width);
            (0..values).map(move |i| {
                let (y, x) = (i / channels / width, i / channels % width);
                f32::from(u8::from(rows.contains(&y) && columns.contains(&x)))
            })
        };
        corners.chunks(4).flat_map(image).collect()
    }
}

/// Odd sizes, labels, and a Gaussian likelihood whose σ is learned.
fn conditional() -> Model {
    let filters = Filters::of_encoder([9, 11, 3], vec![6, 5, 4]);
    Model {
        likelihood: Likelihood::Gaussian,
        labels: 3,
        loss: Loss::AnalyticKl,
        ..filters.model()
    }
}

/// A full posterior, and a decoder that begins with an image of one pixel.
fn full() -> Model {
    let conv = |kernel, stride, padding, activation| Described {
        kernel: Some(kernel),
        stride: Some(stride),
        padding: Some(padding),
        activation,
        ..Described::default()
    };
    let (same, valid) = (Padding::Same, Padding::Valid);
    Model {
        latent_dim: 5,
        posterior: Posterior::Full,
        likelihood: Likelihood::ContinuousBernoulli,
        shift: 0.5,
        loss_scale: 0.5,
        range: None,
        encoder: vec![
            Described {
                conv: Some(6),
                ..conv(5, 2, same, Activation::LeakyRelu)
            },
            Described {
                conv: Some(8),
                ..conv(4, 1, valid, Activation::Elu)
            },
        ],
        decoder: vec![
            Described {
                deconv: Some(8),
                ..conv(4, 1, valid, Activation::Tanh)
            },
            Described {
                deconv: Some(6),
                ..conv(5, 2, same, Activation::LeakyRelu)
            },
            Described {
                conv: Some(1),
                ..conv(2, 1, same, Activation::None)
            },
        ],
        ..Filters {
            image: [8, 8, 1],
            ..Filters::default()
        }
        .model()
    }
}

/// The recipes of the built-in cases.
pub fn recipes() -> Vec<Recipe> {
    let tutorial = |name| Recipe::new(name, Model::default(), BATCH);
    vec![
        Recipe {
            real: true,
            ..Recipe::new("colour.safetensors", colour(), COLOUR_BATCH)
        },
        Recipe {
            model: Model {
                loss: Loss::AnalyticKl,
                ..Model::default()
            },
            ..tutorial("analytic-kl.safetensors")
        },
        Recipe::new(
            "beta.safetensors",
            Model {
                beta: 4.0,
                ..colour()
            },
            COLOUR_BATCH,
        ),
        Recipe {
            real: true,
            ..Recipe::new("conditional.safetensors", conditional(), BATCH)
        },
        Recipe {
            real: true,
            ..Recipe::new("full-posterior.safetensors", full(), BATCH)
        },
        // A blank patch of an image then gives a ReLU the input 0, where its derivative is 0.
        Recipe {
            biases: 0.0,
            ..tutorial("zero-biases.safetensors")
        },
        // Logits beyond ±60, where log(sigmoid) fails.
        Recipe {
            scaled: &[
                ("decoder.dense", 8.0),
                ("decoder.deconv1", 8.0),
                ("decoder.deconv2", 8.0),
                ("decoder.deconv3", 8.0),
            ],
            ..tutorial("large-logits.safetensors")
        },
    ]
}

/// The recorded case. The page, where bytes count, has it in a file of its own.
#[cfg(feature = "cli")]
pub fn recorded() -> Case {
    let name = "p2.safetensors";
    let file = TensorFile::from_bytes(RECORDED).expect("the built-in file is valid");
    Case::from_file(name, name, file).expect("the built-in file is a case")
}
