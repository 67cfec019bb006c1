//! Opens a device on an adapter with the fewest features and lowest limits that suffice.

use std::sync::Arc;

use parking_lot::Mutex;

use super::adapter::{AdapterReport, MOST_WORKGROUP_MEMORY, most_buffers, select};
use super::device::{Counters, Gpu};
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
    ///
    /// # Errors
    ///
    /// As of [`Gpu::open`].
    pub async fn open_from(selection: &Selection, first: usize) -> Result<Gpu, GpuError> {
        let (adapter, report) = select(selection, first).await?;
        let mut gpu = Self::request(adapter, report, selection).await?;
        if gpu.caps().subgroup_min >= 8 && !lanes::are_as_kernels_expect(&gpu).await? {
            let caps = &mut gpu.adapter.target.caps;
            (caps.subgroup_min, caps.subgroup_max) = (0, 0);
        }
        gpu.counters = Counters::default();
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
        // Buffers may be as large as the adapter allows; other limits stay at the defaults.
        let offered = adapter.limits();
        let limits = wgpu::Limits {
            max_buffer_size: offered.max_buffer_size,
            max_storage_buffer_binding_size: offered.max_storage_buffer_binding_size,
            max_texture_dimension_2d: offered.max_texture_dimension_2d,
            // WebGPU's minimum; wgpu's downlevel defaults are 32 bytes less.
            max_compute_workgroup_storage_size: offered
                .max_compute_workgroup_storage_size
                .min(MOST_WORKGROUP_MEMORY),
            ..wgpu::Limits::downlevel_defaults().using_alignment(offered.clone())
        };
        let guarded = selection.checked
            && selection.named
            && most_buffers(&offered) > report.target.caps.max_buffers;
        let (buffers, of_any_kind) = (
            report.target.caps.max_buffers as u32 + u32::from(guarded),
            limits.max_buffers_and_acceleration_structures_per_shader_stage,
        );
        let limits = wgpu::Limits {
            max_storage_buffers_per_shader_stage: buffers,
            max_buffers_and_acceleration_structures_per_shader_stage: buffers.max(of_any_kind),
            ..limits
        };
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("cvae-gpu"),
            required_features: features,
            required_limits: limits,
            memory_hints: wgpu::MemoryHints::Performance,
            ..Default::default()
        };
        let (device, queue) =
            adapter
                .request_device(&descriptor)
                .await
                .map_err(|e| GpuError::NoDevice {
                    adapter: report.name.clone(),
                    index: report.index,
                    reason: e.to_string(),
                })?;
        if report.target.caps.software && !selection.disable.contains(&Feature::Pinning) {
            native::keep_apart();
        }
        let allowed = !selection.disable.contains(&Feature::Aliasing);
        let aliases = report.target.may_alias() && allowed && memory::can_alias(&device);
        let faults = Faults::watch(&device, &report.name, report.index);
        let guard = guarded.then(|| Arc::new(Guard::new(&device)));
        Ok(Gpu {
            guard,
            device,
            queue,
            selection: selection.clone(),
            checked: selection.checked,
            mistakes: Vec::new(),
            pipelines: Mutex::default(),
            modules: Mutex::default(),
            staging: Mutex::default(),
            faults,
            aliases,
            adapter: report,
            counters: Counters::default(),
        })
    }
}
