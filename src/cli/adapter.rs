//! Goes on to the next adapter where one refuses its work.

use cvae_gpu::gpu::{self, Selection};

use super::advice;
use crate::cli::common::Common;

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
    gpu::first_willing(work, advice::gpu_error, |refusal| {
        let refusal = advice::message(refusal);
        common.say(&format!("warning: {refusal}; the next adapter is tried"));
    })
}
