//! Convolution and transposed convolution: choice of variant, steps and twins.
//!
//! Three kernels serve both layers. In Keras's layouts `conv2d_transpose(x, W)` is the input gradient
//! of `conv2d` with the same `W`. A convolution uses (correlate, adjoint, weight_grad); a transposed
//! convolution uses (adjoint, correlate, weight_grad with x and dy swapped). `shaders/conv.wgsl` gives
//! formulas and layouts.

mod broadcast;
mod choose;
mod contract;
mod gradient;
mod kernels;
mod plain;
mod spec;
mod thin;
mod tile;
mod variant;
mod workgroup;

pub use choose::{choose, turned};
pub use contract::{Contract, Epilogue};
pub use gradient::{Partials, WeightGrad};
pub use kernels::{Call, Kernels, Site};
pub use spec::{Conv, Padding, Side};
pub use variant::Variant;
