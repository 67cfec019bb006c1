//! `cvae-gpu bench`

use std::time::Instant;

use clap::Args;
use cvae_gpu::data::{self, Binarize};
use cvae_gpu::gpu::{Gpu, Memory, Replay};
use cvae_gpu::model::{self, Feed};
use cvae_gpu::ops::adam::Adam;
use cvae_gpu::ops::fetch::Packed;
use cvae_gpu::ops::rng::Order;
use cvae_gpu::ops::state::StepState;
use cvae_gpu::params;
use cvae_gpu::plan::Plan;
use cvae_gpu::rng::Stream;
use serde::Serialize;

use super::train::ModelArgs;
use super::{Common, print, print_json, print_table, say};

/// Measure the train step: milliseconds, images per second, and where the time goes
#[derive(Args)]
#[command(
    after_help = "Examples:\n  cvae-gpu bench --batch 32\n  cvae-gpu bench --batch 32 --profile --json"
)]
pub struct BenchArgs {
    /// Images of an optimizer step
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    batch: u32,
    /// Steps of one repeat
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    steps: u32,
    /// Repeats, of which the median counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeats: u32,
    /// Time each kernel
    #[arg(long)]
    profile: bool,
    #[command(flatten)]
    model: ModelArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    adapter: String,
    driver: String,
    backend: &'static str,
    variant: String,
    batch: usize,
    steps: u32,
    repeats: u32,
    ms_per_step: f64,
    ms_min: f64,
    ms_max: f64,
    images_per_second: f64,
    gflops: f64,
    first_step_seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    kernels: Option<Vec<Row>>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    entry: String,
    ms: f64,
    share: f64,
    gflops: f64,
    gbps: f64,
}

impl BenchArgs {
    pub fn run(self, common: &Common, start: Instant) -> anyhow::Result<()> {
        let report = pollster::block_on(self.measure(common, start))?;
        if self.json {
            return print_json(&report, true);
        }
        print(&format!(
            "{} ({}), {}",
            report.adapter, report.driver, report.variant
        ))?;
        print(&format!(
            "batch {}: {:.2} ms per step ({:.2} … {:.2}), {:.0} images/s, {:.1} GFLOP/s; first step after {:.2} s",
            report.batch,
            report.ms_per_step,
            report.ms_min,
            report.ms_max,
            report.images_per_second,
            report.gflops,
            report.first_step_seconds
        ))?;
        let Some(kernels) = &report.kernels else {
            return Ok(());
        };
        let cells = kernels.iter().map(|row| {
            vec![
                row.name.clone(),
                row.entry.clone(),
                format!("{:.3}", row.ms),
                format!("{:.1}", 100.0 * row.share),
                format!("{:.2}", row.gflops),
                format!("{:.2}", row.gbps),
            ]
        });
        print("")?;
        print_table(
            &["step", "kernel", "ms", "%", "GFLOP/s", "GB/s"],
            &cells.collect::<Vec<_>>(),
        )
    }

    async fn measure(&self, common: &Common, start: Instant) -> anyhow::Result<Report> {
        let gpu = Gpu::open(&common.selection()).await?;
        let set = data::load(data::mnist::NAME, Binarize::Threshold)?;
        let images = &set.train.images;
        let model = self.model.model(images.shape())?;
        let packed = Packed {
            shape: images.shape(),
            count: images.count(),
            depth: images.depth(),
        };
        let feed = Feed::Resident("train.images", packed, Order::Shuffled);
        let plan = model::train_step(
            &model,
            feed,
            Adam::default(),
            self.batch as usize,
            gpu.caps(),
        );
        let memory = Memory::allocate(&gpu, &[&plan])?;
        let replay = Replay::compile(&gpu, &plan, &memory)?;
        memory.write_words(&gpu, &plan, "train.images", &images.device_words())?;
        memory.write_words(
            &gpu,
            &plan,
            "state",
            &StepState::start(0, Stream::Train).to_words(),
        )?;
        let specs = model.params();
        for (spec, values) in specs.iter().zip(params::initial(&specs, 0)) {
            memory.write(&gpu, &plan, &spec.name, &values)?;
        }
        gpu.submit(&[(&replay, 1)], None)?.words(&gpu).await?;
        let first_step_seconds = start.elapsed().as_secs_f64();
        gpu.submit(&[(&replay, 2)], None)?.words(&gpu).await?;
        let mut ms = Vec::new();
        for _ in 0..self.repeats {
            let start = Instant::now();
            gpu.submit(&[(&replay, self.steps as usize)], None)?
                .words(&gpu)
                .await?;
            ms.push(1e3 * start.elapsed().as_secs_f64() / f64::from(self.steps));
        }
        ms.sort_by(f64::total_cmp);
        let median = ms[ms.len() / 2];
        let kernels = if self.profile {
            profile(&gpu, &plan, &replay, self.repeats).await?
        } else {
            None
        };
        Ok(Report {
            adapter: gpu.adapter.name.clone(),
            driver: gpu.adapter.driver.clone(),
            backend: gpu.adapter.backend.name(),
            variant: plan.variants().join(","),
            batch: plan.batch,
            steps: self.steps,
            repeats: self.repeats,
            ms_per_step: median,
            ms_min: ms[0],
            ms_max: ms[ms.len() - 1],
            images_per_second: 1e3 * plan.batch as f64 / median,
            gflops: plan.flops() as f64 / median / 1e6,
            first_step_seconds,
            kernels,
        })
    }
}

/// Mean time of each kernel over some runs.
async fn profile(
    gpu: &Gpu,
    plan: &Plan,
    replay: &Replay,
    runs: u32,
) -> anyhow::Result<Option<Vec<Row>>> {
    let mut sums = vec![0.0; plan.steps().len()];
    for _ in 0..runs {
        let Some(times) = gpu.profile(replay).await? else {
            say("this adapter takes no timestamps inside a pass: no profile");
            return Ok(None);
        };
        sums.iter_mut()
            .zip(times)
            .for_each(|(sum, ms)| *sum += ms / f64::from(runs));
    }
    let total: f64 = sums.iter().sum();
    let row = |(step, ms): (&cvae_gpu::plan::Step, f64)| Row {
        name: step.label.clone(),
        entry: format!("{}::{}", step.kernel.module, step.kernel.entry),
        ms,
        share: ms / total,
        gflops: step.flops as f64 / ms / 1e6,
        gbps: plan.step_bytes(step) as f64 / ms / 1e6,
    };
    Ok(Some(plan.steps().iter().zip(sums).map(row).collect()))
}
