//! The importance-weighted bound over a split.

use super::plans::{self, Bound};
use super::{ExploreError, Explorer, Tell, finite};
use crate::data::Labelled;
use crate::gpu::{Compiled, Gpu, GpuError, Memory, Replay};
use crate::plan::Batches;
use crate::rng::Stream;
use crate::train::pace::Pace;

impl Explorer<'_> {
    /// The importance-weighted bound on log p(x) of each image with `samples` draws, in nats (Burda et
    /// al., ICLR 2016). With one draw it is the ELBO of [`Explorer::terms`] with this seed; it rises
    /// towards log p(x) with the number of draws. A Bernoulli likelihood bounds only binary images.
    pub async fn bounds(
        &self,
        images: impl Into<Labelled<'_>>,
        samples: u32,
        seed: u64,
        tell: &mut Tell<'_>,
    ) -> Result<Vec<f32>, ExploreError> {
        let given = images.into();
        let (images, supply) = (given.images, self.supply(plans::IMAGES, given)?);
        let (gpu, count) = (self.gpu, images.count());
        let plans = |batch| {
            plans::bound(
                &self.trained.model,
                supply.packed(),
                samples,
                batch,
                gpu.target(),
            )
        };
        let plans = Batches::new(count, self.batch, plans);
        let each = plans.each().flat_map(|b| [&b.encode, &b.draw, &b.record]);
        let memory = Memory::allocate(gpu, &each.collect::<Vec<_>>()).await?;
        let full = &plans.full.encode;
        self.upload(&memory, full)?;
        self.write_labels(&memory, full, plans::LABELS, given.labels)?;
        // The random stream of evaluation; its step counts epochs there and draws here.
        self.start(&memory, full, seed, Stream::Evaluate)?;
        let compile = async |bound: Bound| {
            Ok::<_, GpuError>(Bound {
                encode: Compiled::new(gpu, bound.encode, &memory).await?,
                draw: Compiled::new(gpu, bound.draw, &memory).await?,
                record: Compiled::new(gpu, bound.record, &memory).await?,
            })
        };
        let batches = plans.try_map(compile).await?;
        let mut queue = Queue {
            gpu,
            pace: Pace::new(gpu.target()),
            runs: Vec::new(),
            draws: 0,
        };
        let mut done = 0;
        for i in 0..batches.len() {
            let bound = batches.at(i);
            if !supply.has(i * batches.batch) {
                queue.submit().await?;
                supply.bring(gpu, &memory, &bound.encode.plan, (0, i * batches.batch))?;
            }
            queue.runs.push((&bound.encode.replay, 1));
            queue.draw(&bound.draw.replay, samples as usize).await?;
            queue.runs.push((&bound.record.replay, 1));
            done += batches.size(i);
            tell(done, count);
        }
        queue.submit().await?;
        let bounds = memory
            .read(gpu, &batches.full.record.plan, "bounds")
            .await?;
        finite("the bound of image", &bounds, 1)?;
        Ok(bounds)
    }
}

/// Groups replays into submissions of moderate length and number.
struct Queue<'a> {
    gpu: &'a Gpu,
    pace: Pace,
    runs: Vec<(&'a Replay, usize)>,
    draws: usize,
}

impl<'a> Queue<'a> {
    /// Adds runs of the draw, which takes most of the time.
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

    /// Submits the group and waits for it.
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
