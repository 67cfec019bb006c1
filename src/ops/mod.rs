//! Operations: for each shader one file of the same stem, which turns a specification into
//! plan steps and holds the CPU twin of every entry point.
//!
//! Twins are plain loops in `f64`. They follow the kernel's formula, not its order of summation.

pub mod adam;
pub mod bce;
pub mod conv;
pub mod conv_broadcast;
pub mod conv_thin;
pub mod conv_tile;
pub mod conv_workgroup;
pub mod dense;
pub mod elbo;
pub mod fetch;
pub mod importance;
pub mod peak;
pub mod reduce;
pub mod reparam;
pub mod rng;
pub mod state;
pub mod texels;

use std::sync::Arc;

use crate::plan::cpu::Tensors;
use crate::plan::{Kernel, Twin};

/// A kernel from its parts.
fn kernel(
    module: &'static str,
    entry: &'static str,
    constants: &[(&'static str, f64)],
    twin: impl Fn(&Tensors) + Send + Sync + 'static,
) -> Kernel {
    let twin: Twin = Arc::new(twin);
    Kernel {
        module,
        entry,
        constants: constants.to_vec(),
        twin,
    }
}

/// A flag as a WGSL override constant.
fn flag(on: bool) -> f64 {
    f64::from(u8::from(on))
}
