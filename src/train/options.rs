//! The options of a training run.

use crate::data::Binarize;
use crate::model::Model;
use crate::ops::adam::Adam;
use crate::train::{Every, Extras};

/// The options of a training run.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The model.
    pub model: Model,
    /// How the images were binarized ([`crate::data::ImageSet::binarized`]). With
    /// [`Binarize::Stochastic`] the device draws the training images.
    pub binarize: Binarize,
    /// Mirror half of the training images in each epoch, left to right.
    pub flip: bool,
    /// Adam's learning rate.
    pub rate: f64,
    /// Further options of the optimizer and of the KL term.
    pub extras: Extras,
    /// Images of an optimizer step; all, if there are fewer.
    pub batch: usize,
    /// Passes over the training images.
    pub epochs: usize,
    /// Seed of weights, order and noise.
    pub seed: u64,
    /// Last optimizer step, where training ends before its epochs.
    pub max_steps: Option<u64>,
    /// How often a checkpoint is emitted between the ends of epochs.
    pub checkpoint_every: Every,
    /// Epochs between evaluations; the last epoch is always evaluated.
    pub evaluate_every: usize,
    /// Epochs without a better validation ELBO after which training ends; all epochs without it. It
    /// has no effect without validation images.
    pub patience: Option<usize>,
    /// Make pictures.
    pub pictures: bool,
    /// Most bytes of images on the device; without a limit, all images where one buffer holds a split.
    pub data_memory: Option<u64>,
}

impl Options {
    /// The tutorial's options for a model: 10 epochs in batches of 32, seed 0, with pictures.
    #[must_use]
    pub fn of(model: Model) -> Self {
        Options {
            binarize: Binarize::usual(model.image),
            model,
            flip: false,
            rate: Adam::default().rate,
            extras: Extras::default(),
            batch: 32,
            epochs: 10,
            seed: 0,
            max_steps: None,
            checkpoint_every: Every::default(),
            evaluate_every: 1,
            patience: None,
            pictures: true,
            data_memory: None,
        }
    }
}
