//! Adapters: enumeration, capabilities, and selection by the user.

use serde::Serialize;

use super::error::GpuError;
use super::selection::{Backend, Feature, Selection};
use crate::ops::Target;
use crate::plan::Caps;

/// Description of an adapter as plain data.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct AdapterReport {
    /// Index in the list of adapters, as `--adapter` takes it.
    pub index: usize,
    /// Name of the adapter.
    pub name: String,
    /// Graphics API.
    pub backend: Backend,
    /// Driver and its version.
    pub driver: String,
    /// Kind: discrete, integrated, virtual, software or other.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The target for lowering.
    #[serde(rename = "caps")]
    pub target: Target,
    /// Workgroup memory in bytes.
    pub workgroup_memory: u32,
    /// Most invocations per workgroup.
    pub workgroup_invocations: u32,
    /// Supports half-precision arithmetic in shaders.
    pub f16: bool,
    /// What only a bug report tells.
    #[serde(skip)]
    pub details: Details,
}

/// Facts of an adapter on which no choice depends.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Details {
    /// PCI ids of vendor and device, where the backend has them.
    pub ids: [u32; 2],
    /// Largest buffer in bytes.
    pub max_buffer_bytes: u64,
    /// Storage buffers per dispatch; at most some of them are used.
    pub storage_buffers: usize,
    /// Alignment of offsets into storage buffers, in bytes.
    pub offset_alignment: u32,
    /// Most workgroups in each dimension of a dispatch.
    pub workgroups: u32,
    /// Names of all features.
    pub features: Vec<&'static str>,
}

/// Kinds of adapters, the preferred one first.
const KINDS: [(wgpu::DeviceType, &str); 5] = [
    (wgpu::DeviceType::DiscreteGpu, "discrete"),
    (wgpu::DeviceType::IntegratedGpu, "integrated"),
    (wgpu::DeviceType::VirtualGpu, "virtual"),
    (wgpu::DeviceType::Other, "other"),
    (wgpu::DeviceType::Cpu, "software"),
];

/// Most bytes of workgroup memory that a device is opened with: the minimum of every WebGPU adapter.
const MOST_WORKGROUP_MEMORY: u32 = 16 << 10;

/// Most storage buffers per dispatch that a device is opened with.
const MOST_BUFFERS: usize = 32;

/// Storage buffers per dispatch of a device with these limits.
pub(super) fn most_buffers(limits: &wgpu::Limits) -> usize {
    let of_any_kind = limits.max_buffers_and_acceleration_structures_per_shader_stage;
    limits.max_storage_buffers_per_shader_stage.min(of_any_kind) as usize
}

/// Adapters, the best first: discrete, then integrated, then software; within a kind in the order of
/// [`Backend::ALL`]. OpenGL is searched only on request or as a last resort, since its libraries print
/// warnings.
async fn enumerate(selection: &Selection) -> Vec<(wgpu::Adapter, AdapterReport)> {
    if let Some(backend) = selection.backend {
        return adapters_of(backend.wgpu().into(), selection).await;
    }
    let found = adapters_of(wgpu::Backends::all() - wgpu::Backends::GL, selection).await;
    match found.is_empty() {
        true => adapters_of(wgpu::Backends::GL, selection).await,
        false => found,
    }
}

async fn adapters_of(
    backends: wgpu::Backends,
    selection: &Selection,
) -> Vec<(wgpu::Adapter, AdapterReport)> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = backends;
    // Vulkan and DirectX report the memory budget. An allocation error is better than a system that
    // runs out of memory. Other backends ignore this.
    descriptor.memory_budget_thresholds.for_resource_creation = Some(95);
    let found = wgpu::Instance::new(descriptor).enumerate_adapters(backends);
    let mut found: Vec<_> = found
        .await
        .into_iter()
        .filter_map(|adapter| Some((report(&adapter, selection)?, adapter)))
        .collect();
    found.sort_by_key(|((rank, _), _)| *rank);
    let number = |(index, ((_, report), adapter))| (adapter, AdapterReport { index, ..report });
    found.into_iter().enumerate().map(number).collect()
}

/// Positions of kind and backend among the preferred ones, and the report; `None` if this program
/// cannot use the adapter.
fn report(
    adapter: &wgpu::Adapter,
    selection: &Selection,
) -> Option<((usize, usize), AdapterReport)> {
    let (info, limits, features) = (adapter.get_info(), adapter.limits(), adapter.features());
    let downlevel = adapter.get_downlevel_capabilities().flags;
    if !downlevel.contains(wgpu::DownlevelFlags::COMPUTE_SHADERS) {
        return None;
    }
    let kind = KINDS
        .iter()
        .position(|(kind, _)| *kind == info.device_type)?;
    let backend = Backend::of(info.backend)?;
    let rank = Backend::ALL.iter().position(|b| *b == backend);
    let on = |feature| selection.allows(feature);
    let subgroups = features.contains(wgpu::Features::SUBGROUP) && on(Feature::Subgroups);
    let timestamps = features.contains(wgpu::Features::TIMESTAMP_QUERY_INSIDE_PASSES);
    let size = |size: u32| if subgroups { size } else { 0 };
    // Naming accesses needs a buffer of its own.
    let buffers = most_buffers(&limits) - usize::from(selection.named);
    let workgroup_memory = limits.max_compute_workgroup_storage_size;
    let mut target = Target::new(Caps {
        subgroup_min: size(info.subgroup_min_size),
        subgroup_max: size(info.subgroup_max_size),
        software: info.device_type == wgpu::DeviceType::Cpu,
        timestamps: timestamps && on(Feature::Timestamps),
        max_buffers: buffers.clamp(8, MOST_BUFFERS),
        max_binding_bytes: limits.max_storage_buffer_binding_size,
        workgroup_memory: workgroup_memory.min(MOST_WORKGROUP_MEMORY),
    })
    .tuned(&selection.tuning);
    target.heuristics.texels &= on(Feature::Texels);
    target.heuristics.fuse &= on(Feature::Fusion);
    let driver = [info.driver.as_str(), info.driver_info.as_str()].join(" ");
    let report = AdapterReport {
        index: 0,
        name: info.name,
        backend,
        driver: driver.trim().to_owned(),
        kind: KINDS[kind].1,
        target,
        workgroup_memory,
        workgroup_invocations: limits.max_compute_invocations_per_workgroup,
        f16: features.contains(wgpu::Features::SHADER_F16),
        details: Details {
            ids: [info.vendor, info.device],
            max_buffer_bytes: limits.max_buffer_size,
            storage_buffers: most_buffers(&limits),
            offset_alignment: limits.min_storage_buffer_offset_alignment,
            workgroups: limits.max_compute_workgroups_per_dimension,
            features: features.iter_names().map(|(name, _)| name).collect(),
        },
    };
    Some(((kind, rank.unwrap_or(0)), report))
}

/// The adapters of this machine, the best first.
pub async fn adapters(selection: &Selection) -> Vec<AdapterReport> {
    let found = enumerate(selection).await.into_iter();
    found.map(|(_, report)| report).collect()
}

/// The adapter that `selection` selects.
///
/// # Errors
///
/// [`GpuError::NoAdapter`] or [`GpuError::UnknownAdapter`].
pub async fn adapter(selection: &Selection) -> Result<AdapterReport, GpuError> {
    Ok(select(selection, 0).await?.1)
}

/// The first adapter from index `first` on that `selection` selects.
pub(super) async fn select(
    selection: &Selection,
    first: usize,
) -> Result<(wgpu::Adapter, AdapterReport), GpuError> {
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
    let mut found = found.into_iter().skip(first);
    found.find(|(_, r)| matches(r)).ok_or(unknown)
}

/// Calls `work` with the first index for [`Gpu::open_from`](super::Gpu::open_from), again past each
/// adapter that opens no device or does not compile a kernel. `gpu_error` finds the device's error in
/// that of `work`; `tell` receives each refusal. If all refuse, the first error is returned.
pub fn first_willing<T, E>(
    mut work: impl FnMut(usize) -> Result<T, E>,
    gpu_error: impl Fn(&E) -> Option<&GpuError>,
    mut tell: impl FnMut(&E),
) -> Result<T, E> {
    let mut first: Option<E> = None;
    let mut index = 0;
    loop {
        let error = match work(index) {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let refused = match gpu_error(&error) {
            Some(GpuError::NoDevice { index, .. } | GpuError::Kernel { index, .. }) => *index,
            // No adapter is left.
            Some(GpuError::UnknownAdapter { .. }) => return Err(first.unwrap_or(error)),
            _ => return Err(error),
        };
        tell(&error);
        index = refused + 1;
        first.get_or_insert(error);
    }
}
