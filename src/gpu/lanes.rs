//! Asks a device once whether its subgroups are laid out as kernels need them.

use super::compile::Replay;
use super::device::Gpu;
use super::error::GpuError;
use super::memory::Memory;
use crate::ops::{Graph, lanes};

/// Workgroups that are looked at: enough to reach several processors of a GPU.
const WORKGROUPS: usize = 256;

/// Whether the invocations of a workgroup of 8 are lanes 0 to 7 of a subgroup. A driver that does
/// not compile the question has no subgroups either.
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
