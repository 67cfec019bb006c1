//! The run folder and the listener that writes it.

pub mod config;
pub mod faults;
mod folder;
mod journal;
mod lock;
mod metrics;
pub mod tensorboard;

pub use folder::{CHECKPOINT, CONFIG, MODEL, ReportError, RunFolder};
