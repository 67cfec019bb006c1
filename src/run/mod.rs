//! The run folder and the listener that writes it.

pub mod config;
mod error;
pub mod faults;
mod folder;
mod journal;
mod lock;
mod metrics;
pub mod overview;
pub mod tensorboard;

pub use error::ReportError;
pub use folder::{BEST, CHECKPOINT, CONFIG, MODEL, RunFolder};
