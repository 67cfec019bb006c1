//! Operations. Each shader has a file of the same stem with the operation, its steps and the CPU twin
//! of every entry point.
//!
//! Twins are plain loops in `f64`. They follow the kernel's formula, not its order of summation.

mod shaders;

pub mod adam;
pub mod bce;
pub mod conv;
pub mod dense;
pub mod elbo;
pub mod fetch;
pub mod front;
mod fuse;
mod fused;
mod graph;
pub mod head;
pub mod heuristics;
pub mod importance;
pub mod lanes;
pub mod latent;
mod lower;
mod operation;
pub mod peak;
pub mod reduce;
pub mod reparam;
pub mod rng;
pub mod state;
mod target;
mod tuning;
mod wgsl;

pub use graph::Graph;
pub use heuristics::{Heuristics, Tiles};
pub use operation::Operation;
pub use shaders::{source, sources};
pub use target::Target;
pub use tuning::Tuning;
