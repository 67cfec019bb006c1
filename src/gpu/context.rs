//! The device: opened on an adapter, with what is shared by all plans on it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::adapter::{
    AdapterReport, Feature, MOST_WORKGROUP_MEMORY, Selection, most_buffers, select,
};
use super::compile::Pipeline;
use super::error::GpuError;
use super::fault::Faults;
use super::guard::Guard;
use super::{lanes, memory, pin};
use crate::plan::shader::{self, Mistake};
use crate::plan::{Caps, Tuning};

/// How often host and device have talked, to show that a train step needs neither.
#[derive(Debug, Default)]
pub struct Counters {
    /// Submissions to the queue.
    pub submissions: AtomicU64,
    /// Buffers written by the host.
    pub host_writes: AtomicU64,
    /// Buffers read back.
    pub readbacks: AtomicU64,
    /// Buffers created.
    pub buffers: AtomicU64,
}

impl Counters {
    pub(super) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// An open device.
pub struct Gpu {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) selection: Selection,
    pub(super) checked: bool,
    pub(super) mistakes: Vec<Mistake>,
    pub(super) pipelines: Mutex<HashMap<String, Arc<Pipeline>>>,
    pub(super) modules: Mutex<HashMap<&'static str, wgpu::ShaderModule>>,
    pub(super) staging: Mutex<Vec<wgpu::Buffer>>,
    /// On a checked device, unless the adapter has no storage buffer left for it.
    pub(super) guard: Option<Arc<Guard>>,
    pub(super) faults: Faults,
    /// Whether mirrors share the memory of what they mirror.
    pub(super) aliases: bool,
    /// The adapter it was opened on.
    pub adapter: AdapterReport,
    /// Traffic so far.
    pub counters: Counters,
}

/// The contents of a lock, also after another thread panicked while holding it: all that these
/// locks guard stays valid at every moment.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gpu {
    /// Opens the selected adapter with the least features and limits that do.
    pub async fn open(selection: &Selection) -> Result<Gpu, GpuError> {
        Self::open_from(selection, 0).await
    }

    /// The same, of the adapters from index `first` on: for whoever goes on to the next adapter
    /// where one refuses.
    pub async fn open_from(selection: &Selection, first: usize) -> Result<Gpu, GpuError> {
        let (adapter, report) = select(selection, first).await?;
        let mut gpu = Self::request(adapter, report, selection).await?;
        if gpu.caps().subgroup_min >= 8 && !lanes::are_as_kernels_expect(&gpu).await? {
            let caps = &mut gpu.adapter.caps;
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
        if report.caps.subgroup_min > 0 {
            features |= wgpu::Features::SUBGROUP;
        }
        if report.caps.timestamps {
            features |=
                wgpu::Features::TIMESTAMP_QUERY | wgpu::Features::TIMESTAMP_QUERY_INSIDE_PASSES;
        }
        // Buffers may be as large as the adapter allows; everything else keeps to the defaults.
        let offered = adapter.limits();
        let limits = wgpu::Limits {
            max_buffer_size: offered.max_buffer_size,
            max_storage_buffer_binding_size: offered.max_storage_buffer_binding_size,
            max_texture_dimension_2d: offered.max_texture_dimension_2d,
            // WebGPU's, which the defaults for old adapters miss by 32 bytes.
            max_compute_workgroup_storage_size: offered
                .max_compute_workgroup_storage_size
                .min(MOST_WORKGROUP_MEMORY),
            ..wgpu::Limits::downlevel_defaults().using_alignment(offered.clone())
        };
        let guarded = selection.checked
            && selection.named
            && most_buffers(&offered) > report.caps.max_buffers;
        let (buffers, of_any_kind) = (
            report.caps.max_buffers as u32 + u32::from(guarded),
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
        if report.caps.software && !selection.disable.contains(&Feature::Pinning) {
            pin::keep_apart();
        }
        let allowed = !selection.disable.contains(&Feature::Aliasing);
        let aliases = report.caps.may_alias() && allowed && memory::can_alias(&device);
        let faults = Faults::watch(&device);
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

    /// The same device with wrong shaders, to prove that checks see them. Its shaders are
    /// checked, whatever this device's are, so that a wrong index stays without consequence; and
    /// where this device's are checked too, kernels without a mistake are not compiled again.
    ///
    /// # Errors
    ///
    /// [`GpuError::Mistake`] where a mistake's text is not in its file exactly once, or where the
    /// result is no valid WGSL.
    pub fn planted(&self, mistakes: &[Mistake]) -> Result<Gpu, GpuError> {
        let check = |m: &Mistake| m.check().map_err(GpuError::Mistake);
        mistakes.iter().try_for_each(check)?;
        let right = |module: &str| {
            let source = shader::source(module);
            self.checked && self.mistakes.is_empty() && source.is_some_and(|s| !s.has(mistakes))
        };
        let modules = lock(&self.modules).clone().into_iter();
        let pipelines = lock(&self.pipelines).clone().into_iter();
        let module_of = |key: &str| key.split("::").next().is_some_and(right);
        if let Some(guard) = &self.guard {
            guard.reset(&self.queue);
        }
        Ok(Gpu {
            device: self.device.clone(),
            queue: self.queue.clone(),
            selection: self.selection.clone(),
            checked: true,
            mistakes: mistakes.to_vec(),
            pipelines: Mutex::new(pipelines.filter(|(key, _)| module_of(key)).collect()),
            modules: Mutex::new(modules.filter(|(name, _)| right(name)).collect()),
            staging: Mutex::default(),
            guard: self.guard.clone(),
            faults: self.faults.clone(),
            aliases: self.aliases,
            adapter: self.adapter.clone(),
            counters: Counters::default(),
        })
    }

    /// What decides kernel variants.
    pub fn caps(&self) -> &Caps {
        &self.adapter.caps
    }

    /// Whether the user lets a feature be used; the adapter may not have it.
    pub fn allows(&self, feature: Feature) -> bool {
        !self.selection.disable.contains(&feature)
    }

    /// Lets plans be made by this choice from now on.
    pub fn tune(&mut self, choice: Tuning) {
        self.adapter.caps = choice.apply(&self.adapter.caps);
    }
}
