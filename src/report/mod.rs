//! Listeners: what becomes of training's events.

mod folder;
mod progress;

pub use folder::{ReportError, RunFolder};
pub use progress::Progress;
