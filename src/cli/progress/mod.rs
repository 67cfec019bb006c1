//! Progress for people: a spinner for one thing after another, a bar for a job, and that of training.

mod meter;
mod spinner;
mod training;

pub use meter::Meter;
pub use spinner::Spinner;
pub use training::Progress;
