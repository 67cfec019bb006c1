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
pub mod latent;
pub mod peak;
pub mod reduce;
pub mod reparam;
pub mod rng;
pub mod state;
pub mod texels;

use std::sync::Arc;

use crate::plan::cpu::Tensors;
use crate::plan::{Kernel, SlotId, Step, Twin};

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

/// A step that does the work of others, in their order. Its twin is theirs, one after the other:
/// so it is judged by the plain steps, tensor by tensor.
fn fused(
    label: &str,
    (module, entry): (&'static str, &'static str),
    constants: Vec<(&'static str, f64)>,
    bindings: Vec<(&'static str, SlotId)>,
    grid: [u32; 3],
    replaced: &[&Step],
) -> Step {
    let steps: Vec<Step> = replaced.iter().map(|step| (*step).clone()).collect();
    let bound = bindings.clone();
    let twin = move |t: &Tensors| {
        for step in &steps {
            let pairs = step.bindings.iter().filter_map(|(name, slot)| {
                let (outer, _) = bound.iter().find(|(_, s)| s == slot)?;
                Some((*name, *outer))
            });
            let pairs: Vec<_> = pairs.collect();
            let inner = Tensors::new(pairs.iter().map(|(name, outer)| (*name, t.values(outer).clone())));
            (step.kernel.twin)(&inner);
            for (name, outer) in pairs {
                *t.values(outer) = inner.values(name).clone();
            }
        }
    };
    Step {
        label: label.to_owned(),
        kernel: kernel(module, entry, &constants, twin),
        bindings,
        grid,
        flops: replaced.iter().map(|step| step.flops).sum(),
    }
}
