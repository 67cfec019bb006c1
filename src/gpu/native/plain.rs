//! The same without threads, and without what speeds up software drivers.

use crate::gpu::device::Gpu;
use crate::plan::Plan;

/// Kernels that are being compiled elsewhere: none.
pub struct Ahead(());

impl Gpu {
    /// Compiles nothing ahead.
    pub fn compile_ahead(&self, _: &[&Plan]) -> Option<Ahead> {
        None
    }
}

/// A texture and a buffer over the same memory.
pub struct Pair {
    pub buffer: wgpu::Buffer,
    pub texture: wgpu::Texture,
}

/// No pair is made.
pub fn pair(
    _: &wgpu::Device,
    _: &wgpu::TextureDescriptor,
    _: &wgpu::BufferDescriptor,
    _: u32,
) -> Result<Pair, String> {
    Err("not in this build".into())
}

/// Leaves threads where they are.
pub fn keep_apart() {}
