//! The test ELBO: one pass over a split, one noise draw per image, summed on the device.

use crate::data::ImageSet;
use crate::gpu::{Gpu, GpuError, Memory, Replay};
use crate::model::{self, Feed, Loss, Model};
use crate::ops::elbo::TERMS;
use crate::ops::fetch::Packed;
use crate::ops::rng::Order;
use crate::ops::state::StepState;
use crate::plan::{Caps, Plan};
use crate::rng::Stream;

/// Steps in one submission: few enough that none is long on a slow adapter.
const CHUNK: usize = 64;

/// Means over a split, in nats per image.
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
    images: usize,
    full: Plan,
    tail: Option<Plan>,
    sum: Plan,
}

impl Plans {
    /// Evaluates the test split of `data` in batches of `batch`; the last may be smaller.
    pub fn new(model: &Model, data: &ImageSet, batch: usize, caps: &Caps) -> Self {
        let (feed, images) = test_feed(data);
        let batch = batch.min(images);
        let plan = |batch| model::evaluate(model, feed, batch, caps);
        let last = images % batch;
        Plans {
            images,
            full: plan(batch),
            tail: (last > 0).then(|| plan(last)),
            sum: model::sum_terms(images, caps),
        }
    }

    /// All plans, for [`Memory::allocate`].
    pub fn all(&self) -> impl Iterator<Item = &Plan> {
        [&self.full, &self.sum].into_iter().chain(&self.tail)
    }

    /// Compiles the plans.
    pub fn compile(self, gpu: &Gpu, memory: &Memory) -> Result<Evaluator, GpuError> {
        let compile = |plan: &Plan| Replay::compile(gpu, plan, memory);
        Ok(Evaluator {
            full: compile(&self.full)?,
            tail: self.tail.as_ref().map(compile).transpose()?,
            sum: compile(&self.sum)?,
            plans: self,
        })
    }
}

/// The test split as a plan's feed, and its size.
pub fn test_feed(data: &ImageSet) -> (Feed, usize) {
    let images = &data.test.images;
    let packed = Packed {
        shape: images.shape(),
        count: images.count(),
        depth: images.depth(),
    };
    (
        Feed::Resident("test.images", packed, Order::File),
        images.count(),
    )
}

/// A compiled evaluation.
pub struct Evaluator {
    plans: Plans,
    full: Replay,
    tail: Option<Replay>,
    sum: Replay,
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

    /// The same as long as `go_on`; nothing where that turned false before the end.
    pub async fn run_while(
        &self,
        gpu: &Gpu,
        memory: &Memory,
        seed: u64,
        epoch: usize,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Option<Terms>, GpuError> {
        let mut state = StepState::start(seed, Stream::Evaluate);
        state.step = epoch as u32;
        memory.write_words(gpu, &self.plans.full, "evaluate.state", &state.to_words())?;
        let mut left = self.plans.images / self.plans.full.batch;
        while left > 0 {
            if !go_on() {
                return Ok(None);
            }
            let now = left.min(CHUNK);
            gpu.submit(&[(&self.full, now)], None)?.words(gpu).await?;
            left -= now;
        }
        let rest: Vec<_> = self
            .tail
            .iter()
            .chain([&self.sum])
            .map(|r| (r, 1))
            .collect();
        let readback = gpu.submit(&rest, Some((memory, &self.plans.sum, "terms.sum")))?;
        let sums = readback.floats(gpu).await?;
        let mean = |i: usize| {
            sums.get(i)
                .map_or(f64::NAN, |s| f64::from(*s) / self.plans.images as f64)
        };
        const { assert!(TERMS == 4) };
        Ok(Some(Terms {
            logpx_z: mean(0),
            logpz: mean(1),
            logqz_x: mean(2),
            kl: mean(3),
        }))
    }
}
