//! Listeners: what becomes of training's events, and of how far any other job is.

mod folder;
mod lock;
mod meter;
mod metrics;
mod progress;

pub use folder::{ReportError, RunFolder};
pub use meter::Meter;
pub use progress::Progress;
