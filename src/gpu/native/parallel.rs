//! Work on several threads, and waiting for the device. Without the feature `cli` there are no
//! threads, and the caller awaits.

use crate::gpu::device::Gpu;
use crate::gpu::error::GpuError;

/// Maps items in order. Drivers of GPUs compile a kernel for as long as a second, on the thread
/// that asks, so all processors ask, unless the work is to be done alone.
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

/// Maps items in order, one after the other.
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

/// Blocks until a submission has ended, so that what awaits it need not be woken.
#[cfg(feature = "cli")]
pub fn wait(gpu: &Gpu, submission: Option<wgpu::SubmissionIndex>) -> Result<(), GpuError> {
    let wait = wgpu::PollType::Wait {
        submission_index: submission,
        timeout: None,
    };
    let polled = gpu.device.poll(wait);
    polled.map(drop).map_err(|e| gpu.faults.driver_error(e))
}

/// Returns at once: the event loop wakes what awaits the submission.
#[cfg(not(feature = "cli"))]
pub fn wait(_: &Gpu, _: Option<wgpu::SubmissionIndex>) -> Result<(), GpuError> {
    Ok(())
}
