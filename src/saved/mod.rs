//! Files of trained models: model files, checkpoints, PyTorch's layout, ONNX graphs.

pub mod checkpoint;
pub mod onnx;
pub mod pytorch;
mod trained;

#[cfg(feature = "cli")]
pub(crate) use trained::check;
pub use trained::{ModelFileError, Stored, Trained};
