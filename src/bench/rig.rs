//! A train step set up for timing.

use std::time::{Duration, Instant};

use crate::data::{DataError, PackedImages};
use crate::gpu::{Ahead, Gpu, GpuError, Memory, Replay};
use crate::model::params;
use crate::model::{self, Feed, Model};
use crate::ops::Target;
use crate::ops::adam::Adam;
use crate::ops::fetch::Packed;
use crate::ops::rng::Order;
use crate::ops::state::StepState;
use crate::plan::{Bundle, Plan};
use crate::rng::Stream;
use crate::train::pace;

/// Minimum duration of the warm-up, for clocks to settle.
const WARM_UP: Duration = Duration::from_millis(300);
/// Approximate duration of a repeat.
const REPEAT: Duration = Duration::from_secs(1);
/// Most steps of a repeat without a given length.
const MOST_STEPS: usize = 10_000;

/// Options of a benchmark.
#[derive(Clone, Debug)]
pub struct Options {
    /// The model to train.
    pub model: Model,
    /// Batch size.
    pub batch: usize,
    /// Steps per repeat; `None` means about one second.
    pub steps: Option<usize>,
    /// Repeats; the median counts.
    pub repeats: usize,
    /// Time each kernel too.
    pub profile: bool,
    /// Further batch sizes to measure.
    pub sweep: Vec<usize>,
}

/// Images as the device gets them.
#[derive(Clone, Debug)]
pub struct Images {
    /// Their layout.
    pub packed: Packed,
    /// Their words.
    pub words: Vec<u32>,
}

impl Images {
    /// These images, all of which are to be on the device; `drawn` binarizes them in each step.
    ///
    /// # Errors
    ///
    /// That a file cannot be read.
    pub fn new(images: &PackedImages, drawn: bool) -> Result<Self, DataError> {
        Ok(Images {
            words: images.device_words()?,
            packed: Packed {
                drawn,
                ..Packed::of(images)
            },
        })
    }
}

/// A timed run.
#[derive(Clone, Debug)]
pub struct Run {
    /// Milliseconds from the first submission to the end of the last.
    pub ms: f64,
    /// Milliseconds that the calling thread needed to encode and submit.
    pub cpu_ms: f64,
    /// Milliseconds of each dispatch, if the run had timestamps.
    pub kernels: Vec<f64>,
}

/// A train step with its memory, weights and data on the device.
pub struct Rig<'g> {
    pub(super) gpu: &'g Gpu,
    /// The plan of the step.
    pub plan: Plan,
    /// The dispatches, each a list of steps of the plan; a profile times them one by one.
    pub bundles: Vec<Bundle>,
    replay: Replay,
    /// Memory of the replay.
    memory: Memory,
    /// Compilation ahead; dropped after the first step.
    ahead: Option<Ahead>,
    /// The shortest time per step so far.
    seconds_per_step: f64,
}

impl<'g> Rig<'g> {
    /// The plan of a train step on batches of `images`.
    pub fn plan_for(target: &Target, model: &Model, images: &Images, batch: usize) -> Plan {
        let feed = Feed::Images("train.images", images.packed, Order::Shuffled);
        model::train_step(model, feed, Adam::default(), batch, target)
    }

    /// Sets up a train step of `model` on `images` with the plan of [`Rig::plan_for`].
    pub async fn new(
        gpu: &'g Gpu,
        plan: Plan,
        model: &Model,
        images: &Images,
    ) -> Result<Self, GpuError> {
        let ahead = gpu.compile_ahead(&[&plan]);
        let memory = Memory::allocate(gpu, &[&plan]).await?;
        let replay = Replay::compile(gpu, &plan, &memory).await?;
        memory.write_words(gpu, &plan, "train.images", &images.words)?;
        let state = StepState::start(0, Stream::Train);
        memory.write_words(gpu, &plan, "state", &state.to_words())?;
        let specs = model.params();
        for (spec, values) in specs.iter().zip(params::initial(&specs, 0)) {
            memory.write(gpu, &plan, &spec.name, &values)?;
        }
        Ok(Rig {
            gpu,
            bundles: plan.bundles()?,
            plan,
            replay,
            memory,
            ahead,
            seconds_per_step: f64::INFINITY,
        })
    }

    /// Reads a slot of the plan.
    pub async fn read(&self, name: &str) -> Result<Vec<f32>, GpuError> {
        self.memory.read(self.gpu, &self.plan, name).await
    }

    /// Runs the first step, which compiles the shaders.
    pub async fn first_step(&mut self) -> Result<(), GpuError> {
        self.run(1).await?;
        self.ahead = None;
        Ok(())
    }

    /// Runs until shaders are compiled and clocks have settled, and measures the pace.
    pub async fn warm_up(&mut self) -> Result<(), GpuError> {
        let start = Instant::now();
        let mut steps = 1;
        self.first_step().await?;
        loop {
            let run = self.run(steps).await?;
            self.seconds_per_step = self.seconds_per_step.min(run.ms / 1e3);
            if start.elapsed() >= WARM_UP {
                return Ok(());
            }
            steps = (2 * steps).min(self.most());
        }
    }

    /// Number of steps of a repeat.
    pub fn steps_per_repeat(&self, options: &Options) -> usize {
        let fitting = REPEAT.as_secs_f64() / self.seconds_per_step;
        let fitting = fitting.clamp(2.0, MOST_STEPS as f64) as usize;
        options.steps.unwrap_or(fitting)
    }

    /// Most steps per submission, by the time limit that training uses.
    fn most(&self) -> usize {
        let time = self.gpu.target().heuristics.submission_time.as_secs_f64();
        (time / self.seconds_per_step).clamp(1.0, pace::MOST_STEPS as f64) as usize
    }

    /// Times `steps` steps.
    pub async fn run(&self, steps: usize) -> Result<Run, GpuError> {
        timed(self.gpu, &self.replay, steps, self.most()).await
    }

    /// Times `steps` steps with a timestamp after each dispatch.
    pub async fn profile(&self, steps: usize) -> Result<Run, GpuError> {
        let most = self.most().min(Gpu::most_profiled(&self.replay));
        let mut kernels = vec![0.0; self.bundles.len()];
        let start = Instant::now();
        for times in portions(steps, most) {
            let sums = self.gpu.profile(&self.replay, times).await?;
            let add = |(kernel, sum): (&mut f64, f64)| *kernel += sum / steps as f64;
            kernels.iter_mut().zip(sums).for_each(add);
        }
        let ms = 1e3 * start.elapsed().as_secs_f64() / steps as f64;
        Ok(Run {
            ms,
            cpu_ms: 0.0,
            kernels,
        })
    }

    /// Times `times` runs of one dispatch of the plan.
    pub async fn alone(&self, index: usize, times: usize) -> Result<Run, GpuError> {
        // A dispatch is at most as long as a step, so as many fit into a submission.
        timed(self.gpu, &self.replay.only(index), times, self.most()).await
    }
}

/// Splits `total` into portions of at most `most`.
fn portions(total: usize, most: usize) -> impl Iterator<Item = usize> {
    (0..total)
        .step_by(most)
        .map(move |done| most.min(total - done))
}

/// Times `times` runs of a plan, at most `most` per submission, with two submissions in flight.
pub(super) async fn timed(
    gpu: &Gpu,
    replay: &Replay,
    times: usize,
    most: usize,
) -> Result<Run, GpuError> {
    let start = Instant::now();
    let mut cpu = Duration::ZERO;
    let mut running = None;
    for times in portions(times, most) {
        let encode = Instant::now();
        let next = gpu.submit(&[(replay, times)], None)?;
        cpu += encode.elapsed();
        if let Some(before) = running.replace(next) {
            before.words(gpu).await?;
        }
    }
    if let Some(last) = running {
        last.words(gpu).await?;
    }
    let per_run = |time: Duration| 1e3 * time.as_secs_f64() / times as f64;
    Ok(Run {
        ms: per_run(start.elapsed()),
        cpu_ms: per_run(cpu),
        kernels: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portions_are_full_but_for_the_last() {
        let cut = |total, most| portions(total, most).collect::<Vec<_>>();
        assert_eq!(cut(7, 3), [3, 3, 1]);
        assert_eq!(cut(6, 3), [3, 3]);
        assert_eq!(cut(2, 100), [2]);
        assert!(cut(0, 5).is_empty());
    }
}
