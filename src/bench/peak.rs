//! Measures the peak rates of an adapter.

use serde::Serialize;

use super::rig::timed;
use crate::gpu::{Gpu, GpuError, Memory, Replay};
use crate::ops::{Graph, peak};
use crate::plan::Plan;

/// Invocations of the arithmetic kernel, enough for the largest GPU.
const INVOCATIONS: usize = 1 << 18;
/// Rounds per invocation: 0.1 ms on the largest GPU, 0.1 s on two CPU cores.
const ROUNDS: usize = 96;
/// Values per copy: 60 MiB read and 60 MiB written, more than caches hold.
const VALUES: usize = 15 << 20;
/// Shortest duration of a measurement in milliseconds.
const LEAST_MS: f64 = 40.0;
/// Number of measurements; the best counts.
const TRIES: usize = 3;

/// Peak rates of an adapter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Peaks {
    /// GFLOP/s of multiply-adds in registers.
    #[serde(rename = "peak_gflops")]
    pub gflops: f64,
    /// GB/s read or written by a copy.
    #[serde(rename = "peak_gbps")]
    pub gbps: f64,
    /// Microseconds per dispatch of an almost empty kernel, each dependent on the last.
    pub dispatch_us: f64,
}

impl Peaks {
    /// Measures the peak rates; takes about a second on a software adapter.
    pub async fn measure(gpu: &Gpu) -> Result<Peaks, GpuError> {
        let plan = |add: &dyn Fn(&mut Graph)| {
            let mut graph = Graph::new(1);
            add(&mut graph);
            graph.lower(gpu.target())
        };
        let arithmetic = plan(&|g| peak::multiply_add(g, INVOCATIONS, ROUNDS));
        let ms = best_ms(gpu, &arithmetic, "peak.factors", &[0.999, 0.001]).await?;
        let gflops = arithmetic.flops() as f64 / ms / 1e6;

        let copy = plan(&|g| peak::copy(g, VALUES));
        let values: Vec<f32> = (0..VALUES).map(|i| i as f32).collect();
        let ms = best_ms(gpu, &copy, "peak.from", &values).await?;
        // Each value is read and written, four bytes each.
        let gbps = 8.0 * VALUES as f64 / ms / 1e6;

        // One workgroup without rounds, repeated on the same buffer.
        let idle = plan(&|g| peak::multiply_add(g, 64, 0));
        let dispatch_us = 1e3 * best_ms(gpu, &idle, "peak.factors", &[1.0, 0.0]).await?;
        Ok(Peaks {
            gflops,
            gbps,
            dispatch_us,
        })
    }
}

/// Fewest milliseconds of the last step of a plan; its host-filled slot holds `values`.
async fn best_ms(gpu: &Gpu, plan: &Plan, slot: &str, values: &[f32]) -> Result<f64, GpuError> {
    let memory = Memory::allocate(gpu, &[plan]).await?;
    let replay = Replay::compile_steps(gpu, plan, &memory).await?;
    memory.write(gpu, plan, slot, values)?;
    timed(gpu, &replay, 1, 1).await?;
    let last = replay.only(plan.steps().len() - 1);
    let (mut times, mut best) = (1, timed(gpu, &last, 1, 1).await?.ms);
    while best * (times as f64) < LEAST_MS && times < 1 << 12 {
        times *= 2;
        best = timed(gpu, &last, times, times).await?.ms;
    }
    for _ in 1..TRIES {
        best = best.min(timed(gpu, &last, times, times).await?.ms);
    }
    Ok(best)
}
