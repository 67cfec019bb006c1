//! Kernels and their calls.

use std::fmt;
use std::sync::Arc;

use super::shader;
use super::slot::SlotId;
use super::tensors::Tensors;

/// CPU implementation of a kernel: reads and writes the step's tensors by their WGSL names.
pub type Twin = Arc<dyn Fn(&Tensors) + Send + Sync>;

/// A compute kernel: one entry point of one shader, specialised by constants.
///
/// Bindings are not listed: [`shader::reflect`] reads name, access and type from the WGSL.
#[derive(Clone)]
pub struct Kernel {
    /// Stem of the shader file.
    pub module: &'static str,
    /// Entry point.
    pub entry: &'static str,
    /// Values of the WGSL `override` constants.
    pub constants: Vec<(&'static str, f64)>,
    /// The same computation in plain Rust.
    pub twin: Twin,
}

impl Kernel {
    /// The value of a WGSL `override` constant.
    pub fn constant(&self, name: &str) -> Option<f64> {
        let found = self.constants.iter().find(|(n, _)| *n == name);
        found.map(|(_, value)| *value)
    }

    /// What the shader says of it, or what is wrong with the shader.
    pub fn reflect(&self) -> Result<&'static shader::Entry, String> {
        shader::reflect(self.module, self.entry)
    }
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{} {:?}", self.module, self.entry, self.constants)
    }
}

/// One kernel call.
#[derive(Clone, Debug)]
pub struct Step {
    /// What the step computes, such as `decoder.deconv2 forward`.
    pub label: String,
    /// The kernel.
    pub kernel: Kernel,
    /// Slot of each WGSL variable the entry point uses.
    pub bindings: Vec<(&'static str, SlotId)>,
    /// Workgroups along x, y and z.
    pub grid: [u32; 3],
    /// Useful floating-point operations, a multiply-add counted as two.
    pub flops: u64,
}

impl Step {
    /// The slot that is bound to a WGSL variable.
    pub fn bound(&self, name: &str) -> Option<SlotId> {
        let found = self.bindings.iter().find(|(n, _)| *n == name);
        found.map(|(_, slot)| *slot)
    }
}
