//! Submits compiled plans, many runs at a time, and reads results back without stalling.

use futures_intrusive::channel::shared::{OneshotReceiver, oneshot_channel};

use super::compile::Replay;
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
    /// Encodes each replay as often as asked, all in one pass of one submission, and behind it
    /// a copy of one slot for the host to read.
    pub fn submit(
        &self,
        runs: &[(&Replay, usize)],
        copy: Option<(&Memory, &Plan, &str)>,
    ) -> Result<Readback, GpuError> {
        let descriptor = wgpu::CommandEncoderDescriptor { label: None };
        let mut encoder = self.device.create_command_encoder(&descriptor);
        if !runs.is_empty() {
            let descriptor = wgpu::ComputePassDescriptor::default();
            let mut pass = encoder.begin_compute_pass(&descriptor);
            for (replay, times) in runs {
                for dispatch in (0..*times).flat_map(|_| &replay.dispatches) {
                    let [x, y, z] = dispatch.grid;
                    pass.set_pipeline(&dispatch.pipeline.pipeline);
                    pass.set_bind_group(0, &dispatch.group, &[]);
                    pass.dispatch_workgroups(x, y, z);
                }
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
