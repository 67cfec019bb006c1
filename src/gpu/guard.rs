//! Reports which shader access went out of bounds, on devices with checked shaders.

use parking_lot::Mutex;

use crate::plan::bounds::{self, Guarded};

/// A word on the device with the number of an out-of-bounds access, or 0.
pub(super) struct Guard {
    buffer: wgpu::Buffer,
    pub(super) layout: wgpu::BindGroupLayout,
    pub(super) group: wgpu::BindGroup,
    /// Description of access number `i + 1`.
    sites: Mutex<Vec<String>>,
}

/// Size of the word.
const BYTES: u64 = 4;

impl Guard {
    pub(super) fn new(device: &wgpu::Device) -> Self {
        let buffer = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("out of bounds"),
            size: BYTES,
            usage: wgpu::BufferUsages::STORAGE
                | wgpu::BufferUsages::COPY_SRC
                | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("out of bounds"),
            entries: &[wgpu::BindGroupLayoutEntry {
                binding: 0,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty: wgpu::BindingType::Buffer {
                    ty: wgpu::BufferBindingType::Storage { read_only: false },
                    has_dynamic_offset: false,
                    min_binding_size: None,
                },
                count: None,
            }],
        });
        let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("out of bounds"),
            layout: &layout,
            entries: &[wgpu::BindGroupEntry {
                binding: 0,
                resource: buffer.as_entire_binding(),
            }],
        });
        Guard {
            buffer,
            layout,
            group,
            sites: Mutex::default(),
        }
    }

    /// The shader source of a module with bounds checks.
    pub(super) fn source(
        &self,
        label: &str,
        text: &str,
    ) -> Result<wgpu::ShaderSource<'static>, String> {
        let mut known = self.sites.lock();
        let Guarded { module, sites } = bounds::guard(text, known.len() as u32 + 1)?;
        known.extend(sites.into_iter().map(|site| format!("{site} of {label}")));
        Ok(wgpu::ShaderSource::Naga(std::borrow::Cow::Owned(module)))
    }

    /// Encodes a copy of the word into a buffer from `staging`.
    pub(super) fn copy_out(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        staging: impl FnOnce(u64) -> wgpu::Buffer,
    ) -> wgpu::Buffer {
        let to = staging(BYTES);
        encoder.copy_buffer_to_buffer(&self.buffer, 0, &to, 0, BYTES);
        to
    }

    /// Resets the word to 0.
    pub(super) fn reset(&self, queue: &wgpu::Queue) {
        queue.write_buffer(&self.buffer, 0, &[0; BYTES as usize]);
    }

    /// The access whose number a copy of the word holds, if any.
    pub(super) fn site(&self, word: u32) -> Option<String> {
        let index = word.checked_sub(1)?;
        let sites = self.sites.lock();
        let site = sites.get(index as usize);
        Some(site.map_or_else(|| format!("access {word}"), String::clone))
    }
}
