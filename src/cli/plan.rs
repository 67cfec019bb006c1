//! `cvae-gpu plan`

use clap::Args;
use cvae_gpu::gpu::{self, Feature, GpuError};
use cvae_gpu::model::{self, Feed};
use cvae_gpu::ops::Target;
use cvae_gpu::ops::adam::Adam;
use cvae_gpu::ops::rng::Order;
use cvae_gpu::plan::Step;
use cvae_gpu::train::{self, Options};
use serde_json::json;

use super::choices::count;
use super::subject::SubjectArgs;
use crate::cli::common::Common;
use crate::cli::terminal::{print, print_json, print_table};

/// Show the train step as a table: step, kernel, variant, grid, bytes, FLOPs
#[derive(Args)]
#[command(after_help = "\
Example:
  cvae-gpu plan --batch 128
  cvae-gpu plan --gpu
  cvae-gpu plan --image-size 64,64,3
  cvae-gpu plan --variant plain --json")]
pub struct PlanArgs {
    /// Images of an optimizer step
    #[arg(long, default_value_t = 32, value_parser = count(1..))]
    batch: usize,
    #[command(flatten)]
    subject: SubjectArgs,
    /// Plan for a typical GPU instead of this machine's adapter
    #[arg(long)]
    gpu: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl PlanArgs {
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        let subject = self.subject.load(common)?;
        let target = self.target(common)?;
        let feed = Feed::Images("train.images", subject.packed, Order::Shuffled);
        let model = &subject.model;
        let plan = model::train_step(model, feed, Adam::default(), self.batch, &target);
        plan.check()?;
        let bundles = plan.bundles()?;
        let options = Options {
            batch: self.batch,
            ..Options::of(model.clone())
        };
        let whole = (subject.set.as_ref()).map(|set| train::device_bytes(&options, set, &target));
        let mut rows: Vec<(usize, &Step, u64)> = Vec::new();
        for (dispatch, bundle) in (1..).zip(&bundles) {
            let steps = bundle.iter().map(|&step| &plan.steps()[step]);
            rows.extend(steps.map(|step| (dispatch, step, plan.step_bytes(step))));
        }
        if self.json {
            let steps = rows.iter().map(|(dispatch, step, bytes)| {
                json!({
                    "dispatch": dispatch,
                    "step": step.label,
                    "kernel": step.kernel.entry,
                    "variant": step.kernel.source.name,
                    "grid": step.grid,
                    "flops": step.flops,
                    "bytes": bytes,
                })
            });
            return print_json(&json!({
                "batch": plan.batch,
                "dispatches": bundles.len(),
                "flops": plan.flops(),
                "bytes": plan.bytes(),
                "run_bytes": whole,
                "steps": steps.collect::<Vec<_>>(),
            }));
        }
        print_table(
            &rows,
            &[
                ("", |(dispatch, ..)| dispatch.to_string()),
                ("step", |(_, step, _)| step.label.clone()),
                ("kernel", |(_, step, _)| step.kernel.entry.to_owned()),
                ("variant", |(_, step, _)| step.kernel.source.name.to_owned()),
                ("grid", |(_, step, _)| {
                    step.grid.map(|n| n.to_string()).join("×")
                }),
                ("KiB", |(.., bytes)| {
                    format!("{:.1}", *bytes as f64 / 1024.0)
                }),
                ("MFLOP", |(_, step, _)| {
                    format!("{:.2}", step.flops as f64 / 1e6)
                }),
            ],
        )?;
        print("")?;
        let mib = |bytes: u64| format!("{:.1} MiB", bytes as f64 / (1 << 20) as f64);
        let run = whole.map(|bytes| format!("; {} with evaluation and pictures", mib(bytes)));
        Ok(print(&format!(
            "{} steps in {} dispatches, {:.1} MFLOP, {} on the device{}",
            rows.len(),
            bundles.len(),
            plan.flops() as f64 / 1e6,
            mib(plan.bytes()),
            run.unwrap_or_default()
        ))?)
    }

    /// The target to plan for; without an adapter, the one that every adapter meets.
    fn target(&self, common: &Common) -> anyhow::Result<Target> {
        let tuning = common.selection().tuning;
        if self.gpu {
            let mut target = Target::gpu().tuned(&tuning);
            target.heuristics.fuse &= !common.adapter.disable.contains(&Feature::Fusion);
            return Ok(target);
        }
        match pollster::block_on(gpu::adapter(&common.selection())) {
            Ok(adapter) => Ok(adapter.target),
            Err(GpuError::NoAdapter { .. }) => Ok(Target::portable().tuned(&tuning)),
            Err(error) => Err(error.into()),
        }
    }
}
