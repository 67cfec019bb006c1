//! `cvae-gpu plan`

use clap::Args;
use cvae_gpu::data::Depth;
use cvae_gpu::gpu::{self, Feature, GpuError};
use cvae_gpu::model::{self, Feed};
use cvae_gpu::ops::Target;
use cvae_gpu::ops::adam::Adam;
use cvae_gpu::ops::fetch::Packed;
use cvae_gpu::ops::rng::Order;
use serde::Serialize;

use super::choices::count;
use super::train::ModelArgs;
use crate::cli::common::Common;
use crate::cli::terminal::{print, print_json, print_table};

/// Show the train step as a table: step, kernel, variant, grid, bytes, FLOPs
#[derive(Args)]
#[command(after_help = "\
Example:
  cvae-gpu plan --batch 128
  cvae-gpu plan --gpu
  cvae-gpu plan --variant plain --json")]
pub struct PlanArgs {
    /// Images of an optimizer step
    #[arg(long, default_value_t = 32, value_parser = count(1..))]
    batch: usize,
    #[command(flatten)]
    model: ModelArgs,
    /// Plan for a typical GPU instead of this machine's adapter
    #[arg(long)]
    gpu: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    dispatch: usize,
    step: String,
    kernel: String,
    variant: &'static str,
    grid: [u32; 3],
    flops: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct Table {
    batch: usize,
    dispatches: usize,
    flops: u64,
    bytes: u64,
    steps: Vec<Row>,
}

impl PlanArgs {
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        let model = self.model.model([28, 28, 1])?;
        let target = self.target(common)?;
        let data = Packed {
            shape: model.image,
            count: 60_000,
            depth: Depth::Bit,
            drawn: false,
        };
        let feed = Feed::Resident("train.images", data, Order::Shuffled);
        let plan = model::train_step(&model, feed, Adam::default(), self.batch, &target);
        plan.check()?;
        let bundles = plan.bundles()?;
        let row = |dispatch: usize, step: usize| {
            let step = &plan.steps()[step];
            Row {
                dispatch: dispatch + 1,
                step: step.label.clone(),
                kernel: step.kernel.entry.to_owned(),
                variant: step.kernel.source.name,
                grid: step.grid,
                flops: step.flops,
                bytes: plan.step_bytes(step),
            }
        };
        let rows = bundles.iter().enumerate();
        let rows = rows.flat_map(|(at, bundle)| bundle.iter().map(move |&step| row(at, step)));
        let table = Table {
            batch: plan.batch,
            dispatches: bundles.len(),
            flops: plan.flops(),
            bytes: plan.bytes(),
            steps: rows.collect(),
        };
        if self.json {
            return print_json(&table);
        }
        print_table(
            &table.steps,
            &[
                ("", |row| row.dispatch.to_string()),
                ("step", |row| row.step.clone()),
                ("kernel", |row| row.kernel.clone()),
                ("variant", |row| row.variant.to_owned()),
                ("grid", |row| row.grid.map(|n| n.to_string()).join("×")),
                ("KiB", |row| format!("{:.1}", row.bytes as f64 / 1024.0)),
                ("MFLOP", |row| format!("{:.2}", row.flops as f64 / 1e6)),
            ],
        )?;
        print("")?;
        Ok(print(&format!(
            "{} steps in {} dispatches, {:.1} MFLOP, {:.1} MiB on the device",
            table.steps.len(),
            table.dispatches,
            table.flops as f64 / 1e6,
            table.bytes as f64 / (1 << 20) as f64
        ))?)
    }

    /// The target to plan for; without an adapter, the one that every adapter meets.
    fn target(&self, common: &Common) -> anyhow::Result<Target> {
        let tuning = common.selection().tuning;
        if self.gpu {
            let mut target = Target::gpu().tuned(&tuning);
            target.heuristics.fuse &= !common.disable.contains(&Feature::Fusion);
            return Ok(target);
        }
        match pollster::block_on(gpu::adapter(&common.selection())) {
            Ok(adapter) => Ok(adapter.target),
            Err(GpuError::NoAdapter { .. }) => Ok(Target::portable().tuned(&tuning)),
            Err(error) => Err(error.into()),
        }
    }
}
