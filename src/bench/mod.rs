//! Measures the train step: its time, the time of each kernel, and the peak rates of the adapter.
//!
//! A *repeat* is a number of steps run as in training: many per submission, two submissions in flight,
//! no host work in between. The result is the median repeat: the fastest is luck, and the mean includes
//! other load of the machine. With a profile the repeats have a timestamp after each dispatch, so the
//! rows add up to the reported time.

mod compare;
mod peak;
mod report;
mod rig;
mod tune;
mod tuned;

use std::time::Instant;

pub use compare::{CompareError, Comparison, Past, Ratio};
pub use peak::Peaks;
pub use report::{Figures, KernelRow, Report, TOGETHER};
pub use rig::{Images, Options, Rig, Run};
pub use tune::{Candidate, Search, tune};
pub use tuned::{Kept, Setting, of_adapter, shaders};

use crate::gpu::{Gpu, GpuError};

/// Measures train steps on `gpu` with batches of `images`. `start` is when the process began;
/// `progress` receives a description of the next part.
/// A batch that does not fit the adapter is an error before anything is measured.
pub async fn run(
    gpu: &Gpu,
    images: &Images,
    options: &Options,
    start: Instant,
    progress: &mut dyn FnMut(&str),
) -> Result<Report, GpuError> {
    let model = &options.model;
    let plan = |batch| Rig::plan_for(gpu.target(), model, images, batch);
    for batch in std::iter::once(&options.batch).chain(&options.sweep) {
        plan(*batch).check()?;
    }
    progress("setting up");
    let mut rig = Rig::new(gpu, plan(options.batch), model, images).await?;
    rig.first_step().await?;
    let first_step_seconds = start.elapsed().as_secs_f64();
    progress("peaks of the adapter");
    let peaks = Peaks::measure(gpu).await?;
    let (figures, kernels) = measure(&mut rig, options, options.profile, progress).await?;
    let kernels = kernels.map(|ms| report::rows(&rig.plan, &rig.bundles, &ms, peaks));
    let variant = rig.plan.variants().join(",");
    let dispatches = rig.bundles.len();
    // The next batch may need its memory.
    drop(rig);
    let mut sweep = Vec::new();
    for batch in &options.sweep {
        if *batch == options.batch {
            sweep.push(figures.clone());
            continue;
        }
        let mut rig = Rig::new(gpu, plan(*batch), model, images).await?;
        sweep.push(measure(&mut rig, options, false, progress).await?.0);
    }
    Ok(Report {
        adapter: gpu.adapter.name.clone(),
        driver: gpu.adapter.driver.clone(),
        backend: gpu.adapter.backend.name(),
        variant,
        dispatches,
        figures,
        peaks,
        first_step_seconds,
        kernels,
        sweep: Some(sweep).filter(|rows| !rows.is_empty()),
        tuning: None,
        compare: None,
    })
}

/// The figures of one batch size, and with a profile the milliseconds of each dispatch.
async fn measure(
    rig: &mut Rig<'_>,
    options: &Options,
    profile: bool,
    progress: &mut dyn FnMut(&str),
) -> Result<(Figures, Option<Vec<f64>>), GpuError> {
    let (batch, repeats) = (rig.plan.batch, options.repeats.max(1));
    progress(&format!("batch {batch}: warming up"));
    rig.warm_up().await?;
    let steps = rig.steps_per_repeat(options);
    let stamped = profile && rig.gpu.caps().timestamps;
    let (mut plain, mut profiled) = (Vec::new(), Vec::new());
    for repeat in 1..=repeats {
        progress(&format!(
            "batch {batch}: repeat {repeat} of {repeats}, {steps} steps"
        ));
        plain.push(rig.run(steps).await?);
        if stamped {
            profiled.push(rig.profile(steps).await?);
        }
    }
    for runs in [&mut plain, &mut profiled] {
        runs.sort_by(|a, b| a.ms.total_cmp(&b.ms));
    }
    let middle = (repeats - 1) / 2;
    let mut figures = Figures::new(&rig.plan, steps, if stamped { &profiled } else { &plain });
    figures.cpu_ms = plain[middle].cpu_ms;
    figures.unstamped_ms = stamped.then_some(plain[middle].ms);
    if profile && !stamped {
        progress(&format!("batch {batch}: each kernel alone"));
        let mut kernels = Vec::new();
        for index in 0..rig.bundles.len() {
            kernels.push(rig.alone(index, steps).await?.ms);
        }
        return Ok((figures, Some(kernels)));
    }
    let kernels = stamped.then(|| profiled.swap_remove(middle).kernels);
    Ok((figures, kernels))
}
