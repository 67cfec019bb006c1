//! The test ELBO: one pass over a split, one noise draw per image, summed on the device.

use crate::data::{ImageSet, PackedImages};
use crate::gpu::{Compiled, Gpu, GpuError, Memory};
use crate::model::{self, Feed, Loss, Model};
use crate::ops::Target;
use crate::ops::elbo::TERMS;
use crate::ops::fetch::Packed;
use crate::ops::rng::Order;
use crate::ops::state::StepState;
use crate::plan::{Batches, Plan};
use crate::rng::Stream;
use crate::train::pace::Pace;

/// Slot of the images.
pub const IMAGES: &str = "test.images";

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
        const { assert!(TERMS == 4) };
        let term = |i: usize| row.get(i).map_or(f64::NAN, |v| f64::from(*v));
        Terms {
            logpx_z: term(0),
            logpz: term(1),
            logqz_x: term(2),
            kl: term(3),
        }
    }

    /// The mean terms; NaN for an empty list.
    pub fn mean(all: &[Terms]) -> Self {
        let mean = |of: fn(&Terms) -> f64| all.iter().map(of).sum::<f64>() / all.len() as f64;
        Terms {
            logpx_z: mean(|t| t.logpx_z),
            logpz: mean(|t| t.logpz),
            logqz_x: mean(|t| t.logqz_x),
            kl: mean(|t| t.kl),
        }
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

/// Plans of an evaluation.
pub struct Plans {
    batches: Batches<Plan>,
    sum: Plan,
}

impl Plans {
    /// Evaluates the test split of `data` in batches of `batch`; the last may be smaller.
    pub fn new(model: &Model, data: &ImageSet, batch: usize, target: &Target) -> Self {
        Self::of(model, &data.test.images, batch, target)
    }

    /// Evaluates any images, likewise.
    pub fn of(model: &Model, images: &PackedImages, batch: usize, target: &Target) -> Self {
        let (feed, images) = feed(images);
        let plan = |batch| model::evaluate(model, feed, batch, target);
        Plans {
            batches: Batches::new(images, batch, plan),
            sum: model::sum_terms(images, target),
        }
    }

    /// All plans, for [`Memory::allocate`].
    pub fn all(&self) -> impl Iterator<Item = &Plan> {
        self.batches.each().chain([&self.sum])
    }

    /// Compiles the plans.
    ///
    /// # Errors
    ///
    /// [`GpuError`] where the driver does not compile them.
    pub async fn compile(self, gpu: &Gpu, memory: &Memory) -> Result<Evaluator, GpuError> {
        let compile = async |plan: Plan| Compiled::new(gpu, plan, memory).await;
        Ok(Evaluator {
            batches: self.batches.try_map(compile).await?,
            sum: compile(self.sum).await?,
        })
    }
}

/// The test split as a plan's feed, and its size.
pub fn test_feed(data: &ImageSet) -> (Feed, usize) {
    feed(&data.test.images)
}

fn feed(images: &PackedImages) -> (Feed, usize) {
    let packed = Packed::of(images);
    (Feed::Resident(IMAGES, packed, Order::File), images.count())
}

/// A compiled evaluation.
pub struct Evaluator {
    batches: Batches<Compiled>,
    sum: Compiled,
}

impl Evaluator {
    /// Evaluates the weights in `memory`. Equal (seed, epoch) draw equal noise, whatever the
    /// batch size.
    pub async fn run(
        &self,
        gpu: &Gpu,
        memory: &Memory,
        seed: u64,
        epoch: usize,
    ) -> Result<Terms, GpuError> {
        let terms = self.run_while(gpu, memory, seed, epoch, &|| true).await?;
        Ok(terms.expect("nothing stops this evaluation"))
    }

    /// Evaluates while `go_on` is true; `None` where it turns false before the end.
    pub async fn run_while(
        &self,
        gpu: &Gpu,
        memory: &Memory,
        seed: u64,
        epoch: usize,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Option<Terms>, GpuError> {
        self.run_and_tell(gpu, memory, seed, epoch, &mut |_, _| go_on())
            .await
    }

    /// Evaluates while `go_on` is true. Before each submission it gets the number of images done and
    /// the number of all.
    pub async fn run_and_tell(
        &self,
        gpu: &Gpu,
        memory: &Memory,
        seed: u64,
        epoch: usize,
        go_on: &mut (dyn FnMut(usize, usize) -> bool + '_),
    ) -> Result<Option<Terms>, GpuError> {
        let mut state = StepState::start(seed, Stream::Evaluate);
        state.step = epoch as u32;
        let (batches, full) = (&self.batches, &self.batches.full);
        memory.write_words(gpu, &full.plan, "evaluate.state", &state.to_words())?;
        let mut pace = Pace::new(gpu.target());
        let mut done = 0;
        while done < batches.whole() {
            if !go_on(done * batches.batch, batches.count) {
                return Ok(None);
            }
            let now = pace.steps().min(batches.whole() - done);
            pace.restart();
            gpu.submit(&[(&full.replay, now)], None)?.words(gpu).await?;
            pace.finished(now);
            done += now;
        }
        let rest = batches.tail.iter().chain([&self.sum]);
        let rest: Vec<_> = rest.map(|compiled| (&compiled.replay, 1)).collect();
        let readback = gpu.submit(&rest, Some((memory, &self.sum.plan, "terms.sum")))?;
        let sums = readback.floats(gpu).await?;
        let count = batches.count as f64;
        let sum = Terms::of(&sums);
        Ok(Some(Terms {
            logpx_z: sum.logpx_z / count,
            logpz: sum.logpz / count,
            logqz_x: sum.logqz_x / count,
            kl: sum.kl / count,
        }))
    }

    /// The terms of each image of the last evaluation: rows of [`TERMS`] values.
    pub async fn table(&self, gpu: &Gpu, memory: &Memory) -> Result<Vec<f32>, GpuError> {
        memory.read(gpu, &self.sum.plan, "terms").await
    }
}
