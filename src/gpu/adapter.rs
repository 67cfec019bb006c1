//! Adapters: enumeration, capabilities, and selection by the user.

use serde::Serialize;

use super::error::GpuError;
use super::selection::{Backend, Feature, Selection};
use crate::ops::Target;
use crate::plan::Caps;

/// Description of an adapter as plain data.
#[derive(Clone, Debug, Serialize)]
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

/// Most bytes of workgroup memory that a device is opened with: the minimum of every WebGPU adapter.
pub(super) const MOST_WORKGROUP_MEMORY: u32 = 16 << 10;

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
    match selection.backend {
        Some(backend) => adapters_of(backend.flags(), selection).await,
        None => {
            let found = adapters_of(wgpu::Backends::all() - wgpu::Backends::GL, selection).await;
            if !found.is_empty() {
                return found;
            }
            adapters_of(wgpu::Backends::GL, selection).await
        }
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
    let instance = wgpu::Instance::new(descriptor);
    let found = instance.enumerate_adapters(backends).await;
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
    let size = |size: u32| if subgroups { size } else { 0 };
    // Naming accesses needs a buffer of its own.
    let buffers = most_buffers(&limits) - usize::from(selection.named);
    let driver = [info.driver.as_str(), info.driver_info.as_str()].join(" ");
    let mut target = Target::new(Caps {
        subgroup_min: size(info.subgroup_min_size),
        subgroup_max: size(info.subgroup_max_size),
        software: info.device_type == wgpu::DeviceType::Cpu,
        timestamps: timestamps && on(Feature::Timestamps),
        max_buffers: buffers.clamp(8, MOST_BUFFERS),
        max_binding_bytes: limits.max_storage_buffer_binding_size,
        workgroup_memory: limits
            .max_compute_workgroup_storage_size
            .min(MOST_WORKGROUP_MEMORY),
    })
    .tuned(&selection.tuning);
    target.heuristics.texels &= on(Feature::Texels);
    target.heuristics.fuse &= on(Feature::Fusion);
    Some(AdapterReport {
        index: 0,
        name: info.name.clone(),
        backend: Backend::of(info.backend)?,
        driver: driver.trim().to_owned(),
        kind: kind(info.device_type),
        target,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel(index: usize) -> GpuError {
        GpuError::Kernel {
            adapter: format!("GPU {index}"),
            index,
            kernel: "conv_thin".into(),
            reason: "X4027".into(),
        }
    }

    fn no_device(index: usize) -> GpuError {
        GpuError::NoDevice {
            adapter: format!("GPU {index}"),
            index,
            reason: "not today".into(),
        }
    }

    fn no_more() -> GpuError {
        let (wanted, found) = (String::new(), Vec::new());
        GpuError::UnknownAdapter { wanted, found }
    }

    fn own(error: &GpuError) -> Option<&GpuError> {
        Some(error)
    }

    /// The result for adapters with these answers, and the messages.
    fn outcome(
        answers: impl Fn(usize) -> Result<usize, GpuError>,
    ) -> (Result<usize, String>, Vec<String>) {
        let mut told = Vec::new();
        let done = first_willing(answers, own, |refusal| told.push(refusal.to_string()));
        (done.map_err(|e| e.to_string()), told)
    }

    #[test]
    fn the_next_adapter_is_tried_with_a_line_that_has_the_cause() {
        let (done, told) = outcome(|index| match index {
            0 => Err(no_device(0)),
            // Adapter 1 has another backend.
            1 | 2 => Err(kernel(2)),
            _ => Ok(index),
        });
        assert_eq!(done, Ok(3));
        assert!(told[0].contains("GPU 0") && told[0].contains("not today"));
        assert!(told[1].contains("GPU 2") && told[1].contains("X4027"));
        assert_eq!(told.len(), 2);
    }

    #[test]
    fn where_all_refuse_the_first_says_why() {
        let (done, told) = outcome(|index| match index {
            0 | 1 => Err(kernel(index)),
            _ => Err(no_more()),
        });
        assert!(done.is_err_and(|e| e.contains("GPU 0")));
        assert_eq!(told.len(), 2);
    }

    #[test]
    fn any_other_error_is_no_refusal() {
        let missing = || GpuError::NoSlot("x".into());
        let (done, told) = outcome(|_| Err(missing()));
        assert_eq!(done, Err(missing().to_string()));
        assert!(told.is_empty());
        assert!(outcome(|_| Err(no_more())).0.is_err());
    }
}
