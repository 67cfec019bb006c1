//! Files of trained models: model files, checkpoints, PyTorch's layout, ONNX graphs.

pub mod checkpoint;
pub mod config;
pub mod onnx;
pub mod pytorch;
mod trained;

pub(crate) use trained::check;
pub use trained::{ModelFileError, Stored, Trained};
