//! Inference with a trained model: codes of images, images of codes, samples, the terms of the ELBO,
//! and the importance-weighted bound. The device works in batches, in file order; the batch size
//! changes results by rounding only.
//!
//! This module uses no files and no terminal; it reports progress to a callback.

mod bound;
pub mod plans;

use std::ops::Range;

use crate::data::{DataError, LabelError, Labelled, check_labels};
use crate::gpu::{Compiled, Gpu, GpuError, Memory};
use crate::model::{self, ModelError};
use crate::ops::elbo::TERMS;
use crate::ops::fetch::Packed;
use crate::ops::rng::Order;
use crate::ops::state::StepState;
use crate::plan::{Batches, Plan, SlotId};
use crate::rng::Stream;
use crate::saved::Trained;
use crate::train::eval::{self, Evaluation, Terms};
use crate::train::supply::{Room, Supply, SupplyError};

/// Why inference failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExploreError {
    /// The GPU or its driver failed.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// The images cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The images differ in size from those of the model.
    #[error("the images are {}, but the model takes {}", size(.found), size(.wanted))]
    Images {
        /// `[H, W, C]` of the images.
        found: [usize; 3],
        /// `[H, W, C]` of the model.
        wanted: [usize; 3],
    },
    /// The values of the images do not serve the model.
    #[error(transparent)]
    Values(#[from] ModelError),
    /// The labels do not serve the model.
    #[error(transparent)]
    Labels(#[from] LabelError),
    /// The number of values is not a multiple of the latent dimensions.
    #[error("{found} values are not whole codes of {latent} latent dimensions")]
    Codes {
        /// Values given.
        found: usize,
        /// Latent dimensions of the model.
        latent: usize,
    },
    /// The device returned a value that is not finite.
    #[error(
        "{what} {index} is {value}: the weights are too large for single precision, or the \
         adapter is faulty"
    )]
    NotFinite {
        /// Name of the value, such as `the ELBO of image`.
        what: &'static str,
        /// Its index, from 0.
        index: usize,
        /// The value.
        value: f32,
    },
}

impl From<SupplyError> for ExploreError {
    fn from(error: SupplyError) -> Self {
        match error {
            SupplyError::Gpu(error) => error.into(),
            SupplyError::Data(error) => error.into(),
        }
    }
}

fn size([height, width, channels]: &[usize; 3]) -> String {
    format!("{height}×{width}×{channels}")
}

/// Receives the number of items done and the total.
pub type Tell<'a> = dyn FnMut(usize, usize) + 'a;

/// Latent codes `[N, L]`, and a label per code for a conditioned model.
#[derive(Clone, Copy, Debug)]
pub struct Codes<'a> {
    /// The values.
    pub z: &'a [f32],
    /// One label per code.
    pub labels: Option<&'a [u32]>,
}

impl<'a> From<&'a Vec<f32>> for Codes<'a> {
    fn from(z: &'a Vec<f32>) -> Self {
        Codes { z, labels: None }
    }
}

impl<'a> From<&'a [f32]> for Codes<'a> {
    fn from(z: &'a [f32]) -> Self {
        Codes { z, labels: None }
    }
}

/// A trained model on a device. Its methods fail if the images do not fit the model, the device fails,
/// or a result is not finite.
pub struct Explorer<'a> {
    gpu: &'a Gpu,
    trained: &'a Trained,
    batch: usize,
    data_memory: Option<u64>,
}

impl<'a> Explorer<'a> {
    /// Runs `trained` on `gpu` in batches of `batch` images.
    pub fn new(gpu: &'a Gpu, trained: &'a Trained, batch: usize) -> Self {
        let batch = batch.max(1);
        Explorer {
            gpu,
            trained,
            batch,
            data_memory: None,
        }
    }

    /// With at most so many bytes of images on the device at a time.
    #[must_use]
    pub fn data_memory(mut self, most: Option<u64>) -> Self {
        self.data_memory = most;
        self
    }

    /// Mean and log-variance of q(z|x) of each image: `[N, 2L]`, means first. Variances are the diagonal
    /// of the covariance.
    pub async fn encode(
        &self,
        images: impl Into<Labelled<'_>>,
        tell: &mut Tell<'_>,
    ) -> Result<Vec<f32>, ExploreError> {
        let given = images.into();
        let (images, supply) = (given.images, self.supply(plans::IMAGES, given)?);
        let model = &self.trained.model;
        let build = |batch| plans::encode(model, supply.packed(), batch, self.gpu.target());
        let fill = |memory: &Memory, plan: &Plan, batch: Range<usize>| {
            supply.bring(self.gpu, memory, plan, (0, batch.start))?;
            if batch.start > 0 {
                return Ok(());
            }
            self.write_labels(memory, plan, plans::LABELS, given.labels)?;
            self.start(memory, plan, 0, Stream::Evaluate)
        };
        let codes = self.collect(images.count(), build, fill, tell).await?;
        finite(
            "the code of image",
            &codes,
            model.posterior.values(model.latent_dim),
        )?;
        Ok(model.posterior.means_and_logvars(model.latent_dim, codes))
    }

    /// Decodes the codes `z [N, L]` into images `[N, H, W, C]` of probabilities or means. Fails if `z` is
    /// not a whole number of codes.
    pub async fn decode(
        &self,
        codes: impl Into<Codes<'_>>,
        tell: &mut Tell<'_>,
    ) -> Result<Vec<f32>, ExploreError> {
        let Codes { z, labels } = codes.into();
        let latent = self.trained.model.latent_dim;
        let found = z.len();
        if found == 0 || !found.is_multiple_of(latent) {
            return Err(ExploreError::Codes { found, latent });
        }
        check_labels(labels, found / latent, self.trained.model.labels)?;
        let build = |batch| model::decode(&self.trained.model, batch, self.gpu.target());
        let fill = |memory: &Memory, plan: &Plan, batch: Range<usize>| {
            let codes = &z[latent * batch.start..latent * batch.end];
            memory.write(self.gpu, plan, "codes", codes)?;
            self.write_labels(memory, plan, "labels", labels.map(|all| &all[batch]))
        };
        let images = self.collect(found / latent, build, fill, tell).await?;
        self.finite_images(images)
    }

    /// Decodes `count` codes drawn from the prior into images `[N, H, W, C]` of probabilities or means.
    /// Image i depends on the seed and its label, not on `count`. A conditioned model needs a label for
    /// each.
    pub async fn sample(
        &self,
        count: usize,
        labels: Option<&[u32]>,
        seed: u64,
        tell: &mut Tell<'_>,
    ) -> Result<Vec<f32>, ExploreError> {
        check_labels(labels, count, self.trained.model.labels)?;
        let build = |batch| plans::sample(&self.trained.model, count, batch, self.gpu.target());
        let fill = |memory: &Memory, plan: &Plan, batch: Range<usize>| {
            if batch.start == 0 {
                self.start(memory, plan, seed, Stream::Picture)?;
            }
            self.write_labels(memory, plan, "labels", labels.map(|all| &all[batch]))
        };
        let images = self.collect(count, build, fill, tell).await?;
        self.finite_images(images)
    }

    /// The terms of the ELBO of each image, with one noise draw each: log p(x|z), log p(z), log q(z|x)
    /// and the analytic KL, in nats.
    pub async fn terms(
        &self,
        images: impl Into<Labelled<'_>>,
        seed: u64,
        tell: &mut Tell<'_>,
    ) -> Result<Vec<Terms>, ExploreError> {
        let given = images.into();
        let (images, supply) = (given.images, self.supply(eval::IMAGES, given)?);
        let (gpu, model) = (self.gpu, &self.trained.model);
        let evaluation = Evaluation::new(model, supply, self.batch, gpu.target());
        let all: Vec<&Plan> = evaluation.all().collect();
        let memory = Memory::allocate(gpu, &all).await?;
        self.upload(&memory, all[0])?;
        self.write_labels(&memory, all[0], eval::LABELS, given.labels)?;
        let evaluation = evaluation.compile(gpu, &memory).await?;
        let mut go_on = |done, of| {
            tell(done, of);
            true
        };
        evaluation.run(gpu, &memory, seed, 0, &mut go_on).await?;
        tell(images.count(), images.count());
        let table = evaluation.table(gpu, &memory).await?;
        finite("the ELBO of image", &table, TERMS)?;
        Ok(table.chunks_exact(TERMS).map(Terms::of).collect())
    }

    /// The supply of images that fit the model, as their labels do.
    fn supply(&self, slot: &'static str, given: Labelled<'_>) -> Result<Supply, ExploreError> {
        let (images, model) = (given.images, &self.trained.model);
        let (found, wanted) = (images.shape(), model.image);
        if found != wanted {
            return Err(ExploreError::Images { found, wanted });
        }
        model.takes(images)?;
        check_labels(given.labels, images.count(), model.labels)?;
        let room = Room::new(self.data_memory, [images], self.gpu.caps());
        let packed = Packed::of(images).in_windows(room.window(images, self.batch));
        Ok(Supply::new(slot, images, packed, Order::File, 0))
    }

    /// Writes labels, if the model is conditioned on them.
    fn write_labels(
        &self,
        memory: &Memory,
        plan: &Plan,
        slot: &str,
        labels: Option<&[u32]>,
    ) -> Result<(), SupplyError> {
        if let Some(labels) = labels.filter(|_| self.trained.model.labels > 0) {
            memory.write_words(self.gpu, plan, slot, labels)?;
        }
        Ok(())
    }

    fn upload(&self, memory: &Memory, plan: &Plan) -> Result<(), GpuError> {
        let mut weights = self.trained.weights.iter();
        weights.try_for_each(|(spec, values)| memory.write(self.gpu, plan, &spec.name, values))
    }

    fn start(
        &self,
        memory: &Memory,
        plan: &Plan,
        seed: u64,
        stream: Stream,
    ) -> Result<(), SupplyError> {
        let words = StepState::start(seed, stream).to_words();
        Ok(memory.write_words(self.gpu, plan, plans::STATE, &words)?)
    }

    fn finite_images(&self, images: Vec<f32>) -> Result<Vec<f32>, ExploreError> {
        let values = self.trained.model.image.iter().product();
        finite("a value of image", &images, values)?;
        Ok(images)
    }

    /// Runs plans on `count` items in batches, and concatenates what they write to their slot. `fill`
    /// writes the host data of a batch.
    async fn collect(
        &self,
        count: usize,
        build: impl Fn(usize) -> (Plan, SlotId),
        fill: impl Fn(&Memory, &Plan, Range<usize>) -> Result<(), SupplyError>,
        tell: &mut Tell<'_>,
    ) -> Result<Vec<f32>, SupplyError> {
        let gpu = self.gpu;
        let plans = Batches::new(count, self.batch, build);
        let each: Vec<&Plan> = plans.each().map(|(plan, _)| plan).collect();
        let memory = Memory::allocate(gpu, &each).await?;
        let (full, output) = &plans.full;
        self.upload(&memory, full)?;
        let output = full[*output].name.clone();
        let compile = async |(plan, _)| Compiled::new(gpu, plan, &memory).await;
        let batches = plans.try_map(compile).await?;
        let (mut results, mut done) = (Vec::new(), 0);
        for i in 0..batches.len() {
            let Compiled { plan, replay } = batches.at(i);
            let end = done + plan.batch;
            fill(&memory, plan, done..end)?;
            let output = Some((&memory, plan, output.as_str()));
            let batch = gpu.submit(&[(replay, 1)], output)?;
            results.extend(batch.floats(gpu).await?);
            done = end;
            tell(done, count);
        }
        Ok(results)
    }
}

/// The means `[N, L]` of codes `[N, 2L]`.
#[must_use]
pub fn means(codes: &[f32], latent: usize) -> Vec<f32> {
    let mean = |code: &[f32]| code[..latent].to_vec();
    codes.chunks_exact(2 * latent).flat_map(mean).collect()
}

/// `steps` codes on the straight line between two codes, both ends included: `[steps, L]`.
#[must_use]
pub fn line(from: &[f32], to: &[f32], steps: usize) -> Vec<f32> {
    let last = steps.saturating_sub(1).max(1) as f32;
    let step = |i: usize| {
        let t = i as f32 / last;
        let between = move |(a, b): (&f32, &f32)| a * (1.0 - t) + b * t;
        from.iter().zip(to).map(between)
    };
    (0..steps).flat_map(step).collect()
}

/// Rejects values that are not finite; an item has `width` values.
fn finite(what: &'static str, values: &[f32], width: usize) -> Result<(), ExploreError> {
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(at) => Err(ExploreError::NotFinite {
            what,
            index: at / width,
            value: values[at],
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_value_that_is_not_finite_is_named_by_its_item() {
        assert!(finite("image", &[0.0; 8], 4).is_ok());
        let refused = finite("image", &[0.0, 1.0, 2.0, f32::NAN], 2).unwrap_err();
        assert!(
            refused.to_string().starts_with("image 1 is NaN"),
            "{refused}"
        );
    }
}
