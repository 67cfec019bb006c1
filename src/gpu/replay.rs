//! Submits compiled plans, many runs per submission, and reads results back without stalling.

use futures_intrusive::channel::shared::{OneshotReceiver, oneshot_channel};

use super::compile::{Replay, encode};
use super::device::{Counters, Gpu};
use super::error::GpuError;
use super::memory::Memory;
use super::native;
use crate::plan::Plan;

type Mapped = OneshotReceiver<Result<(), wgpu::BufferAsyncError>>;

/// A submission in flight, with a copy of a slot at its end.
pub struct Readback {
    index: wgpu::SubmissionIndex,
    copy: Option<Copy>,
    /// On a checked device, a copy of the word of the bounds checks.
    guard: Option<Copy>,
}

/// A staging buffer and its number of valid words.
struct Copy {
    staging: wgpu::Buffer,
    len: usize,
    mapped: Mapped,
}

impl Gpu {
    /// Encodes each replay the given number of times, in submissions short enough for watchdogs, and at
    /// the end a copy of one slot for the host to read.
    pub fn submit<'r>(
        &self,
        runs: &[(&'r Replay, usize)],
        copy: Option<(&Memory, &Plan, &str)>,
    ) -> Result<Readback, GpuError> {
        let begin = || self.device.create_command_encoder(&Default::default());
        let mut encoder = begin();
        let repeated = |(replay, times): &(&'r Replay, usize)| {
            std::iter::repeat_n(&replay.dispatches, *times).flatten()
        };
        let all = runs.iter().flat_map(repeated);
        for (i, piece) in pieces(all, |d| d.flops).into_iter().enumerate() {
            if i > 0 {
                let full = std::mem::replace(&mut encoder, begin());
                self.queue.submit([full.finish()]);
            }
            encode(&mut encoder, piece, |_| ());
        }
        let mut staged = None;
        if let Some((memory, plan, name)) = copy {
            let missing = || GpuError::NoSlot(name.to_owned());
            let id = plan.find(name).ok_or_else(missing)?;
            let staging = memory.copy_out(plan, id, &mut encoder, |size| self.staging(size))?;
            staged = Some((staging, plan[id].len()));
        }
        let guard = self.guard.as_ref();
        let guard = guard.map(|guard| guard.copy_out(&mut encoder, |size| self.staging(size)));
        let index = self.queue.submit([encoder.finish()]);
        Counters::add(&self.counters.submissions);
        let copy = staged.map(|(staging, len)| Copy::map(staging, len));
        let guard = guard.map(|staging| Copy::map(staging, 1));
        self.check()?;
        Ok(Readback { index, copy, guard })
    }

    /// A staging buffer: one returned by an earlier readback, or a new one.
    fn staging(&self, size: u64) -> wgpu::Buffer {
        let mut free = self.staging.lock();
        if let Some(at) = free.iter().position(|b| b.size() == size) {
            return free.swap_remove(at);
        }
        Counters::add(&self.counters.buffers);
        self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("staging"),
            size,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        })
    }
}

/// Most floating-point operations per submission: 0.2 s on a GPU that reaches 100 GFLOP/s. Systems with
/// a watchdog allow two seconds.
const MOST_FLOPS: u64 = 20_000_000_000;

/// Groups work into submissions. A single item may exceed the limit.
fn pieces<T>(items: impl Iterator<Item = T>, flops: impl Fn(&T) -> u64) -> Vec<Vec<T>> {
    let (mut pieces, mut piece, mut sum) = (Vec::new(), Vec::new(), 0);
    for item in items {
        let more = flops(&item);
        if sum > 0 && sum + more > MOST_FLOPS {
            pieces.push(std::mem::take(&mut piece));
            sum = 0;
        }
        sum += more;
        piece.push(item);
    }
    pieces.push(piece);
    pieces
}

impl Readback {
    /// Waits for the submission and returns the bits of the copied slot; empty if no slot was copied.
    ///
    /// # Errors
    ///
    /// [`GpuError`] if the device fails.
    pub async fn words(self, gpu: &Gpu) -> Result<Vec<u32>, GpuError> {
        native::wait(gpu, Some(self.index))?;
        gpu.check()?;
        if let Some(guard) = self.guard {
            let word = guard.words(gpu).await?.first().copied().unwrap_or_default();
            let guard = gpu.guard.as_ref();
            if let Some((guard, access)) = guard.and_then(|g| Some((g, g.site(word)?))) {
                guard.reset(&gpu.queue);
                return Err(GpuError::OutOfBounds { access });
            }
        }
        let Some(copy) = self.copy else {
            return Ok(Vec::new());
        };
        Counters::add(&gpu.counters.readbacks);
        copy.words(gpu).await
    }

    /// As [`Readback::words`], as floats.
    ///
    /// # Errors
    ///
    /// [`GpuError`] if the device fails.
    pub async fn floats(self, gpu: &Gpu) -> Result<Vec<f32>, GpuError> {
        Ok(bytemuck::cast_vec(self.words(gpu).await?))
    }
}

impl Copy {
    fn map(staging: wgpu::Buffer, len: usize) -> Self {
        let (sender, mapped) = oneshot_channel();
        staging.map_async(wgpu::MapMode::Read, .., move |result| {
            // The receiver is dropped when the program exits.
            let _ = sender.send(result);
        });
        Copy {
            staging,
            len,
            mapped,
        }
    }

    /// The words, once the submission has ended.
    async fn words(self, gpu: &Gpu) -> Result<Vec<u32>, GpuError> {
        let result = self.mapped.receive().await;
        result
            .ok_or_else(|| gpu.faults.driver_error("a readback was dropped"))?
            .map_err(|e| gpu.faults.driver_error(e))?;
        let view = self
            .staging
            .get_mapped_range(..)
            .map_err(|e| gpu.faults.driver_error(e))?;
        let mut words = bytemuck::pod_collect_to_vec(&view);
        words.truncate(self.len);
        drop(view);
        self.staging.unmap();
        gpu.staging.lock().push(self.staging);
        Ok(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Number of steps per submission, for steps of these tenths of [`MOST_FLOPS`].
    fn submissions(tenths: &[u64]) -> Vec<usize> {
        let flops = tenths.iter().map(|t| t * MOST_FLOPS / 10);
        let pieces = pieces(flops, |f| *f);
        pieces.iter().map(Vec::len).collect()
    }

    #[test]
    fn a_submission_ends_before_it_is_long() {
        assert_eq!(submissions(&[1, 2, 3, 4]), [4]);
        assert_eq!(submissions(&[4, 4, 4, 4, 4]), [2, 2, 1]);
        assert_eq!(submissions(&[1; 64]), [10, 10, 10, 10, 10, 10, 4]);
        // No submission is empty, even if a single step exceeds the limit.
        assert_eq!(submissions(&[30, 1, 30]), [1, 1, 1]);
        assert_eq!(submissions(&[]), [0]);
    }
}
