//! Falls back to the next adapter where one fails.

use cvae_gpu::gpu::{self, Selection};

use super::advice;
use crate::cli::common::Common;

/// Runs `work` on the first adapter. Where that gives no device or does not compile a kernel, the
/// next one is tried, with a warning, unless the user named an adapter. Where all fail, the error is
/// that of the first.
pub fn on_adapter<T>(
    selection: &Selection,
    common: &Common,
    work: impl FnMut(usize) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    if selection.adapter.is_some() {
        let mut work = work;
        return work(0);
    }
    gpu::first_willing(work, advice::gpu_error, |refusal| {
        let refusal = advice::message(refusal);
        common.say(&format!("warning: {refusal}; the next adapter is tried"));
    })
}
