//! Parallel compilation, and blocking waits for the device.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread;

use super::plain;
use crate::gpu::device::Gpu;
use crate::gpu::error::GpuError;

/// Maps items in order, on all cores unless `alone`. A GPU driver compiles a kernel for up to a second
/// on the calling thread.
pub async fn map<T: Sync, R: Send, E: Send>(
    items: &[T],
    alone: bool,
    make: impl AsyncFn(&T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let threads = match alone {
        true => 1,
        false => thread::available_parallelism().map_or(1, NonZero::get),
    };
    let parts = items.chunks(items.len().div_ceil(threads).max(1));
    let of_part = |part: &[T]| pollster::block_on(plain::map(part, alone, &make));
    let made = thread::scope(|scope| {
        let making = parts.map(|part| scope.spawn(move || of_part(part)));
        let making: Vec<_> = making.collect();
        let made = making.into_iter().map(|thread| thread.join());
        let made = made.map(|made| made.unwrap_or_else(|panic| resume_unwind(panic)));
        made.collect::<Result<Vec<Vec<R>>, E>>()
    });
    Ok(made?.into_iter().flatten().collect())
}

/// Blocks until a submission has ended, so that awaiting it returns at once.
pub fn wait(gpu: &Gpu, submission: Option<wgpu::SubmissionIndex>) -> Result<(), GpuError> {
    let wait = wgpu::PollType::Wait {
        submission_index: submission,
        timeout: None,
    };
    let polled = gpu.device.poll(wait);
    polled.map(drop).map_err(|e| gpu.faults.driver_error(e))
}
