//! Goes on to the next adapter where one refuses its work.

use cvae_gpu::explore::ExploreError;
use cvae_gpu::gpu::{self, GpuError, Selection};
use cvae_gpu::train::TrainError;

use crate::cli::common::Common;
use crate::cli::terminal::say;

/// Does `work` on the adapters from the given index on. Where an adapter gives no device or does
/// not compile a kernel, the next one is tried, with a line, unless the user has named the adapter.
/// The error is that of the first adapter where all refuse.
pub fn on_adapter<T>(
    selection: &Selection,
    common: &Common,
    work: impl FnMut(usize) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    if selection.adapter.is_some() {
        let mut work = work;
        return work(0);
    }
    gpu::first_willing(work, gpu_error, |refusal| {
        if !common.quiet {
            say(&format!("warning: {refusal:#}; the next adapter is tried"));
        }
    })
}

/// The error of the device that stopped a command.
pub fn gpu_error(error: &anyhow::Error) -> Option<&GpuError> {
    let of_training = || match error.downcast_ref() {
        Some(TrainError::Gpu(e)) => Some(e),
        _ => None,
    };
    let of_exploring = || match error.downcast_ref() {
        Some(ExploreError::Gpu(e)) => Some(e),
        _ => None,
    };
    let plain = error.downcast_ref();
    plain.or_else(of_training).or_else(of_exploring)
}
