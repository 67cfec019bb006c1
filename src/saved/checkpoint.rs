//! Model and checkpoint files: safetensors with Keras names and layouts, and a configuration.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::data::Binarize;
use crate::files::tensors::{Tensor, TensorData, TensorFile, TensorFileError};
use crate::gpu::Selection;
use crate::model::Model;
use crate::model::params::ParamSpec;
use crate::ops::state::StepState;
use crate::train::event::Snapshot;

/// The configuration in a model file. It has no path, time or adapter, so that equal weights give
/// equal files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelConfig {
    /// The architecture and objective.
    #[serde(flatten)]
    pub model: Model,
    /// Name of the data set, if it is known by name.
    #[serde(default)]
    pub data: Option<String>,
    /// Names of the classes that the model is conditioned on, label 0 first; empty if they have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// Binarization of the training images; files of other programs may lack it.
    #[serde(default)]
    pub binarize: Option<Binarize>,
}

/// A value as canonical JSON.
pub(super) fn metadata(config: &impl Serialize) -> String {
    // Serializing plain data to a string cannot fail.
    serde_json::to_string(config).unwrap_or_default()
}

/// The platform of a run: together with the options it determines every bit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Platform {
    /// Version of the program.
    pub version: String,
    /// Adapter name.
    pub adapter: String,
    /// Driver and version.
    pub driver: String,
    /// Convolution kernels in use.
    pub variant: String,
}

impl Platform {
    /// This program with these kernels on this adapter.
    pub fn of(adapter: &str, driver: &str, variant: String) -> Self {
        Platform {
            version: env!("CARGO_PKG_VERSION").into(),
            adapter: adapter.into(),
            driver: driver.into(),
            variant,
        }
    }

    /// The differences from another platform; none where results are equal bit for bit.
    pub fn differences(&self, other: &Platform) -> Vec<String> {
        let pairs = [
            ("program", &self.version, &other.version),
            ("adapter", &self.adapter, &other.adapter),
            ("driver", &self.driver, &other.driver),
            ("kernels", &self.variant, &other.variant),
        ];
        let differing = pairs.into_iter().filter(|(_, a, b)| a != b);
        differing
            .map(|(what, a, b)| format!("{what} {a} instead of {b}"))
            .collect()
    }
}

/// A checkpoint: everything that determines the rest of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Weights, both moments, and all counters.
    pub snapshot: Snapshot,
    /// The platform that wrote it.
    pub platform: Platform,
    /// The selected adapter and kernels.
    pub device: Selection,
}

/// The bytes of `checkpoint.safetensors`: a model file with both moments, the step state (seed, step,
/// epoch, position in the epoch's permutation) and the host's record.
pub fn checkpoint_bytes(
    snapshot: &Snapshot,
    config: &ModelConfig,
    run: &impl Serialize,
    platform: &Platform,
) -> Result<Vec<u8>, TensorFileError> {
    let state = Tensor {
        shape: vec![snapshot.state.len()],
        data: TensorData::U32(snapshot.state.clone()),
    };
    let params = snapshot
        .tensors()
        .map(|(name, spec, values)| (name, Tensor::f32(spec.shape.clone(), values.clone())));
    let notes = [
        ("config", metadata(config)),
        ("run", metadata(run)),
        ("record", metadata(&snapshot.record)),
        ("platform", metadata(platform)),
    ];
    let file = TensorFile {
        tensors: params.chain([("state".into(), state)]).collect(),
        metadata: notes.map(|(name, note)| (name.into(), note)).into(),
    };
    file.to_bytes()
}

/// Reads a checkpoint of this model; an error names the file.
#[cfg(feature = "cli")]
pub fn read_checkpoint(
    path: &std::path::Path,
    config: &ModelConfig,
) -> Result<Checkpoint, TensorFileError> {
    let in_file = |e: TensorFileError| TensorFileError::Content(path.into(), e.into());
    checkpoint_from(TensorFile::read(path)?, config).map_err(in_file)
}

/// The checkpoint in the content of a file; no content makes this function panic.
pub fn checkpoint_from(
    file: TensorFile,
    config: &ModelConfig,
) -> Result<Checkpoint, TensorFileError> {
    if note::<Value>(&file, "config")? != json!(config) {
        let reason = "it is of a model other than config.json describes";
        return Err(TensorFileError::WrongNote("config".into(), reason.into()));
    }
    let take = |spec: ParamSpec| {
        let mut values = [Vec::new(), Vec::new(), Vec::new()];
        for (name, values) in spec.stored_names().iter().zip(&mut values) {
            *values = file.get_f32(name, &spec.shape)?.to_vec();
        }
        Ok((spec, values))
    };
    let params = config.model.params().into_iter().map(take);
    let params = params.collect::<Result<_, TensorFileError>>()?;
    let state = state(&file)?.clone();
    let record = note(&file, "record")?;
    let run: Value = note(&file, "run").unwrap_or_default();
    Ok(Checkpoint {
        snapshot: Snapshot {
            params,
            state,
            record,
        },
        platform: note(&file, "platform")?,
        device: Selection::deserialize(&run["device"]).unwrap_or_default(),
    })
}

/// True if `file`, a checkpoint, holds every tensor of `model`.
pub fn has_weights_of(file: &TensorFile, model: &TensorFile) -> bool {
    let same = |(name, tensor): (&String, &Tensor)| file.tensors.get(name) == Some(tensor);
    model.tensors.iter().all(same)
}

/// Optimizer steps of a checkpoint; `None` for another file.
pub fn step_of(file: &TensorFile) -> Option<u64> {
    let state = StepState::from_words(state(file).ok()?)?;
    Some(u64::from(state.step))
}

fn state(file: &TensorFile) -> Result<&Vec<u32>, TensorFileError> {
    match &file.get("state")?.data {
        TensorData::U32(words) => Ok(words),
        TensorData::F32(_) | TensorData::I32(_) => Err(TensorFileError::WrongDtype("state".into())),
    }
}

/// A note in the metadata, parsed as JSON.
fn note<T: DeserializeOwned>(file: &TensorFile, key: &str) -> Result<T, TensorFileError> {
    let wrong = |reason: String| TensorFileError::WrongNote(key.to_owned(), reason);
    let text = file.metadata.get(key);
    let text = text.ok_or_else(|| wrong("it is missing".into()))?;
    serde_json::from_str(text).map_err(|e| wrong(e.to_string()))
}
