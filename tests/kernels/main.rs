//! Tests of shaders, twins and kernels, one layer per file; each layer relies on the ones before it.
//! docs/testing.md says what they prove.

#[path = "../common/mod.rs"]
mod common;

mod shaders;

mod hlsl;

mod finite_differences;

mod golden;

mod parity;

mod bounds;

mod browsers;

mod properties;

mod descriptions;

mod determinism;
