//! Times each step of a plan by GPU timestamps.

use super::compile::Replay;
use super::context::Gpu;
use super::error::GpuError;

impl Gpu {
    /// Milliseconds of each step of one run, or nothing where the adapter takes no timestamps
    /// inside a pass.
    pub async fn profile(&self, replay: &Replay) -> Result<Option<Vec<f64>>, GpuError> {
        if !self.caps().timestamps {
            return Ok(None);
        }
        let count = u32::try_from(replay.dispatches.len() + 1).unwrap_or(u32::MAX);
        let queries = self.device.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("profile"),
            ty: wgpu::QueryType::Timestamp,
            count,
        });
        let buffer = |usage| {
            self.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("profile"),
                size: 8 * u64::from(count),
                usage,
                mapped_at_creation: false,
            })
        };
        let resolved = buffer(wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC);
        let staging = buffer(wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ);
        let mut encoder = self.device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.write_timestamp(&queries, 0);
            for (i, dispatch) in (1..count).zip(&replay.dispatches) {
                let [x, y, z] = dispatch.grid;
                pass.set_pipeline(&dispatch.pipeline.pipeline);
                pass.set_bind_group(0, &dispatch.group, &[]);
                pass.dispatch_workgroups(x, y, z);
                pass.write_timestamp(&queries, i);
            }
        }
        encoder.resolve_query_set(&queries, 0..count, &resolved, 0);
        encoder.copy_buffer_to_buffer(&resolved, 0, &staging, 0, resolved.size());
        self.queue.submit([encoder.finish()]);
        staging.map_async(wgpu::MapMode::Read, .., |_| ());
        let wait = wgpu::PollType::wait_indefinitely();
        self.device.poll(wait).map_err(|e| self.driver_error(e))?;
        self.check()?;
        let view = staging
            .get_mapped_range(..)
            .map_err(|e| self.driver_error(e))?;
        let ticks: Vec<u64> = bytemuck::pod_collect_to_vec(&view);
        let period = f64::from(self.queue.get_timestamp_period()) * 1e-6;
        let spans = ticks
            .windows(2)
            .map(|t| t[1].wrapping_sub(t[0]) as f64 * period);
        Ok(Some(spans.collect()))
    }
}
