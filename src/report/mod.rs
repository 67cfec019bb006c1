//! Listeners: what becomes of training's events, and of how far any other job is.

mod folder;
mod journal;
mod lock;
mod log_every;
mod meter;
mod metrics;
mod progress;
pub mod tensorboard;

pub use folder::{ReportError, RunFolder};
pub use log_every::LogEvery;
pub use meter::Meter;
pub use progress::Progress;
