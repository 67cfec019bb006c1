//! The report of an epoch: its test and validation ELBO, the state of the optimizer, and pictures.

use web_time::Instant;

use super::best::Best;
use super::collapse;
use super::device::Device;
use super::event::{EpochReport, Event};
use super::pictures::{Pictures, ROW};
use super::{Listener, TrainError, Trainer};
use crate::gpu::Compiled;
use crate::model::params::LOG_SIGMA;
use crate::model::prior::prior_codes;

/// Most classes with a row in the picture of an epoch.
const MOST_CLASSES: usize = 16;

impl Trainer<'_> {
    /// Evaluates and reports an epoch; false where it was interrupted.
    pub(super) async fn report(
        &mut self,
        epoch: usize,
        emit: &mut Listener<'_>,
    ) -> Result<bool, TrainError> {
        let start = Instant::now();
        let seed = self.options.seed;
        let Device { memory, plans, .. } = &self.device;
        let mut go_on = |_, _| !self.is_stopping();
        let terms = plans
            .evaluation
            .run(self.gpu, memory, seed, epoch, &mut go_on);
        let Some(terms) = terms.await? else {
            return Ok(false);
        };
        let mut validation_elbo = None;
        if let Some(validation) = &plans.validation {
            let held = validation.run(self.gpu, memory, seed, epoch, &mut go_on);
            let Some(held) = held.await? else {
                return Ok(false);
            };
            validation_elbo = Some(held.elbo(self.options.model.loss));
        }
        let model = &self.options.model;
        let kl = terms.divergence(model.loss);
        let recipe = plans.recipe;
        // Figures of the last step; before the first, of that one.
        let last = self.step.max(1);
        let log_sigma = match model.learns_sigma() {
            true => self.number(LOG_SIGMA).await?,
            false => None,
        };
        let gradient_norm = match self.step {
            0 => None,
            _ => self.number("grads.norm").await?,
        };
        let sums = self.record.sums;
        let mean = |sum: f64| (sums.images > 0).then(|| sum / sums.images as f64);
        let report = EpochReport {
            epoch,
            step: self.step,
            test_elbo: terms.logpx_z - kl,
            reconstruction: terms.logpx_z,
            kl,
            validation_elbo,
            beta: model.beta * model.kl_term(&recipe).risen((last - 1) as u32),
            learning_rate: recipe.adam.rate_at(last as f64),
            sigma: log_sigma.map(f64::exp),
            gradient_norm,
            train_loss: mean(sums.loss),
            train_seconds: sums.seconds,
            images_per_second: mean(sums.seconds).map(f64::recip),
            eval_seconds: start.elapsed().as_secs_f64(),
            adapter: self.gpu.adapter.name.clone(),
            driver: self.gpu.adapter.driver.clone(),
            variant: self.variant(),
        };
        match validation_elbo {
            _ if epoch == 0 => self.record.start_elbo = Some(report.test_elbo),
            Some(elbo) => {
                self.record.best = Best::next(self.record.best, epoch, self.step, elbo);
            }
            None => {}
        }
        let warning = (!self.record.collapsed)
            .then(|| collapse::warning(&report, self.record.start_elbo, self.options.rate))
            .flatten();
        emit(Event::Epoch(report))?;
        if let Some(message) = warning {
            self.record.collapsed = true;
            emit(Event::Warning { message })?;
        }
        if let Some(pictures) = &self.device.plans.pictures {
            let memory = &self.device.memory;
            let supply = &self.device.plans.evaluation.supply;
            let made = pictures.reconstruct(self.gpu, memory, supply, (seed, epoch));
            let mut images = made.await?;
            let classes = self.classes(pictures).await?;
            if !classes.is_empty() {
                // Whole rows, so that each class has a row of its own.
                let row = ROW * self.options.model.image.iter().product::<usize>();
                images.truncate((images.len() / row).max(1) * row);
                images.extend(classes);
            }
            emit(Event::Pictures { epoch, images })?;
        }
        self.pace.restart();
        Ok(true)
    }

    /// A row of images of each of the first classes of a conditioned model, of the same codes.
    async fn classes(&self, pictures: &Pictures<Compiled>) -> Result<Vec<f32>, TrainError> {
        let model = &self.options.model;
        let classes = model.labels.min(MOST_CLASSES) as u32;
        let codes = prior_codes(self.options.seed, ROW, model.latent_dim);
        let labels: Vec<u32> = (0..classes).flat_map(|class| [class; ROW]).collect();
        let z = codes.repeat(classes as usize);
        let memory = &self.device.memory;
        let decoded = pictures.decode(self.gpu, memory, model, &z, &labels);
        Ok(decoded.await?)
    }

    /// The first value of a slot of the train step, if the step has it.
    async fn number(&self, slot: &str) -> Result<Option<f64>, TrainError> {
        let plan = self.device.plan();
        if plan.find(slot).is_none() {
            return Ok(None);
        }
        let values = self.device.memory.read(self.gpu, plan, slot).await?;
        Ok(values.first().map(|value| f64::from(*value)))
    }
}
