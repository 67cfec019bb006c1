//! Probes once per device whether its subgroups have the layout that kernels need.

use super::compile::Replay;
use super::device::Gpu;
use super::error::GpuError;
use super::memory::Memory;
use crate::ops::{Graph, lanes};

/// Workgroups of the probe: enough to reach several compute units of a GPU.
const WORKGROUPS: usize = 256;

/// Whether the invocations of a workgroup of 8 are lanes 0 to 7 of a subgroup. If the driver does not
/// compile the probe, the answer is no.
pub(super) async fn are_as_kernels_expect(gpu: &Gpu) -> Result<bool, GpuError> {
    let mut graph = Graph::new(1);
    let found = lanes::locate(&mut graph, WORKGROUPS);
    let plan = graph.lower(gpu.target());
    let memory = Memory::allocate(gpu, &[&plan]).await?;
    let replay = match Replay::compile(gpu, &plan, &memory).await {
        Err(GpuError::Kernel { .. }) => return Ok(false),
        compiled => compiled?,
    };
    let name = plan[found].name.as_str();
    let run = gpu.submit(&[(&replay, 1)], Some((&memory, &plan, name)))?;
    Ok(lanes::are_together(&run.words(gpu).await?))
}
