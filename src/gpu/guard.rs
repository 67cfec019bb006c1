//! Reports which shader access went out of bounds, on devices with checked shaders.

use std::borrow::Cow;

use parking_lot::Mutex;

use crate::plan::bounds::{self, Guarded};

/// A word on the device with the number of an out-of-bounds access, or 0.
pub(super) struct Guard {
    pub(super) buffer: wgpu::Buffer,
    pub(super) layout: wgpu::BindGroupLayout,
    pub(super) group: wgpu::BindGroup,
    /// Description of access number `i + 1`.
    sites: Mutex<Vec<String>>,
}

impl Guard {
    pub(super) fn new(device: &wgpu::Device) -> Self {
        let buffer = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("out of bounds"),
            size: 4,
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

    /// The shader source of a module with bounds checks; `None` if the WGSL is not valid.
    pub(super) fn source(&self, label: &str, text: &str) -> Option<wgpu::ShaderSource<'static>> {
        let mut known = self.sites.lock();
        let Guarded { module, sites } = bounds::guard(text, known.len() as u32 + 1).ok()?;
        known.extend(sites.into_iter().map(|site| format!("{site} of {label}")));
        Some(wgpu::ShaderSource::Naga(Cow::Owned(module)))
    }

    /// Resets the word to 0.
    pub(super) fn reset(&self, queue: &wgpu::Queue) {
        queue.write_buffer(&self.buffer, 0, &[0; 4]);
    }

    /// The access whose number a copy of the word holds, if any.
    pub(super) fn site(&self, word: u32) -> Option<String> {
        let index = word.checked_sub(1)? as usize;
        self.sites.lock().get(index).cloned()
    }
}
