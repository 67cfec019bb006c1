//! The training loop: replays the train step, evaluates after each epoch, and emits events.
//!
//! The device keeps every counter, so the loop only decides how many steps go into the next
//! submission and reads the metrics ring behind it. It knows no files and no terminal.

pub(crate) mod pace;

use std::collections::VecDeque;
use std::error::Error;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::data::ImageSet;
use crate::eval::{self, Evaluator, test_feed};
use crate::event::{EpochReport, Event, Snapshot, Traffic};
use crate::gpu::{Gpu, GpuError, Memory, Readback, Replay};
use crate::model::{self, Feed, Model, ModelError};
use crate::ops::adam::Adam;
use crate::ops::elbo::{COLUMNS, RING};
use crate::ops::fetch::Packed;
use crate::ops::rng::Order;
use crate::ops::state::StepState;
use crate::params;
use crate::plan::Plan;
use crate::render::latent_grid;
use crate::rng::Stream;
use pace::Pace;

/// Test images shown after each epoch.
const PICTURES: usize = 16;
/// Cells along each side of the manifold.
const MANIFOLD: usize = 20;

/// What determines a training run.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The model.
    pub model: Model,
    /// The optimizer.
    pub adam: Adam,
    /// Images of an optimizer step.
    pub batch: usize,
    /// Passes over the training images.
    pub epochs: usize,
    /// Seed of weights, order and noise.
    pub seed: u64,
    /// End after so many optimizer steps.
    pub max_steps: Option<u64>,
    /// Make pictures.
    pub pictures: bool,
}

/// Why training stopped.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The GPU or its driver failed.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// The model cannot be built.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The batch is larger than the data set.
    #[error("--batch {batch} is more than the {images} training images: use at most {images}")]
    BatchTooLarge {
        /// Batch asked for.
        batch: usize,
        /// Training images there are.
        images: usize,
    },
    /// The loss is not a number any more.
    #[error(
        "the loss became {loss} at step {step}{}: training has diverged; try a smaller --lr",
        .tensor.as_ref().map(|t| format!(" (`{t}` holds values that are not finite)")).unwrap_or_default()
    )]
    NotFinite {
        /// The loss.
        loss: f32,
        /// Optimizer step, from 1.
        step: u64,
        /// A parameter that is not finite, if there is one.
        tensor: Option<String>,
    },
    /// A listener failed, for instance to write a file.
    #[error(transparent)]
    Listener(Box<dyn Error + Send + Sync>),
}

/// Takes events; its error stops training.
pub type Listener<'a> = dyn FnMut(Event) -> Result<(), Box<dyn Error + Send + Sync>> + 'a;

/// A training run, set up on a device.
pub struct Trainer<'a> {
    gpu: &'a Gpu,
    options: &'a Options,
    train_images: usize,
    test_images: usize,
    memory: Memory,
    plan: Plan,
    full: Replay,
    tail: Option<(usize, Replay)>,
    evaluator: Evaluator,
    pictures: (Plan, Replay),
    decode: (Plan, Replay),
    step: u64,
    pace: Pace,
    traffic: Traffic,
    set_up: Duration,
}

/// The training split as a plan's feed.
fn train_feed(data: &ImageSet) -> (Feed, usize) {
    let images = &data.train.images;
    let packed = Packed {
        shape: images.shape(),
        count: images.count(),
        depth: images.depth(),
    };
    (
        Feed::Resident("train.images", packed, Order::Shuffled),
        images.count(),
    )
}

impl<'a> Trainer<'a> {
    /// Compiles the plans and puts data and initial weights on the device.
    pub fn new(gpu: &'a Gpu, options: &'a Options, data: &ImageSet) -> Result<Self, TrainError> {
        let start = Instant::now();
        options.model.validate()?;
        let (model, batch, caps) = (&options.model, options.batch, gpu.caps());
        let (feed, train_images) = train_feed(data);
        if batch > train_images {
            let images = train_images;
            return Err(TrainError::BatchTooLarge { batch, images });
        }
        let train = |batch| model::train_step(model, feed, options.adam, batch, caps);
        let plan = train(batch);
        let tail = Some(train_images % batch)
            .filter(|&last| last > 0)
            .map(train);
        let evaluation = eval::Plans::new(model, data, batch, caps);
        let (test_feed, test_images) = test_feed(data);
        let shown = PICTURES.min(test_images);
        let pictures = model::reconstruct(model, test_feed, shown, caps);
        let decode = model::decode(model, MANIFOLD, caps);
        let plans: Vec<&Plan> = [&plan, &pictures, &decode]
            .into_iter()
            .chain(&tail)
            .chain(evaluation.all())
            .collect();
        let memory = Memory::allocate(gpu, &plans)?;
        let compile = |plan: &Plan| Replay::compile(gpu, plan, &memory);
        let trainer = Trainer {
            full: compile(&plan)?,
            tail: tail
                .map(|plan| Ok::<_, GpuError>((plan.batch, compile(&plan)?)))
                .transpose()?,
            evaluator: evaluation.compile(gpu, &memory)?,
            decode: (decode.clone(), compile(&decode)?),
            pictures: (pictures.clone(), compile(&pictures)?),
            gpu,
            options,
            train_images,
            test_images,
            plan,
            memory,
            step: 0,
            pace: Pace::new(caps),
            traffic: Traffic::default(),
            set_up: Duration::ZERO,
        };
        trainer.upload(data)?;
        Ok(Trainer {
            set_up: start.elapsed(),
            ..trainer
        })
    }

    fn upload(&self, data: &ImageSet) -> Result<(), GpuError> {
        let Trainer {
            gpu,
            memory,
            plan,
            options,
            ..
        } = self;
        memory.write_words(gpu, plan, "train.images", &data.train.images.device_words())?;
        memory.write_words(
            gpu,
            &self.pictures.0,
            "test.images",
            &data.test.images.device_words(),
        )?;
        let start = StepState::start(options.seed, Stream::Train);
        memory.write_words(gpu, plan, "state", &start.to_words())?;
        let specs = options.model.params();
        for (spec, values) in specs.iter().zip(params::initial(&specs, options.seed)) {
            memory.write(gpu, plan, &spec.name, &values)?;
        }
        Ok(())
    }

    /// Optimizer steps of a whole epoch, the last of which may be smaller.
    pub fn steps_per_epoch(&self) -> usize {
        self.train_images.div_ceil(self.options.batch)
    }

    /// Convolution kernels in use.
    fn variant(&self) -> String {
        self.plan.variants().join(",")
    }

    /// Trains to the end.
    pub async fn run(&mut self, emit: &mut Listener<'_>) -> Result<(), TrainError> {
        let adapter = &self.gpu.adapter;
        let started = Event::Started {
            adapter: adapter.name.clone(),
            driver: adapter.driver.clone(),
            variant: self.variant(),
            parameters: self.options.model.params().iter().map(|p| p.len()).sum(),
            device_bytes: self.memory.bytes(),
            train_images: self.train_images,
            test_images: self.test_images,
            steps_per_epoch: self.steps_per_epoch(),
            last_batch: self
                .tail
                .as_ref()
                .map_or(self.options.batch, |(last, _)| *last),
        };
        send(emit, started)?;
        self.report(0, None, emit).await?;
        let end = self.options.max_steps.unwrap_or(u64::MAX);
        for epoch in 1..=self.options.epochs {
            if self.step >= end {
                break;
            }
            let trained = self.epoch(epoch, end, emit).await?;
            self.report(epoch, Some(trained), emit).await?;
            send(emit, Event::Checkpoint(Box::new(self.snapshot().await?)))?;
        }
        if self.options.pictures && self.options.model.latent_dim == 2 {
            let images = self.decode(&latent_grid(MANIFOLD)).await?;
            send(
                emit,
                Event::Manifold {
                    n: MANIFOLD,
                    images,
                },
            )?;
        }
        let snapshot = Box::new(self.snapshot().await?);
        let (step, traffic) = (self.step, self.traffic);
        send(
            emit,
            Event::Done {
                step,
                snapshot,
                traffic,
            },
        )
    }

    /// Trains one epoch, or to step `end` if that comes first.
    async fn epoch(
        &mut self,
        epoch: usize,
        end: u64,
        emit: &mut Listener<'_>,
    ) -> Result<Trained, TrainError> {
        let start = Instant::now();
        let gpu = self.gpu;
        let writes = || gpu.counters.host_writes.load(Ordering::Relaxed);
        let writes_before = writes();
        let budget = usize::try_from(end - self.step).unwrap_or(usize::MAX);
        let of = self.steps_per_epoch().min(budget);
        let full = (self.train_images / self.options.batch).min(of);
        let mut encoded = 0;
        let mut totals = Trained::default();
        let mut in_flight: VecDeque<(usize, Readback)> = VecDeque::new();
        while encoded < of || !in_flight.is_empty() {
            if encoded < of && in_flight.len() < 2 {
                let now = self.pace.steps().min(of - encoded);
                let whole = now.min(full - encoded.min(full));
                let mut runs = vec![(&self.full, whole)];
                runs.extend(
                    self.tail
                        .iter()
                        .filter(|_| whole < now)
                        .map(|(_, tail)| (tail, 1)),
                );
                let ring = Some((&self.memory, &self.plan, "metrics"));
                in_flight.push_back((now, gpu.submit(&runs, ring)?));
                encoded += now;
                self.traffic.submissions += 1;
                self.traffic.most_steps = self.traffic.most_steps.max(now as u64);
                continue;
            }
            let Some((count, readback)) = in_flight.pop_front() else {
                break;
            };
            let ring = readback.floats(gpu).await?;
            if self.step == 0 {
                let seconds = (self.set_up + start.elapsed()).as_secs_f64();
                send(emit, Event::FirstStep { seconds })?;
            }
            self.pace.finished(count);
            let loss = self.collect(&ring, count, &mut totals).await?;
            let (done, step) = (totals.steps, self.step);
            send(
                emit,
                Event::Progress {
                    epoch,
                    done,
                    of,
                    loss,
                    step,
                },
            )?;
        }
        self.traffic.host_writes += writes() - writes_before;
        totals.seconds = start.elapsed().as_secs_f64();
        Ok(totals)
    }

    /// Takes the next `count` steps' metrics from the ring; gives their mean loss.
    async fn collect(
        &mut self,
        ring: &[f32],
        count: usize,
        totals: &mut Trained,
    ) -> Result<f64, TrainError> {
        let mut sum = 0.0;
        for _ in 0..count {
            let row = (self.step % RING as u64) as usize * COLUMNS;
            let loss = ring.get(row).copied().unwrap_or(f32::NAN);
            self.step += 1;
            totals.steps += 1;
            if !loss.is_finite() {
                let tensor = self.first_not_finite().await?;
                let step = self.step;
                return Err(TrainError::NotFinite { loss, step, tensor });
            }
            let whole = totals.steps * self.options.batch <= self.train_images;
            let last = self
                .tail
                .as_ref()
                .map_or(self.options.batch, |(last, _)| *last);
            let images = if whole { self.options.batch } else { last };
            totals.images += images;
            totals.loss_sum += f64::from(loss) * images as f64;
            sum += f64::from(loss);
        }
        Ok(sum / count as f64)
    }

    async fn first_not_finite(&self) -> Result<Option<String>, GpuError> {
        for spec in self.options.model.params() {
            let values = self.memory.read(self.gpu, &self.plan, &spec.name).await?;
            if values.iter().any(|v| !v.is_finite()) {
                return Ok(Some(spec.name));
            }
        }
        Ok(None)
    }

    /// Evaluates and reports an epoch.
    async fn report(
        &mut self,
        epoch: usize,
        trained: Option<Trained>,
        emit: &mut Listener<'_>,
    ) -> Result<(), TrainError> {
        let start = Instant::now();
        let seed = self.options.seed;
        let terms = self
            .evaluator
            .run(self.gpu, &self.memory, seed, epoch)
            .await?;
        let kl = terms.divergence(self.options.model.loss);
        let report = EpochReport {
            epoch,
            step: self.step,
            test_elbo: terms.logpx_z - kl,
            reconstruction: terms.logpx_z,
            kl,
            train_loss: trained.map(|t| t.loss_sum / t.images as f64),
            train_seconds: trained.map_or(0.0, |t| t.seconds),
            images_per_second: trained.map(|t| t.images as f64 / t.seconds),
            eval_seconds: start.elapsed().as_secs_f64(),
            adapter: self.gpu.adapter.name.clone(),
            driver: self.gpu.adapter.driver.clone(),
            variant: self.variant(),
        };
        send(emit, Event::Epoch(report))?;
        if self.options.pictures {
            let images = self.reconstruct(epoch).await?;
            send(emit, Event::Pictures { epoch, images })?;
        }
        // Waiting for evaluation and files is not the pace of training.
        self.pace.restart();
        Ok(())
    }

    /// The first test images, encoded, sampled with fresh noise, and decoded.
    async fn reconstruct(&self, epoch: usize) -> Result<Vec<f32>, GpuError> {
        let (plan, replay) = &self.pictures;
        let mut state = StepState::start(self.options.seed, Stream::Picture);
        state.step = epoch as u32;
        self.memory
            .write_words(self.gpu, plan, "picture.state", &state.to_words())?;
        let out = Some((&self.memory, plan, "probabilities"));
        self.gpu.submit(&[(replay, 1)], out)?.floats(self.gpu).await
    }

    /// Probabilities of the codes `z [n, latent]`, n a multiple of the decoding batch.
    async fn decode(&self, z: &[f32]) -> Result<Vec<f32>, GpuError> {
        let (plan, replay) = &self.decode;
        let mut images = Vec::new();
        for codes in z.chunks_exact(plan.batch * self.options.model.latent_dim) {
            self.memory.write(self.gpu, plan, "codes", codes)?;
            let out = Some((&self.memory, plan, "probabilities"));
            images.extend(
                self.gpu
                    .submit(&[(replay, 1)], out)?
                    .floats(self.gpu)
                    .await?,
            );
        }
        Ok(images)
    }

    /// Everything that determines the rest of the run.
    pub async fn snapshot(&self) -> Result<Snapshot, GpuError> {
        let mut tensors = Vec::new();
        for spec in self.options.model.params() {
            let [m, v] = params::moment_names(&spec.name);
            let mut values = [Vec::new(), Vec::new(), Vec::new()];
            for (name, values) in [&spec.name, &m, &v].into_iter().zip(&mut values) {
                *values = self.memory.read(self.gpu, &self.plan, name).await?;
            }
            tensors.push((spec, values));
        }
        let state = self
            .memory
            .read_words(self.gpu, &self.plan, "state")
            .await?;
        Ok(Snapshot {
            params: tensors,
            state,
        })
    }
}

fn send(emit: &mut Listener<'_>, event: Event) -> Result<(), TrainError> {
    emit(event).map_err(TrainError::Listener)
}

/// Sums over the steps of an epoch.
#[derive(Clone, Copy, Debug, Default)]
struct Trained {
    steps: usize,
    images: usize,
    loss_sum: f64,
    seconds: f64,
}
