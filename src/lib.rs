//! Convolutional variational autoencoders on any GPU, with hand-written WGSL kernels.
//!
//! One idea: a train step is a *plan*, a list of kernel calls over named buffers. The GPU replays
//! it; the CPU can interpret it. Start at [`model`]: its train step fits on one screen. The map of
//! all modules is docs/architecture.md.
//!
//! The feature `cli` is on by default. It adds everything that touches files, threads and
//! networks, and the program itself. Without it the library compiles for browsers.

#![warn(missing_docs)]
// Not `forbid`, which gpu/compile.rs and gpu/native/alias.rs could not lift.
#![deny(unsafe_code)]
// Text goes out through `terminal`.
#![warn(clippy::print_stdout, clippy::print_stderr)]

#[cfg(feature = "cli")]
pub mod bench;
pub mod check;
pub mod data;
pub mod explore;
pub mod files;
pub mod gpu;
pub mod model;
pub mod ops;
pub mod plan;
pub mod render;
pub mod rng;
#[cfg(feature = "cli")]
pub mod run;
pub mod saved;
pub mod train;
