//! Why training stops before its end.

use std::error::Error;

use crate::data::{DataError, LabelError};
use crate::gpu::GpuError;
use crate::model::ModelError;
use crate::train::supply::SupplyError;

/// Why training stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The GPU or its driver failed.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// The images cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The model cannot be built.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The labels do not serve the model.
    #[error(transparent)]
    Labels(#[from] LabelError),
    /// A checkpoint is of another run.
    #[error("the checkpoint does not belong to this run: {0}")]
    Foreign(String),
    /// The loss is not finite.
    #[error(
        "the loss became {loss} at step {step}{}: training has diverged",
        shown(.origin.as_ref())
    )]
    NotFinite {
        /// The loss.
        loss: f32,
        /// Optimizer step, from 1.
        step: u64,
        /// Where it came from, if running the last steps again has shown it.
        origin: Option<Origin>,
    },
    /// Weights or moments are not finite, although the last loss was.
    #[error(
        "`{tensor}` holds values that are not finite after step {step}{}: training has diverged",
        shown(.origin.as_ref())
    )]
    WeightsNotFinite {
        /// The first such tensor.
        tensor: String,
        /// Optimizer steps done.
        step: u64,
        /// Where it came from, if running the last steps again has shown it.
        origin: Option<Origin>,
    },
    /// A listener failed, for example to write a file.
    #[error(transparent)]
    Listener(#[from] Box<dyn Error + Send + Sync>),
}

impl From<SupplyError> for TrainError {
    fn from(error: SupplyError) -> Self {
        match error {
            SupplyError::Gpu(error) => error.into(),
            SupplyError::Data(error) => error.into(),
        }
    }
}

/// The first result that is not finite: where a divergence came from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the first value that is not finite is in `{tensor}`, written by `{kernel}` in step {step}"
)]
pub struct Origin {
    /// The tensor.
    pub tensor: String,
    /// Label of the kernel call that wrote it.
    pub kernel: String,
    /// Optimizer step, from 1.
    pub step: u64,
}

fn shown(origin: Option<&Origin>) -> String {
    origin.map_or(String::new(), |origin| format!(" ({origin})"))
}
