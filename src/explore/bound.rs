//! The importance-weighted bound over a split.

use super::plans::{self, Bound};
use super::{ExploreError, Explorer, Tell, finite};
use crate::data::PackedImages;
use crate::gpu::{Gpu, GpuError, Memory, Replay};
use crate::plan::Plan;
use crate::rng::Stream;
use crate::train::pace::Pace;

/// The replays of a batch.
struct Replays {
    batch: usize,
    encode: Replay,
    draw: Replay,
    record: Replay,
}

impl Replays {
    fn compile(gpu: &Gpu, plans: &Bound, memory: &Memory) -> Result<Self, GpuError> {
        let compile = |plan: &Plan| Replay::compile(gpu, plan, memory);
        Ok(Replays {
            batch: plans.draw.batch,
            encode: compile(&plans.encode)?,
            draw: compile(&plans.draw)?,
            record: compile(&plans.record)?,
        })
    }
}

impl Explorer<'_> {
    /// The importance-weighted bound on log p(x) of each image with `samples` draws, in nats. It
    /// is the ELBO for one draw (the very one of [`Explorer::terms`] with this seed), and rises
    /// with their number towards log p(x). Of images with real values it bounds nothing: a Bernoulli
    /// gives them no probability.
    ///
    /// # Errors
    ///
    /// [`ExploreError`] where the images do not fit, the device fails, or a bound is not finite.
    pub async fn bounds(
        &self,
        images: &PackedImages,
        samples: u32,
        seed: u64,
        tell: &mut Tell<'_>,
    ) -> Result<Vec<f32>, ExploreError> {
        let packed = self.packed(images)?;
        let (gpu, count) = (self.gpu, images.count());
        let plans = |batch| plans::bound(&self.trained.model, packed, samples, batch, gpu.target());
        let batch = self.batch.min(count);
        let full = plans(batch);
        let tail = Some(count % batch).filter(|&last| last > 0).map(plans);
        let each = |b: &'_ Bound| [b.encode.clone(), b.draw.clone(), b.record.clone()];
        let all: Vec<Plan> = [&full].into_iter().chain(&tail).flat_map(each).collect();
        let memory = Memory::allocate(gpu, &all.iter().collect::<Vec<_>>())?;
        self.upload(&memory, &full.encode)?;
        let words = images.device_words();
        memory.write_words(gpu, &full.encode, plans::IMAGES, &words)?;
        // The stream of evaluation, whose step counts epochs there and draws here.
        self.start(&memory, &full.encode, seed, Stream::Evaluate)?;
        let compile = |plans: &Bound| Replays::compile(gpu, plans, &memory);
        let tail_replays = tail.as_ref().map(compile).transpose()?;
        let full_replays = compile(&full)?;
        let batches = std::iter::repeat_n(&full_replays, count / batch).chain(&tail_replays);
        let mut queue = Queue {
            gpu,
            pace: Pace::new(gpu.target()),
            runs: Vec::new(),
            draws: 0,
        };
        let mut done = 0;
        for replays in batches {
            queue.runs.push((&replays.encode, 1));
            queue.draw(&replays.draw, samples as usize).await?;
            queue.runs.push((&replays.record, 1));
            done += replays.batch;
            tell(done, count);
        }
        queue.submit().await?;
        let bounds = memory.read(gpu, &full.record, "bounds").await?;
        finite("the bound of image", &bounds, 1)?;
        Ok(bounds)
    }
}

/// Gathers runs into submissions which are neither long nor many.
struct Queue<'a> {
    gpu: &'a Gpu,
    pace: Pace,
    runs: Vec<(&'a Replay, usize)>,
    draws: usize,
}

impl<'a> Queue<'a> {
    /// Adds runs of the replay that the time is spent in.
    async fn draw(&mut self, replay: &'a Replay, times: usize) -> Result<(), GpuError> {
        let mut left = times;
        while left > 0 {
            let now = left.min(self.pace.steps() - self.draws);
            self.runs.push((replay, now));
            self.draws += now;
            left -= now;
            if self.draws == self.pace.steps() {
                self.submit().await?;
            }
        }
        Ok(())
    }

    /// Submits what has gathered and waits for it.
    async fn submit(&mut self) -> Result<(), GpuError> {
        self.gpu.submit(&self.runs, None)?.words(self.gpu).await?;
        self.runs.clear();
        if self.draws > 0 {
            self.pace.finished(self.draws);
        }
        self.draws = 0;
        Ok(())
    }
}
