//! Why a run cannot be recorded or resumed.

use std::io;
use std::path::{Path, PathBuf};

use crate::files::tensors::TensorFileError;
use crate::render::RenderError;

/// Why a run could not be recorded or resumed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The folder already holds a run.
    #[error("{0} already holds a run")]
    Occupied(PathBuf),
    /// Another process trains into the folder.
    #[error("another process is training into {0}")]
    Locked(PathBuf),
    /// The folder holds no run.
    #[error("{0} holds no run: there is no config.json")]
    NoRun(PathBuf),
    /// The operating system reported an error while reading `config.json`.
    #[error("cannot read {0}: {1}")]
    Unreadable(PathBuf, io::Error),
    /// The content of `config.json` is invalid.
    #[error("{0} is not the configuration of a run: {1}; restore it, or train into a new folder")]
    Config(PathBuf, String),
    /// The operating system reported an error for a file or folder.
    #[error("cannot write {0}: {1}; check the path, its permissions and the free space")]
    Io(PathBuf, io::Error),
    /// A tensor file could not be written.
    #[error(transparent)]
    Tensors(#[from] TensorFileError),
    /// The checkpoint cannot be used.
    #[error("{0}")]
    Checkpoint(TensorFileError),
    /// A picture could not be drawn.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// A path cannot be encoded as JSON.
    #[error("cannot encode as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Adds the path to an error of the operating system.
pub(super) fn io_error(path: &Path) -> impl FnOnce(io::Error) -> ReportError {
    move |reason| ReportError::Io(path.to_owned(), reason)
}
