//! The tuner: tries choices among kernels and finds the fastest on this adapter.
//!
//! It first tries kernel variants, with textures and with buffers. With the best of them it tries tile
//! sizes, split counts and fusion. A candidate is timed in whole steps, and only if its gradients match
//! those of the plain kernels. Since timings drift, the winner must win again in alternation with the
//! adapter's default.

use std::collections::HashSet;

use serde::Serialize;

use super::rig::{Images, Options, Rig};
use crate::check::compare::{Limit, compare};
use crate::gpu::{Feature, Gpu, GpuError};
use crate::model::params;
use crate::ops::conv::Variant;
use crate::ops::{Tiles, Tuning};
use crate::plan::{Bundle, KernelKey, Plan};

/// Repeats per candidate; the median counts.
const REPEATS: usize = 3;
/// A candidate is dropped if its first timed step takes this many times the best.
const HOPELESS: f64 = 2.0;
/// The winner is kept if it takes at most this fraction of the default's time.
const WORTH: f64 = 0.97;
/// Gradients are compared on as many images as need this many operations; plain kernels are slow.
const SAMPLE_FLOPS: u64 = 2_000_000_000;
/// Limit of the difference of gradients. Rounding gives about 1e-6.
const APART: Limit = Limit::OfNorm(1e-4);

/// A choice and its result.
#[derive(Clone, Debug, Serialize)]
pub struct Candidate {
    /// The choice.
    #[serde(flatten)]
    pub choice: Tuning,
    /// Modules of the convolution kernels it selects.
    pub kernels: String,
    /// Milliseconds per step; `None` if it failed.
    pub ms_per_step: Option<f64>,
    /// Why it was rejected, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// The result of a search.
#[derive(Clone, Debug, Serialize)]
pub struct Search {
    /// All candidates in order; the first is the adapter's default.
    pub candidates: Vec<Candidate>,
    /// The winner.
    pub choice: Tuning,
    /// Milliseconds per step with the winner.
    pub ms_per_step: f64,
    /// Milliseconds per step with the default, measured in alternation with the winner.
    pub untuned_ms_per_step: f64,
}

/// Searches for the fastest choice for train steps on batches of `images`.
pub async fn tune(
    gpu: &Gpu,
    images: &Images,
    options: &Options,
    progress: &mut dyn FnMut(&str),
) -> Result<Search, GpuError> {
    let mut tuner = Tuner {
        gpu,
        images,
        options,
        sample: 1,
        expected: Vec::new(),
        seen: HashSet::new(),
        candidates: Vec::new(),
        progress,
    };
    tuner.plan(Tuning::default(), options.batch).check()?;
    let flops = tuner.plan(PLAIN, 1).flops().max(1);
    tuner.sample = options.batch.min((SAMPLE_FLOPS / flops).max(1) as usize);
    tuner.expected = tuner.gradients(PLAIN).await?;
    tuner.measure(Tuning::default()).await?;
    let mut variants = vec![None, Some(Variant::Tile), Some(Variant::Broadcast)];
    // On a CPU, GPU kernels and plain kernels take minutes instead of seconds.
    if !gpu.caps().software {
        variants.extend([Some(Variant::Workgroup), Some(Variant::Plain)]);
    }
    let textures = gpu.selection.allows(Feature::Texels).then_some(true);
    for variant in variants {
        for texels in [Some(false), textures] {
            let choice = Tuning {
                variant,
                texels,
                ..Tuning::default()
            };
            tuner.measure(choice).await?;
        }
    }
    let best = tuner.best();
    for tiles in Tiles::ALL.map(Some) {
        tuner.measure(Tuning { tiles, ..best }).await?;
    }
    let best = tuner.best();
    for groups in [16, 64, 256, 1024, 4096].map(Some) {
        tuner.measure(Tuning { groups, ..best }).await?;
    }
    // A CPU does not drain between dispatches.
    if gpu.target().heuristics.fuse {
        let best = tuner.best();
        let fuse = Some(false);
        tuner.measure(Tuning { fuse, ..best }).await?;
    }
    tuner.decide().await
}

/// The reference: plain kernels.
const PLAIN: Tuning = Tuning {
    variant: Some(Variant::Plain),
    texels: Some(false),
    tiles: None,
    groups: None,
    fuse: Some(false),
};

/// What tells a plan from others: its dispatches, and the kernel and grid of each step.
type Signature = (Vec<Bundle>, Vec<(KernelKey, [u32; 3])>);

struct Tuner<'a> {
    gpu: &'a Gpu,
    images: &'a Images,
    options: &'a Options,
    /// Number of images for the comparison of gradients.
    sample: usize,
    /// Gradients of the reference.
    expected: Vec<Vec<f32>>,
    /// Signatures of the plans tried so far.
    seen: HashSet<Signature>,
    candidates: Vec<Candidate>,
    progress: &'a mut dyn FnMut(&str),
}

impl<'a> Tuner<'a> {
    fn plan(&self, choice: Tuning, batch: usize) -> Plan {
        let target = self.gpu.target().tuned(&choice);
        Rig::plan_for(&target, &self.options.model, self.images, batch)
    }

    async fn rig(&self, choice: Tuning, batch: usize) -> Result<Rig<'a>, GpuError> {
        let plan = self.plan(choice, batch);
        Rig::new(self.gpu, plan, &self.options.model, self.images).await
    }

    /// The gradients of the first step, per parameter.
    async fn gradients(&self, choice: Tuning) -> Result<Vec<Vec<f32>>, GpuError> {
        let mut rig = self.rig(choice, self.sample).await?;
        rig.first_step().await?;
        let mut gradients = Vec::new();
        for spec in self.options.model.params() {
            gradients.push(rig.read(&params::grad_name(&spec.name)).await?);
        }
        Ok(gradients)
    }

    /// Tries a choice, unless its plan was tried before.
    async fn measure(&mut self, choice: Tuning) -> Result<(), GpuError> {
        let plan = self.plan(choice, self.options.batch);
        let kernels = plan.steps().iter().map(|s| (s.kernel.key(), s.grid));
        let signature = (plan.bundles()?, kernels.collect());
        if !self.seen.insert(signature) {
            return Ok(());
        }
        (self.progress)(&format!("tuning: {choice}"));
        let (ms_per_step, failure) = match self.time(choice).await {
            Ok(Some(ms)) => (Some(ms), None),
            Ok(None) => (None, Some("its gradients are wrong".to_owned())),
            // If the default fails, or the device is lost, the search ends.
            Err(e) if self.candidates.is_empty() || matches!(e, GpuError::Lost { .. }) => {
                return Err(e);
            }
            Err(e) => (None, Some(e.to_string())),
        };
        self.candidates.push(Candidate {
            choice,
            kernels: plan.variants().join(","),
            ms_per_step,
            failure,
        });
        Ok(())
    }

    /// Milliseconds per step; `None` if the gradients are wrong.
    async fn time(&self, choice: Tuning) -> Result<Option<f64>, GpuError> {
        if !agree(&self.gradients(choice).await?, &self.expected) {
            return Ok(None);
        }
        let mut rig = self.rig(choice, self.options.batch).await?;
        rig.first_step().await?;
        let once = rig.run(1).await?.ms;
        let best = self.candidates.iter().filter_map(|c| c.ms_per_step);
        if once > HOPELESS * best.fold(f64::INFINITY, f64::min) {
            return Ok(Some(once));
        }
        rig.warm_up().await?;
        let mut times = Vec::new();
        for _ in 0..REPEATS {
            times.push(rig.run(rig.steps_per_repeat(self.options)).await?.ms);
        }
        Ok(Some(middle(times)))
    }

    /// The fastest choice so far.
    fn best(&self) -> Tuning {
        let timed = self.candidates.iter();
        let timed = timed.filter_map(|c| Some((c.choice, c.ms_per_step?)));
        let best = timed.min_by(|a, b| a.1.total_cmp(&b.1));
        best.map_or_else(Tuning::default, |(choice, _)| choice)
    }

    /// The fastest choice, if it wins again.
    async fn decide(mut self) -> Result<Search, GpuError> {
        let best = self.best();
        let own = self.candidates.first().and_then(|c| c.ms_per_step);
        let (choice, ms_per_step, untuned_ms_per_step) = match own {
            Some(ms) if best == Tuning::default() => (best, ms, ms),
            _ => {
                let [untuned, tuned] = self.in_turns(best).await?;
                match own.is_none() || tuned <= WORTH * untuned {
                    true => (best, tuned, untuned),
                    false => (Tuning::default(), untuned, untuned),
                }
            }
        };
        Ok(Search {
            candidates: self.candidates,
            choice,
            ms_per_step,
            untuned_ms_per_step,
        })
    }

    /// Milliseconds per step with the default and with `best`, measured in alternation.
    async fn in_turns(&mut self, best: Tuning) -> Result<[f64; 2], GpuError> {
        (self.progress)("tuning: once more, the fastest and the adapter's own in turns");
        let batch = self.options.batch;
        let mut rigs = [
            self.rig(Tuning::default(), batch).await?,
            self.rig(best, batch).await?,
        ];
        for rig in &mut rigs {
            rig.warm_up().await?;
        }
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..self.options.repeats.max(1) {
            for (rig, times) in rigs.iter().zip(&mut times) {
                times.push(rig.run(rig.steps_per_repeat(self.options)).await?.ms);
            }
        }
        Ok(times.map(middle))
    }
}

/// The median (of two, the faster).
fn middle(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[(times.len() - 1) / 2]
}

/// Whether each gradient matches the expected one.
fn agree(found: &[Vec<f32>], expected: &[Vec<f32>]) -> bool {
    let numbers = |values: &[f32]| values.iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
    found.iter().zip(expected).all(|(found, expected)| {
        let [found, expected] = [found, expected].map(|values| numbers(values));
        let shape = [expected.len()];
        compare("gradient", &shape, &found, &expected, APART).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradients_that_are_off_or_no_numbers_do_not_agree() {
        let expected = vec![vec![3.0, 4.0], vec![1e-9]];
        for (found, agrees) in [
            (vec![vec![3.0, 4.0], vec![1e-9]], true),
            (vec![vec![3.0004, 4.0], vec![1e-9]], true),
            (vec![vec![3.001, 4.0], vec![1e-9]], false),
            (vec![vec![3.0, 4.0], vec![1.001e-9]], false),
            (vec![vec![3.0, f32::NAN], vec![1e-9]], false),
        ] {
            assert_eq!(agree(&found, &expected), agrees, "{found:?}");
        }
    }
}
