//! The results of a benchmark.

use serde::Serialize;

use super::compare::Comparison;
use super::peak::Peaks;
use super::rig::Run;
use super::tune::Search;
use crate::plan::{Bundle, Plan, Step};

/// Spread of the repeats, as a fraction of the median, above which a measurement was disturbed.
const WIDE: f64 = 0.25;

/// The JSON document of `bench --json`.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Adapter name.
    pub adapter: String,
    /// Driver and its version.
    pub driver: String,
    /// Graphics API.
    pub backend: &'static str,
    /// Modules of the convolution kernels.
    pub variant: String,
    /// Dispatches per step.
    pub dispatches: usize,
    /// Figures of the step.
    #[serde(flatten)]
    pub figures: Figures,
    /// Peak rates of the adapter.
    #[serde(flatten)]
    pub peaks: Peaks,
    /// Seconds from process start to the end of the first train step.
    pub first_step_seconds: f64,
    /// Each dispatch of the step in order, with `--profile`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernels: Option<Vec<KernelRow>>,
    /// Figures of other batch sizes, with `--sweep`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sweep: Option<Vec<Figures>>,
    /// The tuner's search, with `--tune`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tuning: Option<Search>,
    /// The comparison with an earlier report, with `--compare`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compare: Option<Comparison>,
}

/// Figures of the train step at one batch size.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// Batch size.
    pub batch: usize,
    /// Steps per repeat.
    pub steps: usize,
    /// Number of repeats.
    pub repeats: usize,
    /// Milliseconds per step of the median repeat (of two, the faster).
    pub ms_per_step: f64,
    /// Milliseconds per step of the fastest repeat.
    pub ms_min: f64,
    /// Milliseconds per step of the slowest repeat.
    pub ms_max: f64,
    /// Training throughput in images per second.
    pub images_per_second: f64,
    /// GFLOP/s.
    pub gflops: f64,
    /// Milliseconds per step that the calling thread needs to encode and submit.
    #[serde(skip)]
    pub cpu_ms: f64,
    /// Milliseconds per step without timestamps, if the other figures include them.
    #[serde(skip)]
    pub unstamped_ms: Option<f64>,
}

impl Figures {
    /// Figures from repeats of `steps` steps, sorted with the fastest first.
    pub(super) fn new(plan: &Plan, steps: usize, runs: &[Run]) -> Self {
        let ms = |index: usize| runs.get(index).map_or(f64::NAN, |run| run.ms);
        let last = runs.len().saturating_sub(1);
        let median = ms(last / 2);
        Figures {
            batch: plan.batch,
            steps,
            repeats: runs.len(),
            ms_per_step: median,
            ms_min: ms(0),
            ms_max: ms(last),
            images_per_second: 1e3 * plan.batch as f64 / median,
            gflops: plan.flops() as f64 / median / 1e6,
            cpu_ms: runs.get(last / 2).map_or(f64::NAN, |run| run.cpu_ms),
            unstamped_ms: None,
        }
    }

    /// Spread of the repeats as a fraction of their median.
    pub fn spread(&self) -> f64 {
        (self.ms_max - self.ms_min) / self.ms_per_step
    }

    /// Whether other load seems to have disturbed the measurement.
    pub fn disturbed(&self) -> bool {
        self.spread() > WIDE
    }
}

/// Separates the names of steps that share a dispatch.
pub const TOGETHER: &str = " + ";

/// One dispatch of the step.
#[derive(Clone, Debug, Serialize)]
pub struct KernelRow {
    /// Labels of its steps, such as `decoder.deconv2 forward`.
    pub name: String,
    /// Module and entry point.
    pub entry: String,
    /// Milliseconds.
    pub ms: f64,
    /// Fraction of the time of all dispatches.
    pub share: f64,
    /// GFLOP/s.
    pub gflops: f64,
    /// GB/s if each bound slot moves once.
    pub gbps: f64,
    /// Fraction of the nearer of the adapter's two peaks. It exceeds 1 if the slots of the kernel stay in
    /// a cache; those of the copy do not.
    pub of_peak: f64,
}

/// Rows from the milliseconds of each dispatch of the plan.
pub(super) fn rows(plan: &Plan, bundles: &[Bundle], ms: &[f64], peaks: Peaks) -> Vec<KernelRow> {
    let total: f64 = ms.iter().sum();
    // A coarse clock may measure 0 for a short kernel.
    let per_ms = |amount: u64, ms: f64| {
        let rate = amount as f64 / ms / 1e6;
        if rate.is_finite() { rate } else { 0.0 }
    };
    let row = |(bundle, &ms): (&Bundle, &f64)| {
        let steps: Vec<&Step> = bundle.iter().map(|&step| &plan.steps()[step]).collect();
        let named = |name: fn(&Step) -> String| {
            let names: Vec<String> = steps.iter().map(|step| name(step)).collect();
            names.join(TOGETHER)
        };
        let gflops = per_ms(steps.iter().map(|step| step.flops).sum(), ms);
        let gbps = per_ms(steps.iter().map(|step| plan.step_bytes(step)).sum(), ms);
        KernelRow {
            name: named(|step| step.label.clone()),
            entry: named(|step| format!("{}::{}", step.kernel.source.name, step.kernel.entry)),
            ms,
            share: if total > 0.0 { ms / total } else { 0.0 },
            gflops,
            gbps,
            of_peak: (gflops / peaks.gflops).max(gbps / peaks.gbps),
        }
    };
    bundles.iter().zip(ms).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Caps, Slots};

    fn figures(ms: &[f64]) -> Figures {
        let run = |&ms: &f64| Run {
            ms,
            cpu_ms: 0.0,
            kernels: Vec::new(),
        };
        let runs: Vec<Run> = ms.iter().map(run).collect();
        let plan = Plan::new(4, Caps::portable(), Slots::default());
        Figures::new(&plan, 10, &runs)
    }

    #[test]
    fn the_middle_repeat_counts_and_of_two_the_faster() {
        assert_eq!(figures(&[3.0]).ms_per_step, 3.0);
        assert_eq!(figures(&[1.0, 2.0]).ms_per_step, 1.0);
        assert_eq!(figures(&[1.0, 2.0, 9.0]).ms_per_step, 2.0);
        let four = figures(&[1.0, 2.0, 4.0, 9.0]);
        assert_eq!(
            (four.ms_min, four.ms_per_step, four.ms_max),
            (1.0, 2.0, 9.0)
        );
        assert_eq!(four.images_per_second, 2000.0);
    }

    #[test]
    fn repeats_far_apart_are_told_from_close_ones() {
        assert!(!figures(&[10.0, 11.0, 12.0]).disturbed());
        assert!(figures(&[10.0, 11.0, 14.0]).disturbed());
    }
}
