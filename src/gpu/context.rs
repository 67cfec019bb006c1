//! Adapters and the device: which there are, which is taken, and what it can do.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::compile::Pipeline;
use super::error::GpuError;
use super::fault::Faults;
use super::{memory, pin};
use crate::plan::shader::{self, Mistake};
use crate::plan::{Caps, Tiles, Tuning};

/// Graphics interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// Vulkan: Linux, Windows, Android.
    Vulkan,
    /// Metal: Apple.
    Metal,
    /// Direct3D 12: Windows.
    Dx12,
    /// OpenGL ES.
    Gl,
}

impl Backend {
    /// Every backend, the preferred first.
    pub const ALL: [Backend; 4] = [Backend::Vulkan, Backend::Metal, Backend::Dx12, Backend::Gl];

    /// Name as the command line spells it.
    pub fn name(self) -> &'static str {
        match self {
            Backend::Vulkan => "vulkan",
            Backend::Metal => "metal",
            Backend::Dx12 => "dx12",
            Backend::Gl => "gl",
        }
    }

    fn of(backend: wgpu::Backend) -> Option<Self> {
        match backend {
            wgpu::Backend::Vulkan => Some(Backend::Vulkan),
            wgpu::Backend::Metal => Some(Backend::Metal),
            wgpu::Backend::Dx12 => Some(Backend::Dx12),
            wgpu::Backend::Gl => Some(Backend::Gl),
            _ => None,
        }
    }

    fn flags(self) -> wgpu::Backends {
        match self {
            Backend::Vulkan => wgpu::Backends::VULKAN,
            Backend::Metal => wgpu::Backends::METAL,
            Backend::Dx12 => wgpu::Backends::DX12,
            Backend::Gl => wgpu::Backends::GL,
        }
    }
}

impl std::str::FromStr for Backend {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Backend::ALL
            .into_iter()
            .find(|b| b.name() == text)
            .ok_or_else(|| format!("unknown backend `{text}`: use vulkan, metal, dx12 or gl"))
    }
}

/// What an adapter may have and a user may switch off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Feature {
    /// Subgroup operations.
    Subgroups,
    /// Images read from textures.
    Texels,
    /// GPU timestamps.
    Timestamps,
    /// Dispatches that do the work of several steps.
    Fusion,
    /// A processor for each thread of a software driver.
    Pinning,
    /// Textures that share the memory of buffers.
    Aliasing,
}

impl std::str::FromStr for Feature {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "subgroups" => Ok(Feature::Subgroups),
            "texels" => Ok(Feature::Texels),
            "timestamps" => Ok(Feature::Timestamps),
            "fusion" => Ok(Feature::Fusion),
            "pinning" => Ok(Feature::Pinning),
            "aliasing" => Ok(Feature::Aliasing),
            _ => Err(format!(
                "unknown feature `{text}`: use subgroups, texels, timestamps, fusion, pinning or aliasing"
            )),
        }
    }
}

/// Which adapter to take, and what of it to leave unused.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Selection {
    /// Index in the list of adapters, or part of a name; the best adapter if none.
    pub adapter: Option<String>,
    /// Only adapters of this backend.
    pub backend: Option<Backend>,
    /// What to leave unused although the adapter has it, so that any fallback can be tried.
    pub disable: Vec<Feature>,
    /// Keep wgpu's bounds checks and loop bounds in the shaders.
    pub checked: bool,
    /// What is chosen among kernels.
    #[serde(flatten)]
    pub tuning: Tuning,
}

/// What is known of an adapter, as plain data.
#[derive(Clone, Debug, Serialize)]
pub struct AdapterReport {
    /// Position in the list, which `--adapter` takes.
    pub index: usize,
    /// Name.
    pub name: String,
    /// Interface.
    pub backend: Backend,
    /// Driver and its version.
    pub driver: String,
    /// Kind: discrete, integrated, virtual, software or other.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What decides kernel variants.
    pub caps: Caps,
    /// Workgroup memory in bytes.
    pub workgroup_memory: u32,
    /// Invocations in a workgroup.
    pub workgroup_invocations: u32,
    /// Half-precision arithmetic in shaders.
    pub f16: bool,
}

fn kind(device: wgpu::DeviceType) -> &'static str {
    match device {
        wgpu::DeviceType::DiscreteGpu => "discrete",
        wgpu::DeviceType::IntegratedGpu => "integrated",
        wgpu::DeviceType::VirtualGpu => "virtual",
        wgpu::DeviceType::Cpu => "software",
        wgpu::DeviceType::Other => "other",
    }
}

/// Most storage buffers that a dispatch is given, where the adapter has more.
const MOST_BUFFERS: usize = 32;

/// Tiles for this processor, which a software adapter computes on: no small ones where it has 32 vector
/// registers. The 4 500 instructions of a large one's loop outgrow the cache that AMD's keep decoded
/// instructions in, which costs them a fifth. Intel's have a smaller one, and gain by fewer ends of loops
/// (docs/performance.md). Of the two AMD's alone know SSE4a.
fn tiles_of_processor() -> Tiles {
    #[cfg(target_arch = "x86_64")]
    let (many_registers, amd) = (
        is_x86_feature_detected!("avx512vl"),
        is_x86_feature_detected!("sse4a"),
    );
    #[cfg(not(target_arch = "x86_64"))]
    let (many_registers, amd) = (cfg!(target_arch = "aarch64"), false);
    match (many_registers, amd) {
        (false, _) => Tiles::Small,
        (true, true) => Tiles::Medium,
        (true, false) => Tiles::Large,
    }
}

/// Adapters, the best first: discrete before integrated before software, and per kind in the
/// order of [`Backend::ALL`].
async fn enumerate(selection: &Selection) -> Vec<(wgpu::Adapter, AdapterReport)> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = selection
        .backend
        .map_or(wgpu::Backends::all(), Backend::flags);
    // Vulkan and DirectX tell how much memory there is: an error there is better than a system
    // that comes to a halt. Elsewhere this has no effect.
    descriptor.memory_budget_thresholds.for_resource_creation = Some(95);
    let instance = wgpu::Instance::new(descriptor);
    let found = instance.enumerate_adapters(wgpu::Backends::all()).await;
    let mut found: Vec<_> = found
        .into_iter()
        .filter(|a| {
            a.get_downlevel_capabilities()
                .flags
                .contains(wgpu::DownlevelFlags::COMPUTE_SHADERS)
        })
        .filter_map(|adapter| Some((report(&adapter, selection)?, adapter)))
        .collect();
    found.sort_by_key(|(r, _)| {
        let kinds = ["discrete", "integrated", "virtual", "other", "software"];
        let rank = kinds.iter().position(|k| *k == r.kind);
        (rank, Backend::ALL.iter().position(|b| *b == r.backend))
    });
    let number = |(index, (report, adapter))| (adapter, AdapterReport { index, ..report });
    found.into_iter().enumerate().map(number).collect()
}

fn report(adapter: &wgpu::Adapter, selection: &Selection) -> Option<AdapterReport> {
    let (info, limits, features) = (adapter.get_info(), adapter.limits(), adapter.features());
    let on = |feature| !selection.disable.contains(&feature);
    let subgroups = features.contains(wgpu::Features::SUBGROUP) && on(Feature::Subgroups);
    let timestamps = features.contains(wgpu::Features::TIMESTAMP_QUERY_INSIDE_PASSES);
    let software = info.device_type == wgpu::DeviceType::Cpu;
    let size = |size: u32| if subgroups { size } else { 0 };
    let of_any_kind = limits.max_buffers_and_acceleration_structures_per_shader_stage;
    let buffers = limits.max_storage_buffers_per_shader_stage.min(of_any_kind);
    let driver = [info.driver.as_str(), info.driver_info.as_str()].join(" ");
    let caps = selection.tuning.apply(&Caps {
        subgroup_min: size(info.subgroup_min_size),
        subgroup_max: size(info.subgroup_max_size),
        texels: software,
        software,
        timestamps: timestamps && on(Feature::Timestamps),
        fuse: !software,
        max_buffers: (buffers as usize).clamp(8, MOST_BUFFERS),
        max_binding_bytes: limits.max_storage_buffer_binding_size,
        pinned: None,
        tiles: if software {
            tiles_of_processor()
        } else {
            Tiles::Medium
        },
        groups: Caps::groups(software),
    });
    Some(AdapterReport {
        index: 0,
        name: info.name.clone(),
        backend: Backend::of(info.backend)?,
        driver: driver.trim().to_owned(),
        kind: kind(info.device_type),
        caps: Caps {
            texels: caps.texels && on(Feature::Texels),
            fuse: caps.fuse && on(Feature::Fusion),
            ..caps
        },
        workgroup_memory: limits.max_compute_workgroup_storage_size,
        workgroup_invocations: limits.max_compute_invocations_per_workgroup,
        f16: features.contains(wgpu::Features::SHADER_F16),
    })
}

/// The adapters of this machine, the best first.
pub async fn adapters(selection: &Selection) -> Vec<AdapterReport> {
    enumerate(selection)
        .await
        .into_iter()
        .map(|(_, r)| r)
        .collect()
}

/// The adapter that a selection means.
pub async fn adapter(selection: &Selection) -> Result<AdapterReport, GpuError> {
    Ok(select(selection).await?.1)
}

async fn select(selection: &Selection) -> Result<(wgpu::Adapter, AdapterReport), GpuError> {
    let found = enumerate(selection).await;
    if found.is_empty() {
        let backend = selection.backend;
        return Err(GpuError::NoAdapter { backend });
    }
    let wanted = selection.adapter.as_deref();
    let matches = |report: &AdapterReport| match wanted {
        None => true,
        Some(text) => match text.parse::<usize>() {
            Ok(index) => report.index == index,
            Err(_) => report.name.to_lowercase().contains(&text.to_lowercase()),
        },
    };
    let line = |r: &AdapterReport| format!("  {} {} ({})", r.index, r.name, r.backend.name());
    let unknown = GpuError::UnknownAdapter {
        wanted: wanted.unwrap_or_default().to_owned(),
        found: found.iter().map(|(_, r)| line(r)).collect(),
    };
    found.into_iter().find(|(_, r)| matches(r)).ok_or(unknown)
}

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
        let (adapter, report) = select(selection).await?;
        Self::request(adapter, report, selection).await
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
                .min(16 << 10),
            ..wgpu::Limits::downlevel_defaults().using_alignment(offered.clone())
        };
        let (buffers, of_any_kind) = (
            report.caps.max_buffers as u32,
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
                    reason: e.to_string(),
                })?;
        if report.caps.software && !selection.disable.contains(&Feature::Pinning) {
            pin::keep_apart();
        }
        let allowed = !selection.disable.contains(&Feature::Aliasing);
        let aliases = report.caps.texels && allowed && memory::can_alias(&device);
        let faults = Faults::watch(&device);
        Ok(Gpu {
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
        Ok(Gpu {
            device: self.device.clone(),
            queue: self.queue.clone(),
            selection: self.selection.clone(),
            checked: true,
            mistakes: mistakes.to_vec(),
            pipelines: Mutex::new(pipelines.filter(|(key, _)| module_of(key)).collect()),
            modules: Mutex::new(modules.filter(|(name, _)| right(name)).collect()),
            staging: Mutex::default(),
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
