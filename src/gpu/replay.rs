//! Submits compiled plans, many runs per submission, and reads results back without stalling.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_intrusive::channel::shared::{OneshotReceiver, oneshot_channel};

use super::compile::{Replay, encode};
use super::device::Gpu;
use super::error::GpuError;
use super::guard::Guard;
use super::memory::Memory;
use super::native;
use crate::plan::Plan;

type Mapped = OneshotReceiver<Result<(), wgpu::BufferAsyncError>>;

/// A submission in flight, with a copy of a slot at its end.
pub struct Readback {
    index: wgpu::SubmissionIndex,
    copy: Option<Copy>,
    /// Without a copy, tells when the submission has ended.
    ended: Option<OneshotReceiver<()>>,
    /// On a checked device, a copy of the word of the bounds checks.
    guard: Option<Copy>,
}

/// A staging buffer and its number of valid words.
type Staged = (wgpu::Buffer, usize);

/// A staging buffer that is being mapped.
pub(super) struct Copy {
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
        let repeated =
            |run: &(&'r Replay, usize)| std::iter::repeat_n(&run.0.dispatches, run.1).flatten();
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
            let id = plan.find(name);
            let id = id.ok_or_else(|| GpuError::NoSlot(name.to_owned()))?;
            let part = memory.place(plan, id)?;
            staged = Some(self.stage(&mut encoder, part, plan[id].len()));
        }
        let word = |guard: &Arc<Guard>| self.stage(&mut encoder, (&guard.buffer, 0, 4), 1);
        let guard = self.guard.as_ref().map(word);
        let index = self.queue.submit([encoder.finish()]);
        let ended = staged.is_none().then(|| self.ended());
        let (copy, guard) = (staged.map(Copy::map), guard.map(Copy::map));
        self.check()?;
        Ok(Readback {
            index,
            copy,
            ended,
            guard,
        })
    }

    /// Tells when all that has been submitted so far has ended.
    fn ended(&self) -> OneshotReceiver<()> {
        let (sender, ended) = oneshot_channel();
        self.queue.on_submitted_work_done(move || {
            // The receiver is dropped when the program exits.
            let _ = sender.send(());
        });
        ended
    }

    /// Encodes a copy of a part of a buffer (offset and size in bytes) into a staging buffer: one
    /// returned by an earlier readback, or a new one. Its first `len` words are valid.
    pub(super) fn stage(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        (buffer, start, size): (&wgpu::Buffer, u64, u64),
        len: usize,
    ) -> Staged {
        let mut free = self.staging.lock();
        let staging = match free.iter().position(|b| b.size() == size) {
            Some(at) => free.swap_remove(at),
            None => {
                self.counters.buffers.fetch_add(1, Ordering::Relaxed);
                self.device.create_buffer(&wgpu::BufferDescriptor {
                    label: Some("staging"),
                    size,
                    usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                    mapped_at_creation: false,
                })
            }
        };
        encoder.copy_buffer_to_buffer(buffer, start, &staging, 0, size);
        (staging, len)
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
    pub async fn words(self, gpu: &Gpu) -> Result<Vec<u32>, GpuError> {
        native::wait(gpu, Some(self.index))?;
        gpu.check()?;
        if let (Some(copy), Some(guard)) = (self.guard, &gpu.guard)
            && let Some(access) = guard.site(copy.words(gpu).await?[0])
        {
            guard.reset(&gpu.queue);
            return Err(GpuError::OutOfBounds(access));
        }
        if let Some(ended) = self.ended {
            let dropped = || gpu.faults.driver_error("a submission was dropped");
            ended.receive().await.ok_or_else(dropped)?;
        }
        match self.copy {
            Some(copy) => copy.words(gpu).await,
            None => Ok(Vec::new()),
        }
    }

    /// As [`Readback::words`], as floats.
    pub async fn floats(self, gpu: &Gpu) -> Result<Vec<f32>, GpuError> {
        Ok(bytemuck::cast_vec(self.words(gpu).await?))
    }
}

impl Copy {
    /// Maps a staging buffer, whose copy is submitted.
    pub(super) fn map((staging, len): Staged) -> Self {
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
    pub(super) async fn words(self, gpu: &Gpu) -> Result<Vec<u32>, GpuError> {
        let result = self.mapped.receive().await;
        result
            .ok_or_else(|| gpu.faults.driver_error("a readback was dropped"))?
            .map_err(|e| gpu.faults.driver_error(e))?;
        let view = self.staging.get_mapped_range(..);
        let view = view.map_err(|e| gpu.faults.driver_error(e))?;
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
