//! A compiled kernel.

/// A compiled kernel and the layout of its one bind group.
pub struct Pipeline {
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) layout: wgpu::BindGroupLayout,
}
