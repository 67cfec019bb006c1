//! The options of a run: the content of `config.json`.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::data::{Binarize, Prepare, known};
use crate::files::regular;
use crate::gpu::Selection;
use crate::model::Model;
use crate::ops::adam::Adam;
use crate::saved::{self, checkpoint::ModelConfig};
use crate::train::{Every, Options};

/// Most bytes of `config.json`.
const MAX_BYTES: u64 = 1 << 20;

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
    /// Preparation of the images.
    #[serde(default = "Prepare::of_old_runs")]
    pub prepare: Prepare,
    /// Binarization of the images.
    pub binarize: Binarize,
    /// Passes over the training images.
    pub epochs: usize,
    /// Images of an optimizer step.
    pub batch: usize,
    /// Adam's learning rate.
    pub lr: f64,
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

fn yes() -> bool {
    true
}

/// Why a `config.json` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The operating system reported an error.
    #[error("cannot read {0}: {1}")]
    Io(PathBuf, io::Error),
    /// The content is invalid.
    #[error("{0} is not the configuration of a run: {1}; restore it, or train into a new folder")]
    Content(PathBuf, String),
}

impl RunConfig {
    /// Reads `config.json`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`]; no content makes this function panic.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let failed = |e| ConfigError::Io(path.into(), e);
        let mut bytes = Vec::new();
        let file = regular::open(path).map_err(failed)?;
        let limited = file.take(MAX_BYTES + 1).read_to_end(&mut bytes);
        limited.map_err(failed)?;
        Self::from_bytes(&bytes).map_err(|e| ConfigError::Content(path.into(), e))
    }

    /// Reads and checks the content of `config.json`.
    ///
    /// # Errors
    ///
    /// What is wrong with it; no content makes this function panic.
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
        ]
        .into_iter()
        .filter_map(|(name, count)| Some((name, count?)));
        let wrong = |n: u64| n == 0 || n > u64::from(u32::MAX);
        if let Some((name, count)) = counts.find(|(_, count)| wrong(*count)) {
            return Err(format!("`{name}` is {count}"));
        }
        config.prepare.validate()?;
        if !(config.lr.is_finite() && config.lr > 0.0) {
            return Err(format!("`lr` is {}", config.lr));
        }
        Ok(config)
    }

    /// Stores the path of the data `source` relative to the run folder.
    pub fn locate(&mut self, source: &str, folder: &Path) {
        let canonical = |path: &Path| path.canonicalize().ok();
        self.data_path = match (canonical(Path::new(source)), canonical(folder)) {
            (Some(data), Some(folder)) if known::by_name(source).is_none() => {
                Some(from(&folder, &data))
            }
            _ => None,
        };
    }

    /// The places to search for the data, the likeliest first.
    pub fn sources(&self, folder: &Path) -> Vec<String> {
        let near = self.data_path.as_ref().map(|path| folder.join(path));
        let near = near.map(|path| path.to_string_lossy().into_owned());
        near.into_iter().chain([self.data.clone()]).collect()
    }

    /// The options of training.
    pub fn options(&self) -> Options {
        Options {
            model: self.model.clone(),
            binarize: self.binarize,
            adam: Adam {
                rate: self.lr,
                ..Adam::default()
            },
            batch: self.batch,
            epochs: self.epochs,
            seed: self.seed,
            max_steps: self.max_steps,
            pictures: self.images,
        }
    }

    /// The configuration for model files.
    pub fn model_config(&self) -> ModelConfig {
        ModelConfig {
            model: self.model.clone(),
            data: known::by_name(&self.data).map(|known| known.name.to_owned()),
            binarize: self.binarize,
        }
    }
}

/// The relative path from a folder to `target`; both are absolute.
fn from(folder: &Path, target: &Path) -> PathBuf {
    let shared = (folder.components().zip(target.components()))
        .take_while(|(a, b)| a == b)
        .count();
    if shared == 0 {
        // On another drive.
        return target.to_owned();
    }
    let up = folder.components().skip(shared).map(|_| "..".as_ref());
    let down = target.components().skip(shared).map(|c| c.as_os_str());
    up.chain(down).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Order;

    #[test]
    fn data_are_found_from_the_run_folder() {
        let root = tempfile::tempdir().unwrap();
        let [run, data] = ["runs/idx-1", "sets/idx"].map(|name| root.path().join(name));
        for folder in [&run, &data] {
            std::fs::create_dir_all(folder).unwrap();
        }
        let mut config = example();
        config.locate(&data.to_string_lossy(), &run);
        let way = Path::new("..").join("..").join("sets").join("idx");
        assert_eq!(config.data_path.as_deref(), Some(way.as_path()));
        let found = PathBuf::from(&config.sources(&run)[0]).canonicalize();
        assert_eq!(found.unwrap(), data.canonicalize().unwrap());
        config.locate("mnist", &run);
        assert_eq!(config.sources(&run), ["mnist"]);
    }

    fn example() -> RunConfig {
        RunConfig {
            version: "0.1.0".into(),
            model: Model::default(),
            data: "mnist".into(),
            data_path: None,
            data_sha256: None,
            prepare: Prepare {
                size: Some(64),
                channels: Some(3),
                test_fraction: Some(0.1 + 0.2),
                order: Order::Natural,
            },
            binarize: Binarize::Threshold,
            epochs: 10,
            batch: 32,
            lr: 1e-4,
            seed: u64::MAX,
            max_steps: None,
            checkpoint_every: Every::Minutes(2.5),
            eval_every: 2,
            log_every: Some(100),
            images: true,
            device: Selection::default(),
        }
    }

    #[test]
    fn every_value_survives_exactly() {
        // Neither number has a short decimal form.
        for lr in [0.1 + 0.2, 1.0 / 3.0, f64::MIN_POSITIVE] {
            let model = Model {
                beta: lr,
                ..Model::default()
            };
            let config = RunConfig {
                lr,
                model,
                ..example()
            };
            let bytes = serde_json::to_vec_pretty(&config).unwrap();
            assert_eq!(RunConfig::from_bytes(&bytes), Ok(config));
        }
    }

    #[test]
    fn values_which_the_command_line_refuses_are_refused_here() {
        for (key, value) in [
            ("epochs", "0"),
            ("batch", "0"),
            ("batch", "4294967296"),
            ("latent_dim", "0"),
            ("latent_dim", "1152921504606846976"),
            ("max_steps", "0"),
            ("eval_every", "0"),
            ("log_every", "0"),
            ("lr", "-1.0"),
            ("beta", "-1.0"),
            ("beta", "1e39"),
            ("checkpoint_every", "\"sometimes\""),
            ("prepare", r#"{"size": 30}"#),
            ("prepare", r#"{"channels": 4}"#),
            ("prepare", r#"{"test_fraction": 1.0}"#),
            ("image", "[27, 28, 1]"),
            ("encoder_filters", "[65537, 8]"),
        ] {
            let mut json = serde_json::to_value(example()).unwrap();
            json[key] = serde_json::from_str(value).unwrap();
            let bytes = serde_json::to_vec(&json).unwrap();
            assert!(RunConfig::from_bytes(&bytes).is_err(), "{key}: {value}");
        }
        assert!(RunConfig::from_bytes(&vec![b' '; 2 << 20]).is_err());
    }
}
