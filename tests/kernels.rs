//! The shaders, the twins and the kernels, a layer a file; each layer stands on the ones before it.
//! docs/testing.md says what they prove.

mod common;

#[path = "kernels/shaders.rs"]
mod shaders;

#[path = "kernels/hlsl.rs"]
mod hlsl;

#[path = "kernels/finite_differences.rs"]
mod finite_differences;

#[path = "kernels/golden.rs"]
mod golden;

#[path = "kernels/parity.rs"]
mod parity;
#[path = "kernels/parity_conv.rs"]
mod parity_conv;
#[path = "kernels/parity_fused.rs"]
mod parity_fused;
#[path = "kernels/parity_state.rs"]
mod parity_state;

#[path = "kernels/bounds.rs"]
mod bounds;

#[path = "kernels/properties.rs"]
mod properties;

#[path = "kernels/parity_step.rs"]
mod parity_step;

#[path = "kernels/determinism.rs"]
mod determinism;
