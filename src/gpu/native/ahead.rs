//! Compiles kernels ahead of their first dispatch.
//!
//! Software drivers compile a kernel at its first dispatch, one at a time, and cache the result on
//! disk. With a cold cache, a second device dispatches the same kernels from the end of the plan on an
//! otherwise idle core. The first device then finds them in the cache.

use std::collections::HashSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::gpu::compile::Replay;
use crate::gpu::device::Gpu;
use crate::gpu::error::GpuError;
use crate::gpu::memory::Memory;
use crate::gpu::selection::Selection;
use crate::plan::Plan;

/// With a warm cache the first step ends before this delay, and no second device is opened.
const DELAY: Duration = Duration::from_secs(1);

/// Most memory of the second device.
const MOST_BYTES: u64 = 256 << 20;

/// A compilation on a second device; dropping it stops it.
pub struct Ahead {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Ahead {
    fn drop(&mut self) {
        drop(self.stop.take());
        // The process must not end while the driver compiles; the wait is at most one kernel. If
        // the thread panicked, the first device reports the reason.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Gpu {
    /// Compiles the kernels of `plans` on a second device, each plan from its last step to its first,
    /// if that shortens the wait for the first device. Drop the result after the first run of all
    /// plans.
    pub fn compile_ahead(&self, plans: &[&Plan]) -> Option<Ahead> {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let small = Memory::need(self, plans) <= MOST_BYTES;
        if !self.caps().software || !self.edits.is_empty() || processors == 1 || !small {
            return None;
        }
        let selection = Selection {
            adapter: Some(self.adapter.index.to_string()),
            ..self.selection.clone()
        };
        let plans: Vec<Plan> = plans.iter().map(|plan| (*plan).clone()).collect();
        let (stop, stopped) = channel();
        let work = move || {
            if stopped.recv_timeout(DELAY) == Err(RecvTimeoutError::Timeout) {
                // The first device reports the same error.
                let _ = pollster::block_on(compile(&selection, &plans, &stopped));
            }
        };
        let thread = thread::Builder::new().name("compile ahead".into());
        Some(Ahead {
            stop: Some(stop),
            thread: Some(thread.spawn(work).ok()?),
        })
    }
}

async fn compile(
    selection: &Selection,
    plans: &[Plan],
    stopped: &Receiver<()>,
) -> Result<(), GpuError> {
    let gpu = Gpu::open(selection).await?;
    let memory = Memory::allocate(&gpu, &plans.iter().collect::<Vec<_>>()).await?;
    let mut compiled = HashSet::new();
    for plan in plans {
        for bundle in plan.bundles()?.iter().rev() {
            if stopped.try_recv() == Err(TryRecvError::Disconnected) {
                return Ok(());
            }
            let kernels = bundle.iter().map(|&step| plan.steps()[step].kernel.key());
            if compiled.insert(kernels.collect::<Vec<_>>()) {
                let one = std::slice::from_ref(bundle);
                let replay = Replay::of(&gpu, plan, &memory, one).await?.first_groups();
                gpu.submit(&[(&replay, 1)], None)?.words(&gpu).await?;
            }
        }
    }
    Ok(())
}
