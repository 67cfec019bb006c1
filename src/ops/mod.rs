//! Operations. Each shader has a file of the same stem with the operation, its steps and the CPU twin
//! of every entry point.
//!
//! Twins are plain loops in `f64`. They follow the kernel's formula, not its order of summation.

mod shaders;

pub mod activation;
pub mod adam;
pub mod bce;
pub mod clip;
pub mod conv;
pub mod dense;
pub mod elbo;
pub mod fetch;
pub mod front;
pub mod full;
mod fuse;
mod fused;
pub mod gaussian;
mod graph;
pub mod head;
pub mod heuristics;
pub mod importance;
pub mod input;
pub mod lanes;
pub mod latent;
pub mod likelihood;
mod lower;
pub mod objective;
mod operation;
pub mod peak;
pub mod posterior;
pub mod reduce;
pub mod reparam;
pub mod rng;
pub mod state;
mod target;
mod tuning;
mod wgsl;

pub use activation::Activation;
pub use graph::Graph;
pub use heuristics::{Heuristics, Tiles};
pub use operation::Operation;
pub use shaders::{source, sources};
pub use target::Target;
pub use tuning::Tuning;
