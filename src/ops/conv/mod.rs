//! Convolution and transposed convolution: choice of variant, steps and twins.
//!
//! Three kernels serve both layers. In Keras layouts `conv2d_transpose(x, W)` *is* the input
//! gradient of `conv2d` with the same `W`, so a convolution runs (correlate, adjoint,
//! weight_grad) and a transposed convolution (adjoint, correlate, weight_grad with x and dy
//! swapped). Formulas and layouts stand at the head of `shaders/conv.wgsl`.

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

pub use choose::choose;
pub use contract::{Contract, Epilogue};
pub use gradient::{Partials, WeightGrad};
pub use kernels::{Call, Kernels, Site};
pub use spec::{Conv, Padding, Side};
pub use variant::Variant;
