//! Results of [`tune`](super::tune()), in a file per adapter, driver, shaders, model and batch.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::tune::Search;
use crate::files::hash::hex;
use crate::files::{atomic, regular};
use crate::gpu::AdapterReport;
use crate::model::{Loss, Model};
use crate::ops::{self, Tuning};

/// The setting that a choice is valid for. In another setting another choice may be faster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    adapter: String,
    driver: String,
    backend: String,
    /// SHA-256 of all shaders.
    shaders: String,
    model: Model,
    batch: usize,
}

impl Setting {
    /// The setting for training `model` in batches of `batch`.
    pub fn new(adapter: &AdapterReport, model: &Model, batch: usize) -> Self {
        Setting {
            adapter: adapter.name.clone(),
            driver: adapter.driver.clone(),
            backend: adapter.backend.name().to_owned(),
            shaders: shaders(),
            // The time of a kernel does not depend on the objective.
            model: Model {
                loss: Loss::Mc,
                beta: 1.0,
                ..model.clone()
            },
            batch,
        }
    }

    /// Its file in a cache folder.
    fn path(&self, cache: &Path) -> PathBuf {
        let json = serde_json::to_vec(self).unwrap_or_default();
        let name = hex(Sha256::new().chain_update(json));
        cache.join("tuned").join(format!("{}.json", &name[..16]))
    }

    /// The stored choice for it. An unreadable file counts as missing; tuning replaces it.
    pub fn find(&self, cache: &Path) -> Option<Tuning> {
        let bytes = regular::read(&self.path(cache)).ok()?;
        let tuned: Tuned<Setting> = serde_json::from_slice(&bytes).ok()?;
        (tuned.setting == *self).then_some(tuned.choice)
    }

    /// Stores the result of a search in a cache folder and returns the path of the file.
    pub fn save(&self, found: &Search, cache: &Path) -> io::Result<PathBuf> {
        let path = self.path(cache);
        fs::create_dir_all(cache.join("tuned"))?;
        let tuned = Tuned {
            setting: self,
            choice: found.choice,
            ms_per_step: found.ms_per_step,
            untuned_ms_per_step: found.untuned_ms_per_step,
        };
        let text = serde_json::to_string_pretty(&tuned)? + "\n";
        atomic::write_with(&path, |file| file.write_all(text.as_bytes()))?;
        Ok(path)
    }
}

/// The SHA-256 of all shaders.
pub fn shaders() -> String {
    let add = |all: Sha256, module: String| all.chain_update(module);
    let modules = ops::sources().into_iter().map(|source| source.module());
    hex(modules.fold(Sha256::new(), add))
}

/// A stored choice, and the setting that it is valid for.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Kept {
    /// The model.
    pub model: Model,
    /// Images per batch.
    pub batch: usize,
    /// The kernels.
    pub choice: Tuning,
    /// Milliseconds of a train step with them.
    pub ms_per_step: f64,
    /// Milliseconds of a train step without.
    pub untuned_ms_per_step: f64,
}

/// The valid choices for an adapter in a cache folder, ordered by batch.
pub fn of_adapter(adapter: &AdapterReport, cache: &Path) -> Vec<Kept> {
    let files = fs::read_dir(cache.join("tuned")).into_iter().flatten();
    let kept = files.flatten().filter_map(|file| {
        let tuned: Tuned<Setting> =
            serde_json::from_slice(&regular::read(&file.path()).ok()?).ok()?;
        let Setting { model, batch, .. } = &tuned.setting;
        let valid = Setting::new(adapter, model, *batch) == tuned.setting;
        valid.then(|| Kept {
            model: model.clone(),
            batch: *batch,
            choice: tuned.choice,
            ms_per_step: tuned.ms_per_step,
            untuned_ms_per_step: tuned.untuned_ms_per_step,
        })
    });
    let mut kept: Vec<Kept> = kept.collect();
    kept.sort_by_key(|kept| kept.batch);
    kept
}

/// The contents of a file.
#[derive(Serialize, Deserialize)]
struct Tuned<S> {
    setting: S,
    choice: Tuning,
    ms_per_step: f64,
    untuned_ms_per_step: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting() -> Setting {
        let text = |text: &str| text.to_owned();
        Setting {
            adapter: text("an adapter"),
            driver: text("a driver"),
            backend: text("vulkan"),
            shaders: text("shaders"),
            model: Model::default(),
            batch: 32,
        }
    }

    #[test]
    fn a_choice_is_found_for_its_setting_and_no_other() {
        let cache = tempfile::tempdir().unwrap();
        let choice = Tuning {
            texels: Some(false),
            ..Tuning::default()
        };
        let found = Search {
            candidates: Vec::new(),
            choice,
            ms_per_step: 1.0 / 3.0,
            untuned_ms_per_step: 0.5,
        };
        assert_eq!(setting().find(cache.path()), None);
        let path = setting().save(&found, cache.path()).unwrap();
        assert_eq!(setting().find(cache.path()), Some(choice));
        let text = fs::read_to_string(&path).unwrap();
        let stored: Tuned<Setting> = serde_json::from_str(&text).unwrap();
        assert_eq!(stored.ms_per_step, 1.0 / 3.0);
        assert_eq!(stored.untuned_ms_per_step, 0.5);
        let others = [
            Setting {
                driver: "a newer driver".into(),
                ..setting()
            },
            Setting {
                shaders: "other shaders".into(),
                ..setting()
            },
            Setting {
                batch: 33,
                ..setting()
            },
        ];
        for other in others {
            assert_eq!(other.find(cache.path()), None);
        }
        fs::write(path, "{").unwrap();
        assert_eq!(setting().find(cache.path()), None);
    }
}
