//! The training loop: replays the train step, evaluates after epochs, and emits events.
//!
//! The device keeps every counter. The loop chooses the number of steps of the next submission and
//! reads the metrics ring after it. For a checkpoint it waits until no submission is in flight and
//! emits a [`Snapshot`], from which a run resumes bit for bit. It knows no files and no terminal.

mod advance;
mod best;
mod collapse;
mod device;
mod error;
pub mod eval;
pub mod event;
mod extras;
mod log_every;
mod options;
mod origin;
pub mod pace;
mod pictures;
pub mod preset;
mod report;
mod schedule;
pub mod supply;

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use web_time::Instant;

use crate::data::ImageSet;
use crate::gpu::Gpu;
use crate::model::params::ParamSpec;
use crate::model::prior::latent_grid;
use crate::ops::Target;
use crate::ops::state::StepState;
use crate::rng::Stream;
use crate::train::event::{Event, Record, Snapshot, Sums, Traffic};
use crate::train::pace::Pace;
pub use best::Best;
use device::Device;
pub use error::{Origin, TrainError};
pub use extras::{Extras, RateSchedule};
pub use log_every::LogEvery;
pub use options::Options;
use pictures::MANIFOLD;
pub use schedule::Every;
use schedule::Schedule;

/// Receives events; its error stops training.
pub type Listener<'a> = dyn FnMut(Event) -> Result<(), Box<dyn Error + Send + Sync>> + 'a;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All epochs or steps are done.
    Done,
    /// It was interrupted and can be resumed from its last checkpoint.
    Interrupted,
}

/// Bytes on the device that a run with these options takes: those of all its plans on one memory.
#[must_use]
pub fn device_bytes(options: &Options, data: &ImageSet, target: &Target) -> u64 {
    device::bytes(options, data, target)
}

/// A training run, set up on a device.
pub struct Trainer<'a> {
    gpu: &'a Gpu,
    options: &'a Options,
    device: Device,
    step: u64,
    /// The weights at step 0 are those of another model.
    warm: bool,
    record: Record,
    /// The last checkpoint.
    good: Option<Snapshot>,
    schedule: Schedule,
    stop: Option<&'a AtomicBool>,
    pace: Pace,
    traffic: Traffic,
    /// Seconds of the setup, until the first step is reported.
    set_up: Option<Duration>,
}

impl<'a> Trainer<'a> {
    /// Compiles the plans and puts data and initial weights on the device.
    pub async fn new(
        gpu: &'a Gpu,
        options: &'a Options,
        data: &ImageSet,
    ) -> Result<Self, TrainError> {
        let start = Instant::now();
        Ok(Trainer {
            device: Device::new(gpu, options, data).await?,
            gpu,
            options,
            step: 0,
            warm: false,
            record: Record::default(),
            good: None,
            schedule: Schedule::new(options.checkpoint_every),
            stop: None,
            pace: Pace::new(gpu.target()),
            traffic: Traffic::default(),
            set_up: Some(start.elapsed()),
        })
    }

    /// Training stops after the submissions in flight, with a checkpoint, once `stop` is true.
    #[must_use]
    pub fn stop_on(mut self, stop: &'a AtomicBool) -> Self {
        self.stop = Some(stop);
        self
    }

    /// Starts from these weights, one for each parameter of the model, instead of random ones.
    pub fn warm(mut self, weights: &[(ParamSpec, Vec<f32>)]) -> Result<Self, TrainError> {
        if !weights
            .iter()
            .map(|(spec, _)| spec)
            .eq(&self.options.model.params())
        {
            let reason = "its tensors are those of another model";
            return Err(TrainError::Foreign(reason.into()));
        }
        self.device.put_weights(self.gpu, weights)?;
        self.warm = true;
        Ok(self)
    }

    /// Resumes at `snapshot`; refuses one of another model, seed, batch or data set.
    pub fn resume(mut self, snapshot: Snapshot) -> Result<Self, TrainError> {
        self.check(&snapshot).map_err(TrainError::Foreign)?;
        self.device.restore(self.gpu, &snapshot)?;
        self.step = snapshot.step();
        self.record = snapshot.record;
        self.good = Some(snapshot);
        Ok(self)
    }

    /// Checks that a snapshot is of this run: every counter follows from the step.
    fn check(&self, snapshot: &Snapshot) -> Result<(), String> {
        let specs = self.options.model.params();
        let fits = specs.len() == snapshot.params.len()
            && (specs.iter().zip(&snapshot.params)).all(|(spec, (theirs, values))| {
                spec == theirs && values.iter().all(|v| v.len() == spec.len())
            });
        if !fits {
            return Err("its tensors are those of another model".into());
        }
        let state = StepState::from_words(&snapshot.state).ok_or("its state is incomplete")?;
        if state.seed != self.options.seed || state.stream != Stream::Train as u32 {
            return Err(format!("its seed is {}", state.seed));
        }
        let per_epoch = self.device.plans.steps.len();
        let (step, batch) = (state.step as usize, self.options.batch);
        let (epoch, position) = (step / per_epoch, step % per_epoch * batch);
        if (state.epoch as usize, state.position as usize) != (epoch, position) {
            return Err(format!(
                "after {step} steps it is at image {} of epoch {}, where batches of {batch} \
                 lead to image {position} of epoch {}",
                state.position,
                state.epoch + 1,
                epoch + 1
            ));
        }
        let Record { epochs, sums, .. } = snapshot.record;
        // All steps of an epoch may be done before its report is emitted.
        let images = match (epochs == epoch, position) {
            (true, 0) if epoch > 0 => self.device.plans.steps.count,
            _ => position,
        };
        let known = epochs == epoch + 1 || epochs == epoch && position == 0;
        if !known || sums.images != images as u64 {
            return Err(format!(
                "it counts {epochs} epochs and {} images of the next after {step} steps",
                sums.images
            ));
        }
        Ok(())
    }

    /// Optimizer steps of a whole epoch, the last of which may be smaller.
    pub fn steps_per_epoch(&self) -> usize {
        self.device.plans.steps.len()
    }

    /// Convolution kernels in use.
    pub fn variant(&self) -> String {
        self.device.plan().variants().join(",")
    }

    /// The step after which the run ends.
    fn end(&self) -> u64 {
        let whole = self.steps_before(self.options.epochs + 1);
        whole.min(self.options.max_steps.unwrap_or(u64::MAX))
    }

    /// Optimizer steps before `epoch`, from 1.
    fn steps_before(&self, epoch: usize) -> u64 {
        (epoch.saturating_sub(1) as u64).saturating_mul(self.steps_per_epoch() as u64)
    }

    fn is_stopping(&self) -> bool {
        self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
    }

    /// Trains to the end, or until interrupted.
    pub async fn run(&mut self, emit: &mut Listener<'_>) -> Result<Ended, TrainError> {
        let adapter = &self.gpu.adapter;
        let started = Event::Started {
            adapter: adapter.name.clone(),
            driver: adapter.driver.clone(),
            variant: self.variant(),
            parameters: self.options.model.params().iter().map(|p| p.len()).sum(),
            device_bytes: self.device.memory.bytes(),
            train_images: self.device.plans.steps.count,
            train_window: self.device.plans.supply.packed().window,
            test_images: self.device.plans.evaluation.batches.count,
            validation_images: (self.device.plans.validation.as_ref())
                .map_or(0, |validation| validation.batches.count),
            steps_per_epoch: self.steps_per_epoch(),
            last_batch: self.device.plans.steps.size(self.steps_per_epoch() - 1),
            step: self.step,
            warm: self.warm,
        };
        emit(started)?;
        if self.warm {
            // From here on the run needs the other model no more.
            self.save(emit).await?;
        } else if self.good.is_none() {
            self.good = Some(self.snapshot().await?);
        }
        let ended = self.epochs(emit).await?;
        match ended {
            Ended::Done => self.finish(emit).await?,
            Ended::Interrupted => {
                self.save(emit).await?;
                emit(Event::Interrupted { step: self.step })?;
            }
        }
        Ok(ended)
    }

    async fn epochs(&mut self, emit: &mut Listener<'_>) -> Result<Ended, TrainError> {
        if self.record.epochs == 0 {
            if !self.report(0, emit).await? {
                return Ok(Ended::Interrupted);
            }
            (self.record.epochs, self.record.lines) = (1, 1);
        }
        loop {
            // The untrained model counts as an epoch, so this is the current epoch, from 1.
            let epoch = self.record.epochs;
            let end = self.end();
            let begun = self.record.sums.images > 0;
            if epoch > self.options.epochs || self.step >= end && !begun {
                return Ok(Ended::Done);
            }
            if let Some(best) = self.record.best
                && !begun
                && self
                    .options
                    .patience
                    .is_some_and(|patience| best.is_over(patience))
            {
                emit(Event::StoppedEarly {
                    epoch: best.last,
                    best_epoch: best.epoch,
                    best_elbo: best.elbo,
                })?;
                return Ok(Ended::Done);
            }
            let next = self.steps_before(epoch + 1);
            while self.step < next.min(end) {
                let pause = next.min(end).min(self.schedule.next_step(self.step));
                self.advance(epoch, pause, emit).await?;
                if self.is_stopping() {
                    return Ok(Ended::Interrupted);
                }
                if self.step < next.min(end) {
                    self.save(emit).await?;
                }
            }
            let is_last = self.step >= end;
            let is_evaluated = is_last || epoch.is_multiple_of(self.options.evaluate_every);
            if is_evaluated && !self.report(epoch, emit).await? {
                return Ok(Ended::Interrupted);
            }
            // A resumed run reports an epoch again that its step limit cut short.
            if self.step == next {
                self.record.epochs += 1;
                self.record.lines += usize::from(is_evaluated);
                self.record.sums = Sums::default();
            }
            self.save(emit).await?;
            if is_last {
                return Ok(Ended::Done);
            }
        }
    }

    /// Emits a checkpoint, and before it the weights of the best epoch if it ends here.
    async fn save(&mut self, emit: &mut Listener<'_>) -> Result<(), TrainError> {
        let start = Instant::now();
        let snapshot = self.snapshot().await?;
        self.good = Some(snapshot.clone());
        if let Some(best) = self.record.best.filter(|best| best.step == self.step) {
            emit(Event::Best {
                epoch: best.epoch,
                validation_elbo: best.elbo,
                snapshot: Box::new(snapshot.clone()),
            })?;
        }
        emit(Event::Checkpoint(Box::new(snapshot)))?;
        self.schedule.saved(start.elapsed());
        // Time spent on files does not count as training time.
        self.pace.restart();
        Ok(())
    }

    /// Emits the last pictures and the final weights.
    async fn finish(&mut self, emit: &mut Listener<'_>) -> Result<(), TrainError> {
        let model = &self.options.model;
        if let Some(pictures) = &self.device.plans.pictures
            && model.latent_dim == 2
        {
            let n = MANIFOLD;
            let (codes, labels) = (latent_grid(n), [0; MANIFOLD * MANIFOLD]);
            let memory = &self.device.memory;
            let decoded = pictures.decode(self.gpu, memory, model, &codes, &labels);
            let images = decoded.await?;
            emit(Event::Manifold { n, images })?;
        }
        let snapshot = Box::new(self.snapshot().await?);
        let (step, traffic) = (self.step, self.traffic);
        emit(Event::Done {
            step,
            snapshot,
            traffic,
        })?;
        Ok(())
    }

    /// The content of a checkpoint at this step. Fails where weights or moments are not finite, so that
    /// no checkpoint holds such values.
    pub async fn snapshot(&self) -> Result<Snapshot, TrainError> {
        let model = &self.options.model;
        let snapshot = self.device.snapshot(self.gpu, model, self.record).await?;
        if let Some(tensor) = snapshot.first_not_finite() {
            let step = self.step;
            let origin = self.find_origin(step).await?;
            return Err(TrainError::WeightsNotFinite {
                tensor,
                step,
                origin,
            });
        }
        Ok(snapshot)
    }
}
