//! Opens a device on an adapter with the fewest features and lowest limits that suffice.

use std::sync::Arc;

use super::adapter::{AdapterReport, most_buffers, select};
use super::device::Gpu;
use super::error::GpuError;
use super::fault::Faults;
use super::guard::Guard;
use super::selection::{Feature, Selection};
use super::{lanes, memory, native};

impl Gpu {
    /// Opens the selected adapter with the fewest features and lowest limits that suffice.
    ///
    /// # Errors
    ///
    /// [`GpuError`] if no adapter is selected or the adapter does not open a device.
    pub async fn open(selection: &Selection) -> Result<Gpu, GpuError> {
        Self::open_from(selection, 0).await
    }

    /// As [`Gpu::open`], among the adapters from index `first` on, to try the next adapter after a
    /// refusal.
    pub async fn open_from(selection: &Selection, first: usize) -> Result<Gpu, GpuError> {
        let (adapter, report) = select(selection, first).await?;
        let mut gpu = Self::request(adapter, report, selection).await?;
        if gpu.caps().subgroup_min >= 8 && !lanes::are_as_kernels_expect(&gpu).await? {
            let caps = &mut gpu.adapter.target.caps;
            (caps.subgroup_min, caps.subgroup_max) = (0, 0);
        }
        gpu.counters = Arc::default();
        Ok(gpu)
    }

    async fn request(
        adapter: wgpu::Adapter,
        report: AdapterReport,
        selection: &Selection,
    ) -> Result<Gpu, GpuError> {
        let mut features = wgpu::Features::empty();
        if report.target.caps.subgroup_min > 0 {
            features |= wgpu::Features::SUBGROUP;
        }
        if report.target.caps.timestamps {
            features |=
                wgpu::Features::TIMESTAMP_QUERY | wgpu::Features::TIMESTAMP_QUERY_INSIDE_PASSES;
        }
        let offered = adapter.limits();
        let buffers = report.target.caps.max_buffers as u32;
        let guarded =
            selection.checked && selection.named && most_buffers(&offered) > buffers as usize;
        let buffers = buffers + u32::from(guarded);
        let default = wgpu::Limits::downlevel_defaults().using_alignment(offered.clone());
        let of_any_kind = default.max_buffers_and_acceleration_structures_per_shader_stage;
        // Buffers may be as large as the adapter allows; other limits stay at the defaults.
        let limits = wgpu::Limits {
            max_buffer_size: offered.max_buffer_size,
            max_storage_buffer_binding_size: offered.max_storage_buffer_binding_size,
            max_texture_dimension_2d: offered.max_texture_dimension_2d,
            // WebGPU's minimum; wgpu's downlevel defaults are 32 bytes less.
            max_compute_workgroup_storage_size: report.target.caps.workgroup_memory,
            max_storage_buffers_per_shader_stage: buffers,
            max_buffers_and_acceleration_structures_per_shader_stage: buffers.max(of_any_kind),
            ..default
        };
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("cvae-gpu"),
            required_features: features,
            required_limits: limits,
            memory_hints: wgpu::MemoryHints::Performance,
            ..Default::default()
        };
        let opened = adapter.request_device(&descriptor).await;
        let (device, queue) = opened.map_err(|e| GpuError::NoDevice {
            adapter: report.name.clone(),
            index: report.index,
            reason: e.to_string(),
        })?;
        if report.target.caps.software && selection.allows(Feature::Pinning) {
            native::keep_apart();
        }
        let aliases = report.target.may_alias()
            && selection.allows(Feature::Aliasing)
            && memory::can_alias(&device);
        let faults = Faults::watch(&device, &report.name, report.index);
        let guard = guarded.then(|| Arc::new(Guard::new(&device)));
        Ok(Gpu {
            device,
            queue,
            selection: selection.clone(),
            edits: Default::default(),
            cache: Arc::default(),
            staging: Arc::default(),
            guard,
            faults,
            aliases,
            adapter: report,
            counters: Arc::default(),
        })
    }
}
