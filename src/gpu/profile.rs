//! Times each dispatch of a plan by GPU timestamps. Copies into mirrors count with the dispatch that
//! reads them.

use super::compile::{Replay, encode};
use super::device::Gpu;
use super::error::GpuError;
use super::native;
use super::replay::Copy;

impl Gpu {
    /// Most runs of a plan that one call of [`Gpu::profile`] can time. A query set holds 4096
    /// timestamps, and a run needs one per dispatch.
    pub fn most_profiled(replay: &Replay) -> usize {
        let most = wgpu::QUERY_SET_MAX_QUERIES as usize - 1;
        (most / replay.dispatches.len().max(1)).max(1)
    }

    /// Runs a plan `times` times in one submission, with a timestamp after each dispatch. Returns the
    /// milliseconds of each dispatch, summed over the runs. A dispatch lasts from the end of the
    /// previous one to its own end. Needs [`Caps::timestamps`](crate::plan::Caps).
    pub async fn profile(&self, replay: &Replay, times: usize) -> Result<Vec<f64>, GpuError> {
        let steps = replay.dispatches.len();
        let count = times * steps + 1;
        let queries = self.device.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("profile"),
            ty: wgpu::QueryType::Timestamp,
            count: u32::try_from(count).unwrap_or(u32::MAX),
        });
        let resolved = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("profile"),
            size: 8 * count as u64,
            usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let mut first = encoder.begin_compute_pass(&Default::default());
        first.write_timestamp(&queries, 0);
        drop(first);
        let dispatches = (0..times).flat_map(|_| &replay.dispatches);
        let mut written = 0;
        encode(&mut encoder, dispatches, |pass| {
            written += 1;
            pass.write_timestamp(&queries, written);
        });
        encoder.resolve_query_set(&queries, 0..written + 1, &resolved, 0);
        let staged = self.stage(&mut encoder, (&resolved, 0, resolved.size()), 2 * count);
        let index = self.queue.submit([encoder.finish()]);
        let copy = Copy::map(staged);
        native::wait(self, Some(index))?;
        let words = copy.words(self).await?;
        self.check()?;
        let ticks: Vec<u64> = bytemuck::pod_collect_to_vec(&words);
        let period = f64::from(self.queue.get_timestamp_period()) * 1e-6;
        let mut sums = vec![0.0; steps];
        for (i, pair) in ticks.windows(2).enumerate() {
            sums[i % steps] += pair[1].saturating_sub(pair[0]) as f64 * period;
        }
        Ok(sums)
    }
}
