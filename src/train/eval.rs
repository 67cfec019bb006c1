//! The test ELBO: one pass over a split, one noise draw per image, summed on the device.

use crate::gpu::{Compiled, Gpu, GpuError, Memory};
use crate::model::{self, Loss, Model};
use crate::ops::Target;
use crate::ops::elbo::TERMS;
use crate::ops::state::StepState;
use crate::plan::{Batches, Plan};
use crate::rng::Stream;
use crate::train::pace::Pace;
use crate::train::supply::{Supply, SupplyError};

/// Slot of the test images.
pub const IMAGES: &str = "test.images";
/// Slot of their labels, if the model is conditioned on them.
pub const LABELS: &str = "test.images.labels";
/// Slot of the validation images.
pub(super) const VALIDATION: &str = "validation.images";

/// The terms of an image, or their means over a split, in nats per image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// log p(x|z)
    pub logpx_z: f64,
    /// log p(z)
    pub logpz: f64,
    /// log q(z|x)
    pub logqz_x: f64,
    /// Analytic divergence of q(z|x) from p(z).
    pub kl: f64,
}

impl Terms {
    /// From a row of the device's table; missing values are NaN.
    pub fn of(row: &[f32]) -> Self {
        Self::each(|i| row.get(i).map_or(f64::NAN, |v| f64::from(*v)))
    }

    fn each(term: impl Fn(usize) -> f64) -> Self {
        const { assert!(TERMS == 4) };
        Terms {
            logpx_z: term(0),
            logpz: term(1),
            logqz_x: term(2),
            kl: term(3),
        }
    }

    /// The mean terms; NaN for an empty list.
    pub fn mean(all: &[Terms]) -> Self {
        let values = |t: &Terms| [t.logpx_z, t.logpz, t.logqz_x, t.kl];
        Self::each(|i| all.iter().map(|t| values(t)[i]).sum::<f64>() / all.len() as f64)
    }

    /// The ELBO: log p(x|z) minus the divergence term of a model's objective.
    pub fn elbo(&self, loss: Loss) -> f64 {
        self.logpx_z - self.divergence(loss)
    }

    /// The divergence term of a model's objective.
    pub fn divergence(&self, loss: Loss) -> f64 {
        match loss {
            Loss::Mc => self.logqz_x - self.logpz,
            Loss::AnalyticKl => self.kl,
        }
    }
}

/// The plans of an evaluation, or what they are compiled to.
pub struct Evaluation<P = Plan> {
    pub(super) batches: Batches<P>,
    sum: P,
    /// The images, in file order.
    pub(super) supply: Supply,
}

impl Evaluation {
    /// Evaluates the images of a supply, in batches of `batch`; the last may be smaller.
    pub fn new(model: &Model, supply: Supply, batch: usize, target: &Target) -> Self {
        let feed = supply.feed();
        let count = feed.count(batch);
        let plan = |batch| model::evaluate(model, feed, batch, target);
        Evaluation {
            batches: Batches::new(count, batch, plan),
            sum: model::sum_terms(count, target),
            supply,
        }
    }

    /// All plans, for [`Memory::allocate`].
    pub fn all(&self) -> impl Iterator<Item = &Plan> {
        self.batches.each().chain([&self.sum])
    }

    /// Compiles the plans.
    pub async fn compile(
        self,
        gpu: &Gpu,
        memory: &Memory,
    ) -> Result<Evaluation<Compiled>, GpuError> {
        let compile = async |plan: Plan| Compiled::new(gpu, plan, memory).await;
        Ok(Evaluation {
            batches: self.batches.try_map(compile).await?,
            sum: compile(self.sum).await?,
            supply: self.supply,
        })
    }
}

impl Evaluation<Compiled> {
    /// The mean terms with the weights in `memory`. Equal (seed, epoch) draw equal noise, whatever the
    /// batch size. Before each submission `go_on` gets the number of images done and of all; the result
    /// is `None` once it is false.
    pub async fn run(
        &self,
        gpu: &Gpu,
        memory: &Memory,
        seed: u64,
        epoch: usize,
        go_on: &mut (dyn FnMut(usize, usize) -> bool + '_),
    ) -> Result<Option<Terms>, SupplyError> {
        let mut state = StepState::start(seed, Stream::Evaluate);
        state.step = epoch as u32;
        let (batches, full) = (&self.batches, &self.batches.full);
        memory.write_words(gpu, &full.plan, "evaluate.state", &state.to_words())?;
        let mut pace = Pace::new(gpu.target());
        let mut done = 0;
        let bring = |done: usize| {
            let at = (0, done * batches.batch);
            self.supply.bring(gpu, memory, &full.plan, at)
        };
        while done < batches.whole() {
            if !go_on(done * batches.batch, batches.count) {
                return Ok(None);
            }
            let here = bring(done)? / batches.batch - done;
            let now = pace.steps().min(here);
            pace.restart();
            gpu.submit(&[(&full.replay, now)], None)?.words(gpu).await?;
            pace.finished(now);
            done += now;
        }
        if batches.tail.is_some() {
            bring(done)?;
        }
        let rest = batches.tail.iter().chain([&self.sum]);
        let rest: Vec<_> = rest.map(|compiled| (&compiled.replay, 1)).collect();
        let readback = gpu.submit(&rest, Some((memory, &self.sum.plan, "terms.sum")))?;
        let sums = readback.floats(gpu).await?;
        let mean = |i: usize| f64::from(sums[i]) / batches.count as f64;
        Ok(Some(Terms::each(mean)))
    }

    /// The terms of each image of the last evaluation: rows of [`TERMS`] values.
    pub async fn table(&self, gpu: &Gpu, memory: &Memory) -> Result<Vec<f32>, GpuError> {
        memory.read(gpu, &self.sum.plan, "terms").await
    }
}
