//! Submits compiled plans, many runs at a time, and reads results back without stalling.

use futures_intrusive::channel::shared::{OneshotReceiver, oneshot_channel};

use super::compile::{Replay, encode};
use super::context::{Counters, Gpu, lock};
use super::error::GpuError;
use super::memory::Memory;
use crate::plan::Plan;

type Mapped = OneshotReceiver<Result<(), wgpu::BufferAsyncError>>;

/// A submission under way, and the slot that is copied out behind it.
pub struct Readback {
    index: wgpu::SubmissionIndex,
    copy: Option<(wgpu::Buffer, usize, Mapped)>,
}

impl Gpu {
    /// Encodes each replay as often as asked, in one submission unless a run alone is long, and
    /// behind it a copy of one slot for the host to read.
    pub fn submit(
        &self,
        runs: &[(&Replay, usize)],
        copy: Option<(&Memory, &Plan, &str)>,
    ) -> Result<Readback, GpuError> {
        let begin = || self.device.create_command_encoder(&Default::default());
        let mut encoder = begin();
        for (replay, times) in runs {
            let all = (0..*times).flat_map(|_| &replay.dispatches);
            let run = replay.dispatches.iter().map(|d| d.flops).sum();
            for (i, piece) in pieces(all, run, |d| d.flops).into_iter().enumerate() {
                if i > 0 {
                    let full = std::mem::replace(&mut encoder, begin());
                    self.queue.submit([full.finish()]);
                }
                encode(&mut encoder, piece, |_| ());
            }
        }
        let mut staged = None;
        if let Some((memory, plan, name)) = copy {
            let missing = || GpuError::NoSlot(name.to_owned());
            let id = plan.find(name).ok_or_else(missing)?;
            let staging = memory.copy_out(plan, id, &mut encoder, |size| self.staging(size))?;
            staged = Some((staging, plan[id].len()));
        }
        let index = self.queue.submit([encoder.finish()]);
        Counters::add(&self.counters.submissions);
        let copy = staged.map(|(staging, len)| {
            let (sender, receiver) = oneshot_channel();
            staging.map_async(wgpu::MapMode::Read, .., move |result| {
                // The receiver is gone when the program is on its way out.
                let _ = sender.send(result);
            });
            (staging, len, receiver)
        });
        self.check()?;
        Ok(Readback { index, copy })
    }

    /// A buffer to copy into: one that an earlier readback gave back, or a new one.
    fn staging(&self, size: u64) -> wgpu::Buffer {
        let mut free = lock(&self.staging);
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

/// Most operations of a submission, where a run of a plan alone has more. It takes a GPU that keeps
/// up 100 GFLOP/s a fifth of a second; systems whose watchdog takes longer work for a hang wait two.
const MOST_FLOPS: u64 = 20_000_000_000;

/// Work as it is dealt out to submissions: all in one, unless a run, of so many operations, is long.
fn pieces<T>(items: impl Iterator<Item = T>, run: u64, flops: impl Fn(&T) -> u64) -> Vec<Vec<T>> {
    let (mut pieces, mut piece, mut sum) = (Vec::new(), Vec::new(), 0);
    for item in items {
        let more = flops(&item);
        if run > MOST_FLOPS && sum > 0 && sum + more > MOST_FLOPS {
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
    /// Waits for the submission and gives the bits of the copied slot, or nothing where none
    /// was asked for.
    pub async fn words(self, gpu: &Gpu) -> Result<Vec<u32>, GpuError> {
        let wait = wgpu::PollType::Wait {
            submission_index: Some(self.index),
            timeout: None,
        };
        gpu.device.poll(wait).map_err(|e| gpu.driver_error(e))?;
        gpu.check()?;
        let Some((staging, len, mapped)) = self.copy else {
            return Ok(Vec::new());
        };
        let result = mapped.receive().await;
        result
            .ok_or_else(|| gpu.driver_error("a readback was dropped"))?
            .map_err(|e| gpu.driver_error(e))?;
        Counters::add(&gpu.counters.readbacks);
        let view = staging
            .get_mapped_range(..)
            .map_err(|e| gpu.driver_error(e))?;
        let mut words = bytemuck::pod_collect_to_vec(&view);
        words.truncate(len);
        drop(view);
        staging.unmap();
        lock(&gpu.staging).push(staging);
        Ok(words)
    }

    /// The same as floats.
    pub async fn floats(self, gpu: &Gpu) -> Result<Vec<f32>, GpuError> {
        Ok(bytemuck::cast_vec(self.words(gpu).await?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sizes of the submissions of two runs of a plan whose steps are so many tenths of the most.
    fn submissions(tenths: &[u64]) -> Vec<usize> {
        let flops: Vec<u64> = tenths.iter().map(|t| t * MOST_FLOPS / 10).collect();
        let twice = [&flops[..], &flops[..]].concat();
        let pieces = pieces(twice.into_iter(), flops.iter().sum(), |f| *f);
        pieces.iter().map(Vec::len).collect()
    }

    #[test]
    fn short_runs_go_into_one_submission_and_long_ones_are_cut() {
        assert_eq!(submissions(&[1, 2, 3]), [6]);
        assert_eq!(submissions(&[5, 5]), [4]);
        assert_eq!(submissions(&[4, 4, 4]), [2, 2, 2]);
        // Nothing is left out and no submission is empty, even where a step alone is too long.
        assert_eq!(submissions(&[30, 1, 30]), [1, 1, 1, 1, 1, 1]);
        assert_eq!(submissions(&[]), [0]);
    }
}
