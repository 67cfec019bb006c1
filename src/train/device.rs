//! The memory and the compiled plans of a run on the device.

use super::error::TrainError;
use super::options::Options;
use crate::data::{ImageSet, Split, check_labels};
use crate::gpu::{Ahead, Compiled, Gpu, GpuError, Memory, Replay};
use crate::model::params;
use crate::model::{self, Model, Recipe};
use crate::ops::Target;
use crate::ops::fetch::Packed;
use crate::ops::rng::Order;
use crate::ops::state::StepState;
use crate::plan::{self, Batches, GrowsWith, Plan, PlanError};
use crate::rng::Stream;
use crate::train::eval::{self, Evaluation};
use crate::train::event::{Record, Snapshot};
use crate::train::pictures::{Pictures, SHOWN};
use crate::train::supply::{Room, Supply, SupplyError};

/// Plans and memory of a run.
pub(super) struct Device {
    pub(super) memory: Memory,
    /// Taken by the first step.
    pub(super) ahead: Option<Ahead>,
    pub(super) plans: Plans<Compiled>,
}

/// The plans of a run, or what they are compiled to.
pub(super) struct Plans<P = Plan> {
    pub(super) recipe: Recipe,
    /// An epoch of optimizer steps.
    pub(super) steps: Batches<P>,
    pub(super) supply: Supply,
    pub(super) evaluation: Evaluation<P>,
    pub(super) validation: Option<Evaluation<P>>,
    pub(super) pictures: Option<Pictures<P>>,
}

impl Plans {
    fn new(options: &Options, data: &ImageSet, target: &Target, batch: usize) -> Self {
        let model = &options.model;
        let (images, test) = (&data.train.images, &data.test.images);
        let all = [images, test].into_iter();
        let validation = data.validation.as_ref().map(|split| &split.images);
        let room = Room::new(options.data_memory, all.chain(validation), &target.caps);
        let seed = options.seed;
        let packed = Packed::training(images, options.binarize)
            .flipped(options.flip)
            .in_windows(room.window(images, batch));
        let supply = Supply::new("train.images", images, packed, Order::Shuffled, seed);
        let in_order = |slot, images, least: usize| {
            let window = room
                .window(images, batch)
                .max(least.next_multiple_of(batch));
            let packed = Packed::of(images).in_windows(window);
            Supply::new(slot, images, packed, Order::File, seed)
        };
        let evaluation = Evaluation::new(model, in_order(eval::IMAGES, test, SHOWN), batch, target);
        let feed = supply.feed();
        let steps = images.count().div_ceil(batch);
        let recipe = options.extras.recipe(options.rate, steps, options.epochs);
        let train = |batch| model::train_step(model, feed, recipe, batch, target);
        Plans {
            recipe,
            steps: Batches::new(images.count(), batch, train),
            supply,
            validation: validation.map(|images| {
                Evaluation::new(model, in_order(eval::VALIDATION, images, 0), batch, target)
            }),
            pictures: (options.pictures).then(|| Pictures::new(model, &evaluation.supply, target)),
            evaluation,
        }
    }

    fn all(&self) -> Vec<&Plan> {
        let steps = self.steps.each();
        steps
            .chain(self.evaluation.all())
            .chain(self.validation.iter().flat_map(Evaluation::all))
            .chain(self.pictures.iter().flat_map(Pictures::all))
            .collect()
    }
}

/// Bytes of a run ([`super::device_bytes`]).
pub(super) fn bytes(options: &Options, data: &ImageSet, target: &Target) -> u64 {
    let plans = Plans::new(options, data, target, options.batch);
    plan::shared_bytes(&plans.all())
}

/// The largest number below `end` that fits; every number below one that fits must fit.
fn largest(end: usize, fits: impl Fn(usize) -> bool) -> Option<usize> {
    let (mut good, mut bad) = (0, end);
    while bad - good > 1 {
        let middle = good + (bad - good) / 2;
        match fits(middle) {
            true => good = middle,
            false => bad = middle,
        }
    }
    (good > 0).then_some(good)
}

impl Device {
    /// Compiles the plans and puts data and initial weights on the device.
    pub(super) async fn new(
        gpu: &Gpu,
        options: &Options,
        data: &ImageSet,
    ) -> Result<Self, TrainError> {
        options.model.validate()?;
        for split in [&data.train, &data.test]
            .into_iter()
            .chain(&data.validation)
        {
            options.model.takes(&split.images)?;
            let labels = split.labels.as_deref();
            check_labels(labels, split.images.count(), options.model.labels)?;
        }
        let batch = options.batch;
        let plans = |batch| Plans::new(options, data, gpu.target(), batch);
        let plain = plans(batch);
        let memory = Memory::allocate(gpu, &plain.all()).await;
        let memory = memory.map_err(|mut error| {
            match &mut error {
                GpuError::Plan(PlanError::TooLarge {
                    fits,
                    grows_with: GrowsWith::Batch,
                    ..
                }) => {
                    let fit = |batch| plans(batch).all().iter().all(|plan| plan.check().is_ok());
                    *fits = largest(batch, fit);
                }
                GpuError::OutOfMemory { fits, room, .. } => {
                    let fit = |batch| Memory::need(gpu, &plans(batch).all()) <= *room;
                    *fits = largest(batch, fit);
                }
                _ => {}
            }
            error
        })?;
        let ahead = gpu.compile_ahead(&plain.all());
        let compile = async |plan: Plan| Compiled::new(gpu, plan, &memory).await;
        let plans = Plans {
            recipe: plain.recipe,
            steps: plain.steps.try_map(compile).await?,
            supply: plain.supply,
            evaluation: plain.evaluation.compile(gpu, &memory).await?,
            validation: match plain.validation {
                Some(validation) => Some(validation.compile(gpu, &memory).await?),
                None => None,
            },
            pictures: match plain.pictures {
                Some(pictures) => Some(pictures.compile(gpu, &memory).await?),
                None => None,
            },
        };
        let device = Device {
            memory,
            ahead,
            plans,
        };
        device.upload(gpu, options, data)?;
        Ok(device)
    }

    fn upload(&self, gpu: &Gpu, options: &Options, data: &ImageSet) -> Result<(), SupplyError> {
        let (memory, plan) = (&self.memory, self.plan());
        let start = StepState::start(options.seed, Stream::Train);
        let put =
            |plan: &Plan, slot: &str, supply: &Supply, split: &Split| -> Result<(), SupplyError> {
                supply.bring(gpu, memory, plan, (0, 0))?;
                match &split.labels {
                    Some(labels) if options.model.labels > 0 => {
                        memory.write_words(gpu, plan, &format!("{slot}.labels"), labels)?;
                    }
                    _ => {}
                }
                Ok(())
            };
        put(plan, "train.images", &self.plans.supply, &data.train)?;
        let test = (eval::IMAGES, Some(&self.plans.evaluation), Some(&data.test));
        let (plans, split) = (self.plans.validation.as_ref(), data.validation.as_ref());
        for (slot, evaluation, split) in [test, (eval::VALIDATION, plans, split)] {
            if let Some((evaluation, split)) = evaluation.zip(split) {
                let plan = &evaluation.batches.full.plan;
                put(plan, slot, &evaluation.supply, split)?;
            }
        }
        memory.write_words(gpu, plan, "state", &start.to_words())?;
        let specs = options.model.params();
        for (spec, values) in specs.iter().zip(params::initial(&specs, options.seed)) {
            memory.write(gpu, plan, &spec.name, &values)?;
        }
        Ok(())
    }

    /// Puts weights on the device.
    pub(super) fn put_weights(
        &self,
        gpu: &Gpu,
        weights: &[(params::ParamSpec, Vec<f32>)],
    ) -> Result<(), GpuError> {
        let mut all = weights.iter();
        all.try_for_each(|(spec, values)| self.memory.write(gpu, self.plan(), &spec.name, values))
    }

    /// Puts weights, moments and the step state of a snapshot on the device.
    pub(super) fn restore(&self, gpu: &Gpu, snapshot: &Snapshot) -> Result<(), GpuError> {
        let (memory, plan) = (&self.memory, self.plan());
        for (name, _, values) in snapshot.tensors() {
            memory.write(gpu, plan, &name, values)?;
        }
        memory.write_words(gpu, plan, "state", &snapshot.state)
    }

    /// Weights, moments and the step state, with the host's record.
    pub(super) async fn snapshot(
        &self,
        gpu: &Gpu,
        model: &Model,
        record: Record,
    ) -> Result<Snapshot, GpuError> {
        // Whole arenas, since each readback waits for the device.
        let (memory, plan) = (&self.memory, self.plan());
        let mut arenas = [Vec::new(), Vec::new(), Vec::new()];
        for (name, values) in ["params", "adam_m", "adam_v"].into_iter().zip(&mut arenas) {
            *values = memory.read(gpu, plan, name).await?;
        }
        let specs = model.params();
        let (offsets, _) = params::offsets(&specs);
        let cut = |(spec, start): (params::ParamSpec, usize)| {
            let range = start..start + spec.len();
            let values = arenas.each_ref().map(|arena| arena[range.clone()].to_vec());
            (spec, values)
        };
        Ok(Snapshot {
            params: specs.into_iter().zip(offsets).map(cut).collect(),
            state: memory.read_words(gpu, plan, "state").await?,
            record,
        })
    }

    /// The plan of a whole batch.
    pub(super) fn plan(&self) -> &Plan {
        &self.plans.steps.full.plan
    }

    /// Makes sure that the images of the steps from `offset` on of a pass (from 0) are on the device;
    /// returns the number of steps up to which they are there.
    pub(super) fn bring(
        &self,
        gpu: &Gpu,
        pass: usize,
        offset: usize,
    ) -> Result<usize, SupplyError> {
        let batch = self.plans.steps.batch;
        let at = (pass, offset * batch);
        let end = self
            .plans
            .supply
            .bring(gpu, &self.memory, self.plan(), at)?;
        Ok(end.div_ceil(batch))
    }

    /// The replays of `count` steps from `offset` steps into an epoch.
    pub(super) fn runs(&self, offset: usize, count: usize) -> Vec<(&Replay, usize)> {
        let runs = self.plans.steps.runs(offset, count);
        runs.map(|(compiled, times)| (&compiled.replay, times))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_that_fits_is_found() {
        for limit in 0..9 {
            let found = largest(9, |n| n <= limit);
            assert_eq!(found, (limit > 0).then_some(limit), "up to {limit}");
        }
        assert_eq!(largest(1, |_| true), None);
    }
}
