//! Kernels and steps.

use std::fmt;
use std::sync::Arc;

use super::shader::{Entry, Source};
use super::slot::SlotId;
use super::tensors::Tensors;

/// CPU implementation of a kernel; it reads and writes the step's tensors by their WGSL names.
pub type Twin = Arc<dyn Fn(&Tensors) + Send + Sync>;

/// The value of a boolean `override` constant.
pub fn flag(on: bool) -> f64 {
    f64::from(u8::from(on))
}

/// Values of WGSL `override` constants.
pub type Constants = Vec<(&'static str, f64)>;

/// A compute kernel: an entry point of a shader with values for its constants.
///
/// Bindings are not listed here; [`Source::reflect`] reads them from the WGSL.
#[derive(Clone)]
pub struct Kernel {
    /// The shader.
    pub source: &'static Source,
    /// Entry point.
    pub entry: &'static str,
    /// Values of the WGSL `override` constants.
    pub constants: Constants,
    /// The same computation in plain Rust.
    pub twin: Twin,
}

impl Source {
    /// A kernel of this module.
    pub fn kernel(
        &'static self,
        entry: &'static str,
        constants: impl Into<Constants>,
        twin: impl Fn(&Tensors) + Send + Sync + 'static,
    ) -> Kernel {
        Kernel {
            source: self,
            entry,
            constants: constants.into(),
            twin: Arc::new(twin),
        }
    }
}

/// What tells a kernel from others: equal keys compile to the same code.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KernelKey {
    /// Name of the module.
    pub module: &'static str,
    entry: &'static str,
    /// Names and bits.
    constants: Vec<(&'static str, u64)>,
}

impl Kernel {
    /// Its key in caches.
    pub fn key(&self) -> KernelKey {
        let bits = |(name, value): &(&'static str, f64)| (*name, value.to_bits());
        KernelKey {
            module: self.source.name,
            entry: self.entry,
            constants: self.constants.iter().map(bits).collect(),
        }
    }

    /// The value of a WGSL `override` constant.
    pub fn constant(&self, name: &str) -> Option<f64> {
        let found = self.constants.iter().find(|(n, _)| *n == name);
        found.map(|(_, value)| *value)
    }

    /// The reflection of the entry point.
    ///
    /// # Errors
    ///
    /// The message of naga if the WGSL is not valid, or that the entry point is missing.
    pub fn reflect(&self) -> Result<&'static Entry, String> {
        self.source.reflect(self.entry)
    }
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Kernel { source, entry, .. } = self;
        write!(f, "{}::{entry} {:?}", source.name, self.constants)
    }
}

/// A kernel call.
#[derive(Clone, Debug)]
pub struct Step {
    /// What the step computes, such as `decoder.deconv2 forward`.
    pub label: String,
    /// The kernel.
    pub kernel: Kernel,
    /// The slot for each WGSL variable that the entry point uses.
    pub bindings: Vec<(&'static str, SlotId)>,
    /// Workgroups along x, y and z.
    pub grid: [u32; 3],
    /// Floating-point operations; a multiply-add counts as two.
    pub flops: u64,
}

impl Step {
    /// The slot bound to the WGSL variable `name`.
    pub fn bound(&self, name: &str) -> Option<SlotId> {
        let found = self.bindings.iter().find(|(n, _)| *n == name);
        found.map(|(_, slot)| *slot)
    }
}
