//! Models by name, each with the options of a run that its source uses.

use crate::data::Binarize;
use crate::model::{Described, Filters, Likelihood, Loss, Mean, Model, Posterior, Sigma};
use crate::ops::Activation;
use crate::ops::conv::Padding;

/// A model by name.
#[derive(Debug)]
pub struct Preset {
    /// Its name.
    pub name: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// The model for images of a shape.
    pub model: fn([usize; 3]) -> Model,
    /// Binarization of grey levels; by default that of the set.
    pub binarize: Option<Binarize>,
    /// Images of an optimizer step.
    pub batch: usize,
    /// Adam's learning rate.
    pub rate: f64,
    /// Passes over the training images.
    pub epochs: usize,
}

/// The known models; the first is the default.
pub static PRESETS: [Preset; 4] = [
    Preset {
        name: "tutorial",
        source: "TensorFlow's tutorial \"Convolutional Variational Autoencoder\"",
        model: tutorial,
        binarize: None,
        batch: 32,
        rate: 1e-4,
        epochs: 10,
    },
    Preset {
        name: "keras",
        source: "keras.io, \"Variational AutoEncoder\"",
        model: keras,
        binarize: Some(Binarize::None),
        batch: 128,
        rate: 1e-3,
        epochs: 30,
    },
    Preset {
        name: "dense",
        source: "TensorFlow's guide \"Making new layers and models via subclassing\"",
        model: dense,
        binarize: Some(Binarize::None),
        batch: 64,
        rate: 1e-3,
        epochs: 2,
    },
    Preset {
        name: "tfp",
        source: "TensorFlow Probability, \"Probabilistic Layers: Variational Auto Encoder\"",
        model: tfp,
        binarize: Some(Binarize::Stochastic),
        batch: 256,
        rate: 1e-3,
        epochs: 15,
    },
];

/// The model of this name.
pub fn by_name(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}

fn tutorial(image: [usize; 3]) -> Model {
    let default = Filters::default();
    Filters { image, ..default }.model()
}

fn dense_layer(outputs: usize, activation: Activation) -> Described {
    Described {
        dense: Some(outputs),
        activation,
        ..Described::default()
    }
}

/// Two levels of SAME convolutions, a dense layer, and two levels back.
fn keras(image: [usize; 3]) -> Model {
    let [height, width, channels] = image;
    let half = [height, width].map(|n| n.div_ceil(2));
    let [h, w] = half.map(|n| n.div_ceil(2));
    let conv = |filters| Described::conv(filters, 2, Padding::Same);
    let deconv = |filters, size| Described {
        size: Some(size),
        ..Described::deconv(filters)
    };
    Model {
        loss: Loss::AnalyticKl,
        encoder: vec![conv(32), conv(64), dense_layer(16, Activation::Relu)],
        decoder: vec![
            Described {
                reshape: Some([h, w, 64]),
                ..dense_layer(h * w * 64, Activation::Relu)
            },
            deconv(64, half),
            deconv(32, [height, width]),
            Described {
                deconv: Some(channels),
                ..Described::default()
            },
        ],
        ..tutorial(image)
    }
}

/// The guide's loss is the mean squared error plus the divergence averaged over dimensions: a Gaussian of
/// σ² = 1/2 and β = values / dimensions, divided by the number of values.
fn dense(image: [usize; 3]) -> Model {
    let values = image.iter().product::<usize>();
    let latent_dim = 32;
    Model {
        latent_dim,
        likelihood: Likelihood::Gaussian,
        sigma: Sigma::Fixed(0.5_f64.sqrt()),
        mean: Mean::Sigmoid,
        loss: Loss::AnalyticKl,
        beta: values as f64 / latent_dim as f64,
        loss_scale: 1.0 / values as f64,
        range: None,
        encoder: vec![dense_layer(64, Activation::Relu)],
        decoder: vec![
            dense_layer(64, Activation::Relu),
            dense_layer(values, Activation::None),
        ],
        ..tutorial(image)
    }
}

/// For images of 28×28: the last convolution of the encoder covers its whole input of 7×7.
fn tfp(image: [usize; 3]) -> Model {
    let layer = |kernel, stride, padding| Described {
        kernel: Some(kernel),
        stride: Some(stride),
        padding: Some(padding),
        activation: Activation::LeakyRelu,
        ..Described::default()
    };
    let conv = |filters, kernel, stride, padding| Described {
        conv: Some(filters),
        ..layer(kernel, stride, padding)
    };
    let deconv = |filters, kernel, stride, padding| Described {
        deconv: Some(filters),
        ..layer(kernel, stride, padding)
    };
    Model {
        latent_dim: 16,
        posterior: Posterior::Full,
        shift: 0.5,
        encoder: vec![
            conv(32, 5, 1, Padding::Same),
            conv(32, 5, 2, Padding::Same),
            conv(64, 5, 1, Padding::Same),
            conv(64, 5, 2, Padding::Same),
            conv(64, 7, 1, Padding::Valid),
        ],
        decoder: vec![
            deconv(64, 7, 1, Padding::Valid),
            deconv(64, 5, 1, Padding::Same),
            deconv(64, 5, 2, Padding::Same),
            deconv(32, 5, 1, Padding::Same),
            deconv(32, 5, 2, Padding::Same),
            deconv(32, 5, 1, Padding::Same),
            Described {
                activation: Activation::None,
                ..conv(image[2], 5, 1, Padding::Same)
            },
        ],
        ..tutorial(image)
    }
}
