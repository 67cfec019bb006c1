//! Replacements without threads and without optimizations for software drivers.

use crate::gpu::device::Gpu;
use crate::plan::Plan;

/// A compilation on a second device; never made here.
pub struct Ahead(());

impl Gpu {
    /// Does nothing.
    pub fn compile_ahead(&self, _: &[&Plan]) -> Option<Ahead> {
        None
    }
}

/// A texture and a buffer over the same memory.
pub struct Pair {
    pub buffer: wgpu::Buffer,
    pub texture: wgpu::Texture,
}

/// Always fails: there is no aliasing here.
pub fn pair(
    _: &wgpu::Device,
    _: &wgpu::TextureDescriptor,
    _: &wgpu::BufferDescriptor,
    _: u32,
) -> Result<Pair, String> {
    Err("not in this build".into())
}

/// Does nothing.
pub fn keep_apart() {}
