//! A compiled kernel.

use crate::plan::KernelKey;

/// A compiled kernel and the layout of its one bind group.
pub struct Pipeline {
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) layout: wgpu::BindGroupLayout,
}

/// Cache key of a compiled kernel.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// A kernel as it is written.
    Kernel(KernelKey),
    /// The text of a module of several.
    Linked(String),
}
