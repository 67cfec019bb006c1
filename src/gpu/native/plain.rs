//! Replacements without threads and without optimizations for software drivers.
#![cfg_attr(
    feature = "cli",
    allow(dead_code, reason = "native programs use some of them")
)]

use crate::gpu::device::Gpu;
use crate::gpu::error::GpuError;

/// A compilation on a second device; never made here.
pub struct Ahead(());

#[cfg(not(feature = "cli"))]
impl Gpu {
    /// Does nothing.
    pub fn compile_ahead(&self, _: &[&crate::plan::Plan]) -> Option<Ahead> {
        None
    }
}

/// Maps items in order.
pub async fn map<T, R, E>(
    items: &[T],
    _: bool,
    make: impl AsyncFn(&T) -> Result<R, E>,
) -> Result<Vec<R>, E> {
    let mut made = Vec::new();
    for item in items {
        made.push(make(item).await?);
    }
    Ok(made)
}

/// Returns at once: the event loop wakes the waiting task.
pub fn wait(_: &Gpu, _: Option<wgpu::SubmissionIndex>) -> Result<(), GpuError> {
    Ok(())
}

/// Always fails: there is no aliasing here.
pub fn pair(
    _: &wgpu::Device,
    _: &wgpu::TextureDescriptor,
    _: &wgpu::BufferDescriptor,
    _: u32,
) -> Result<(wgpu::Buffer, wgpu::Texture), String> {
    Err("not in this build".into())
}

/// Does nothing.
pub fn keep_apart() {}
