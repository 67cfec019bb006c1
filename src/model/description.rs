//! The description of a model: its layers as users write them, its posterior, likelihood and objective.

use serde::{Deserialize, Serialize};

use crate::ops::Activation;
use crate::ops::conv::Padding;
use crate::ops::likelihood::Likelihood;
use crate::ops::posterior::Posterior;

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

/// log σ of a Gaussian likelihood.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Sigma {
    /// σ is a parameter, one for all values.
    #[default]
    Learned,
    /// σ is this number.
    Fixed(f64),
}

/// The mean of a Gaussian likelihood, from the decoder's output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mean {
    /// The output.
    #[default]
    Identity,
    /// Its sigmoid.
    Sigmoid,
}

/// A variational autoencoder.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Height, width and channels of an image.
    pub image: [usize; 3],
    /// Latent dimensions.
    pub latent_dim: usize,
    /// q(z|x).
    pub posterior: Posterior,
    /// p(x|z).
    pub likelihood: Likelihood,
    /// σ of a Gaussian likelihood.
    pub sigma: Sigma,
    /// Mean of a Gaussian likelihood.
    pub mean: Mean,
    /// KL term of the objective.
    pub loss: Loss,
    /// Weight β of the divergence term in the training loss (β-VAE). The reported ELBO is unweighted.
    /// Minus the loss bounds log p(x) only with β = 1 and a likelihood that suits the images.
    pub beta: f64,
    /// The encoder reads the images minus this number.
    pub shift: f64,
    /// Classes of labels that the model is conditioned on; 0 without labels.
    pub labels: usize,
    /// Factor of the training loss.
    pub loss_scale: f64,
    /// The least and the largest value of images that are not in 0..=1: black and white in pictures.
    pub range: Option<[f32; 2]>,
    /// Layers of the encoder, without the last, which is implied.
    pub encoder: Vec<Described>,
    /// Layers of the decoder.
    pub decoder: Vec<Described>,
}

/// Why a model is not valid.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A layer does not fit.
    #[error("{layer} does not fit: {fault}")]
    Layer {
        /// Which layer, in the user's terms.
        layer: String,
        /// What is wrong.
        fault: String,
    },
    /// Height and width must be from 4 to 512.
    #[error("images of {height}×{width} do not fit: height and width must be from 4 to 512")]
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
    /// The likelihood has no values beyond 0 to 1.
    #[error(
        "the images hold numbers beyond 0 to 1, but a {} likelihood has values from 0 to 1",
        .0.name()
    )]
    Values(Likelihood),
    /// The weight of the divergence term is negative or not finite in single precision.
    #[error("the weight of the divergence term is {0}, but must be a number from 0 up")]
    Beta(f64),
    /// A number is out of range.
    #[error("{what} is {value}, but must be {range}")]
    Range {
        /// Which number.
        what: &'static str,
        /// Its value.
        value: f64,
        /// The allowed values.
        range: &'static str,
    },
}

impl ModelError {
    pub(super) fn layer(layer: impl Into<String>, fault: String) -> Self {
        ModelError::Layer {
            layer: layer.into(),
            fault,
        }
    }
}

/// A layer: exactly one of `conv`, `deconv` and `dense`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Described {
    /// Filters of a convolution.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conv: Option<usize>,
    /// Filters of a transposed convolution.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deconv: Option<usize>,
    /// Outputs of a dense layer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dense: Option<usize>,
    /// Height and width of the kernel, 1 to 7; 3 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<usize>,
    /// 1 to 3; 1 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stride: Option<usize>,
    /// `same` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub padding: Option<Padding>,
    /// Height and width of the output of a transposed convolution with `same` padding; by default the
    /// stride times the input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<[usize; 2]>,
    /// Height, width and channels of the image that the outputs of a dense layer make.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reshape: Option<[usize; 3]>,
    /// `none` by default.
    #[serde(skip_serializing_if = "is_none")]
    pub activation: Activation,
}

fn is_none(activation: &Activation) -> bool {
    *activation == Activation::None
}
