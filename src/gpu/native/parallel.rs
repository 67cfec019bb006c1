//! Parallel compilation, and blocking waits for the device. Without the feature `cli` there are no
//! threads, and the caller awaits.

use crate::gpu::device::Gpu;
use crate::gpu::error::GpuError;

/// Maps items in order, on all cores unless `alone`. A GPU driver compiles a kernel for up to a second
/// on the calling thread.
#[cfg(feature = "cli")]
pub async fn map<T: Sync, R: Send, E: Send>(
    items: &[T],
    alone: bool,
    make: impl AsyncFn(&T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    use std::num::NonZero;
    use std::thread;

    let threads = if alone {
        1
    } else {
        thread::available_parallelism().map_or(1, NonZero::get)
    };
    let parts = items.chunks(items.len().div_ceil(threads).max(1));
    let of_part = |part: &[T]| {
        pollster::block_on(async {
            let mut made = Vec::new();
            for item in part {
                made.push(make(item).await?);
            }
            Ok(made)
        })
    };
    let made = thread::scope(|scope| {
        let making: Vec<_> = parts
            .map(|part| scope.spawn(move || of_part(part)))
            .collect();
        let made = making.into_iter().map(|thread| thread.join());
        made.collect::<thread::Result<Vec<Result<Vec<R>, E>>>>()
    });
    let made = made.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    let parts: Vec<Vec<R>> = made.into_iter().collect::<Result<_, _>>()?;
    Ok(parts.into_iter().flatten().collect())
}

/// Maps items in order on one thread.
#[cfg(not(feature = "cli"))]
pub async fn map<T, R, E>(
    items: &[T],
    _: bool,
    make: impl AsyncFn(&T) -> Result<R, E>,
) -> Result<Vec<R>, E> {
    let mut made = Vec::new();
    for item in items {
        made.push(make(item).await?);
    }
    Ok(made)
}

/// Blocks until a submission has ended, so that awaiting it returns at once.
#[cfg(feature = "cli")]
pub fn wait(gpu: &Gpu, submission: Option<wgpu::SubmissionIndex>) -> Result<(), GpuError> {
    let wait = wgpu::PollType::Wait {
        submission_index: submission,
        timeout: None,
    };
    let polled = gpu.device.poll(wait);
    polled.map(drop).map_err(|e| gpu.faults.driver_error(e))
}

/// Returns at once: the event loop wakes the waiting task.
#[cfg(not(feature = "cli"))]
pub fn wait(_: &Gpu, _: Option<wgpu::SubmissionIndex>) -> Result<(), GpuError> {
    Ok(())
}
