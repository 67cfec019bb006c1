//! What the adapter can do at best, measured on the spot.

use serde::Serialize;

use super::rig::timed;
use crate::gpu::{Gpu, GpuError, Memory, Replay};
use crate::ops::{Graph, peak};
use crate::plan::Plan;

/// Invocations of the arithmetic kernel: enough for the largest GPU.
const INVOCATIONS: usize = 1 << 18;
/// Rounds of each: 0.1 ms on the largest GPU, 0.1 s on two cores of a CPU.
const ROUNDS: usize = 96;
/// Values to copy: 60 MiB and as much again, more than caches hold.
const VALUES: usize = 15 << 20;
/// A measurement takes at least so many milliseconds.
const LEAST_MS: f64 = 40.0;
/// Measurements, of which the best counts.
const TRIES: usize = 3;

/// The best rates of an adapter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Peaks {
    /// 10⁹ floating-point operations per second, of multiply-adds in registers.
    #[serde(rename = "peak_gflops")]
    pub gflops: f64,
    /// 10⁹ bytes read or written per second, of a copy.
    #[serde(rename = "peak_gbps")]
    pub gbps: f64,
    /// Microseconds of a dispatch that does next to nothing, one behind the other.
    pub dispatch_us: f64,
}

impl Peaks {
    /// Measures them, which takes about a second on a software adapter.
    ///
    /// # Errors
    ///
    /// [`GpuError`] where the driver fails.
    pub async fn measure(gpu: &Gpu) -> Result<Peaks, GpuError> {
        let mut arithmetic = Graph::new(1);
        peak::multiply_add(&mut arithmetic, INVOCATIONS, ROUNDS);
        let arithmetic = arithmetic.lower(gpu.target());
        let ms = best_ms(gpu, &arithmetic, "peak.factors", &[0.999, 0.001]).await?;
        let gflops = arithmetic.flops() as f64 / ms / 1e6;

        let mut copy = Graph::new(1);
        peak::copy(&mut copy, VALUES);
        let copy = copy.lower(gpu.target());
        let values: Vec<f32> = (0..VALUES).map(|i| i as f32).collect();
        let ms = best_ms(gpu, &copy, "peak.from", &values).await?;
        // Each value is read and written.
        let gbps = 8.0 * VALUES as f64 / ms / 1e6;

        // One workgroup without a round, again and again into the same buffer.
        let mut idle = Graph::new(1);
        peak::multiply_add(&mut idle, 64, 0);
        let idle = idle.lower(gpu.target());
        let dispatch_us = 1e3 * best_ms(gpu, &idle, "peak.factors", &[1.0, 0.0]).await?;
        Ok(Peaks {
            gflops,
            gbps,
            dispatch_us,
        })
    }

    /// The part of the nearer peak that a kernel reaches: 1 where nothing could be faster. Above
    /// 1 is a kernel whose slots stay in a cache, which the copy's do not.
    pub fn reached(&self, gflops: f64, gbps: f64) -> f64 {
        (gflops / self.gflops).max(gbps / self.gbps)
    }
}

/// Best milliseconds of the last step of a plan, whose host-filled slot holds `values`.
async fn best_ms(gpu: &Gpu, plan: &Plan, slot: &str, values: &[f32]) -> Result<f64, GpuError> {
    let memory = Memory::allocate(gpu, &[plan]).await?;
    let replay = Replay::compile_steps(gpu, plan, &memory).await?;
    memory.write(gpu, plan, slot, values)?;
    timed(gpu, &replay, 1, 1).await?;
    let last = replay.only(plan.steps().len() - 1);
    let mut times = 1;
    let mut best = timed(gpu, &last, times, times).await?.ms;
    while best * (times as f64) < LEAST_MS && times < 1 << 12 {
        times *= 2;
        best = timed(gpu, &last, times, times).await?.ms;
    }
    for _ in 1..TRIES {
        best = best.min(timed(gpu, &last, times, times).await?.ms);
    }
    Ok(best)
}
