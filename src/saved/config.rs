//! The options of a run: the content of `config.json`, and a note in checkpoints.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::data::{self, Binarize, DataError, ImageSet, Prepare};
use crate::gpu::Selection;
use crate::model::Model;
use crate::saved::{self, checkpoint::ModelConfig};
use crate::train::{Every, Extras, Options};

/// Most bytes of `config.json`.
pub(crate) const MAX_BYTES: u64 = 1 << 20;

/// The options of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunConfig {
    /// Version of the program that started the run.
    pub version: String,
    /// The model.
    #[serde(flatten)]
    pub model: Model,
    /// The data set: the given name or path.
    pub data: String,
    /// The path of the data relative to the run folder, so that a run can be resumed from anywhere,
    /// and after both were moved.
    #[serde(default)]
    pub data_path: Option<PathBuf>,
    /// [`crate::data::ImageSet::fingerprint`] of the data set.
    #[serde(default)]
    pub data_sha256: Option<String>,
    /// Names of the classes that the model is conditioned on, label 0 first; empty if they have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// Preparation of the images.
    #[serde(default = "Prepare::of_old_runs")]
    pub prepare: Prepare,
    /// Binarization of the images.
    pub binarize: Binarize,
    /// Mirror half of the training images in each epoch, left to right.
    #[serde(default, skip_serializing_if = "is_false")]
    pub flip: bool,
    /// Passes over the training images.
    pub epochs: usize,
    /// Images of an optimizer step.
    pub batch: usize,
    /// Adam's learning rate.
    pub lr: f64,
    /// Further options of the optimizer and of the KL term.
    #[serde(flatten)]
    pub extras: Extras,
    /// Seed of weights, order and noise.
    pub seed: u64,
    /// Last optimizer step, where training ends before its epochs.
    pub max_steps: Option<u64>,
    /// How often a checkpoint is saved.
    #[serde(default)]
    pub checkpoint_every: Every,
    /// Epochs between evaluations.
    #[serde(default = "one")]
    pub eval_every: usize,
    /// The part of the training images that is held out for validation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val_fraction: Option<f64>,
    /// Epochs without a better validation ELBO after which training ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience: Option<usize>,
    /// The model file whose weights the run started from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<PathBuf>,
    /// Steps between progress lines; by time without a number.
    #[serde(default)]
    pub log_every: Option<u64>,
    /// Make pictures.
    #[serde(default = "yes")]
    pub images: bool,
    /// The selected adapter and its disabled features.
    #[serde(default)]
    pub device: Selection,
}

fn one() -> usize {
    1
}

fn is_false(value: &bool) -> bool {
    !value
}

fn yes() -> bool {
    true
}

impl RunConfig {
    /// Reads and checks the content of `config.json`. The error says what is wrong with it; no content
    /// makes this function panic.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() as u64 > MAX_BYTES {
            return Err("it is too long".into());
        }
        let config: Self = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        saved::check(&config.model)?;
        let mut counts = [
            ("epochs", Some(config.epochs as u64)),
            ("batch", Some(config.batch as u64)),
            ("max_steps", config.max_steps),
            ("eval_every", Some(config.eval_every as u64)),
            ("log_every", config.log_every),
            ("patience", config.patience.map(|n| n as u64)),
        ]
        .into_iter()
        .filter_map(|(name, count)| Some((name, count?)));
        let wrong = |n: u64| n == 0 || n > u64::from(u32::MAX);
        if let Some((name, count)) = counts.find(|(_, count)| wrong(*count)) {
            return Err(format!(
                "`{name}` is {count}, but must be from 1 to {}",
                u32::MAX
            ));
        }
        config.prepare.validate()?;
        config.extras.validate()?;
        if let Some(fraction) = config.val_fraction
            && !(fraction > 0.0 && fraction < 1.0)
        {
            return Err(format!(
                "`val_fraction` is {fraction}, but must be between 0 and 1"
            ));
        }
        if !(config.lr.is_finite() && config.lr > 0.0) {
            return Err(format!("`lr` is {}, but must be above 0", config.lr));
        }
        Ok(config)
    }

    /// The images of the run: some training images are held out if it validates.
    pub fn images(&self, set: ImageSet) -> Result<ImageSet, DataError> {
        match self.val_fraction {
            Some(fraction) => set.hold_out(fraction, self.binarize),
            None => Ok(set),
        }
    }

    /// The options of training.
    pub fn options(&self) -> Options {
        Options {
            model: self.model.clone(),
            binarize: self.binarize,
            flip: self.flip,
            rate: self.lr,
            extras: self.extras,
            batch: self.batch,
            epochs: self.epochs,
            seed: self.seed,
            max_steps: self.max_steps,
            checkpoint_every: self.checkpoint_every,
            evaluate_every: self.eval_every,
            patience: self.patience,
            pictures: self.images,
            data_memory: None,
        }
    }

    /// The configuration for model files.
    pub fn model_config(&self) -> ModelConfig {
        ModelConfig {
            model: self.model.clone(),
            data: data::known_name(&self.data).map(str::to_owned),
            classes: self.classes.clone(),
            binarize: Some(self.binarize),
        }
    }
}
