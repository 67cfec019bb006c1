//! Model and checkpoint files: safetensors with Keras names and layouts, and a configuration.

use std::path::Path;

use serde::Serialize;

use crate::event::Snapshot;
use crate::model::Model;
use crate::params::moment_names;
use crate::tensor_file::{Tensor, TensorData, TensorFile, TensorFileError};

/// What determines a model, and nothing else: no path, time or adapter, so that equal weights
/// give equal files.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelConfig {
    /// The architecture and objective.
    #[serde(flatten)]
    pub model: Model,
    /// Name of the data set, where it is one known by name.
    pub data: Option<String>,
    /// How values became 0 or 1.
    pub binarize: &'static str,
}

fn metadata(config: &impl Serialize) -> String {
    // Serializing plain data to a string cannot fail.
    serde_json::to_string(config).unwrap_or_default()
}

fn weights(snapshot: &Snapshot) -> TensorFile {
    let mut file = TensorFile::default();
    for (spec, [values, ..]) in &snapshot.params {
        let tensor = Tensor::f32(spec.shape.clone(), values.clone());
        file.tensors.insert(spec.name.clone(), tensor);
    }
    file
}

/// Writes the weights: `model.safetensors`.
pub fn write_model(
    path: &Path,
    snapshot: &Snapshot,
    config: &ModelConfig,
) -> Result<(), TensorFileError> {
    let mut file = weights(snapshot);
    file.metadata.insert("config".into(), metadata(config));
    file.write(path)
}

/// Writes everything that determines the rest of a run: weights, both moments, and the step
/// state (seed, step, epoch, position in the epoch's permutation). It serves as a model too.
pub fn write_checkpoint(
    path: &Path,
    snapshot: &Snapshot,
    config: &ModelConfig,
    run: &impl Serialize,
) -> Result<(), TensorFileError> {
    let mut file = weights(snapshot);
    for (spec, [_, m, v]) in &snapshot.params {
        for (name, values) in moment_names(&spec.name).into_iter().zip([m, v]) {
            file.tensors
                .insert(name, Tensor::f32(spec.shape.clone(), values.clone()));
        }
    }
    let state = Tensor {
        shape: vec![snapshot.state.len()],
        data: TensorData::U32(snapshot.state.clone()),
    };
    file.tensors.insert("state".into(), state);
    file.metadata.insert("config".into(), metadata(config));
    file.metadata.insert("run".into(), metadata(run));
    file.write(path)
}
