//! Compiles kernels ahead of their first dispatch.
//!
//! Software drivers turn a kernel into machine code when it is first dispatched, one kernel after
//! the other, and keep the result in a cache on disk. Where that cache is cold, a second device
//! which dispatches the same kernels from the other end of the plan uses a processor that would
//! wait meanwhile: the first device then finds in the cache what the second has compiled.

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

/// With a warm cache the first step is done before, and the second device is never opened.
const DELAY: Duration = Duration::from_secs(1);

/// The second device has its own memory, of which it takes no more.
const MOST_BYTES: u64 = 256 << 20;

/// Kernels that are being compiled elsewhere, until this is dropped.
pub struct Ahead {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Ahead {
    fn drop(&mut self) {
        drop(self.stop.take());
        // A process must not end while a driver is at work. That takes a kernel's compilation at
        // most; and if the thread panicked, the first device has its own say about the reason.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Gpu {
    /// Compiles the kernels of `plans` on a second device, each plan from its last step to its
    /// first, where that shortens the wait for the first device. To be dropped when that has run
    /// them all once.
    pub fn compile_ahead(&self, plans: &[&Plan]) -> Option<Ahead> {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let small = Memory::need(self, plans) <= MOST_BYTES;
        if !self.caps().software || !self.mistakes.is_empty() || processors == 1 || !small {
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
                // What fails here fails on the first device too, which says so.
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
                let group = Replay::first_group(&gpu, plan, &memory, bundle).await?;
                gpu.submit(&[(&group, 1)], None)?.words(&gpu).await?;
            }
        }
    }
    Ok(())
}
