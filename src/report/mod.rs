//! Listeners: what becomes of training's events.

mod folder;
mod lock;
mod metrics;
mod progress;

pub use folder::{ReportError, RunFolder};
pub use progress::Progress;
