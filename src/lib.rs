//! Convolutional variational autoencoders on any GPU, with hand-written WGSL kernels.
//!
//! One idea: a train step is a *plan*, a list of kernel calls over named buffers. The GPU
//! replays it; the CPU can interpret it.
//!
//! | module | what it is |
//! |---|---|
//! | [`model`] | **the screen**: the model, the train step, and its sibling plans |
//! | [`layers`] | stacks of layers: forward left to right, backward right to left |
//! | [`fuse`] | a plan in fewer steps, for GPUs |
//! | [`ops`] | one file per shader: specification → steps, CPU twin |
//! | [`plan`] | plan, slots, steps; static checks; shader reflection; CPU executor |
//! | [`gpu`] | device, compilation, replay, readback; alone in naming wgpu |
//! | [`params`], [`rng`] | parameters and their initial values; counter-based random numbers |
//! | [`data`] | image sets, packed; MNIST is built in |
//! | [`mod@train`], [`eval`] | the loops; they emit [`event::Event`]s |
//! | [`explore`] | what a trained model is asked: codes, images, samples, bounds |
//! | [`report`], [`render`] | what listens: progress, metrics, pictures |
//! | [`mod@bench`] | times the train step and its kernels, beside the best the adapter can do |
//! | [`check`] | the self-test of an adapter: recorded cases, and kernels against their twins |
//! | [`tensor_file`], [`checkpoint`], [`model_file`], [`layout`] | models and checkpoints as safetensors files; models read back, and in PyTorch's layout |
//! | [`onnx`] | models as ONNX graphs |
//! | [`npy`] | arrays as NumPy keeps them |
//! | [`config`], [`atomic`], [`regular`], [`faults`] | the options of a run; files written whole or not at all; regular files only; what tests break |
//! | [`terminal`] | all text that is written to a terminal, with control characters escaped |
//!
//! Dependencies point one way: train, eval, explore, check and bench use model, model uses ops, ops
//! use plan; gpu executes plans and knows one operation by name, `lanes`, which it asks each device.

#![warn(missing_docs)]
// Not `forbid`, which gpu/compile.rs and gpu/alias.rs could not lift.
#![deny(unsafe_code)]
// Text goes out through `terminal`.
#![warn(clippy::print_stdout, clippy::print_stderr)]

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
pub mod run;
pub mod saved;
pub mod train;
