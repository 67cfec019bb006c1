//! The pictures of a run: reconstructed test images, and images of given codes.

use super::supply::{Supply, SupplyError};
use crate::gpu::{Compiled, Gpu, GpuError, Memory};
use crate::model::{self, Model};
use crate::ops::Target;
use crate::ops::state::StepState;
use crate::plan::Plan;
use crate::rng::Stream;

/// Test images shown after each epoch.
pub(super) const SHOWN: usize = 16;
/// Images in a row of the picture of an epoch.
pub(super) const ROW: usize = 4;
/// Cells along each side of the manifold.
pub(super) const MANIFOLD: usize = 20;

/// The plans of pictures, or what they are compiled to.
pub(super) struct Pictures<P = Plan> {
    reconstruct: P,
    /// For the manifold, and for a row of each class.
    decode: Option<P>,
}

impl Pictures {
    /// Pictures of the test images of `supply`.
    pub(super) fn new(model: &Model, supply: &Supply, target: &Target) -> Self {
        let shown = SHOWN.min(supply.packed().count);
        let decodes = model.latent_dim == 2 || model.labels > 0;
        Pictures {
            reconstruct: model::reconstruct(model, supply.feed(), shown, target),
            decode: decodes.then(|| model::decode(model, MANIFOLD, target).0),
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Plan> {
        [&self.reconstruct].into_iter().chain(&self.decode)
    }

    pub(super) async fn compile(
        self,
        gpu: &Gpu,
        memory: &Memory,
    ) -> Result<Pictures<Compiled>, GpuError> {
        Ok(Pictures {
            reconstruct: Compiled::new(gpu, self.reconstruct, memory).await?,
            decode: match self.decode {
                Some(plan) => Some(Compiled::new(gpu, plan, memory).await?),
                None => None,
            },
        })
    }
}

impl Pictures<Compiled> {
    /// The first test images, encoded, sampled with fresh noise, and decoded.
    pub(super) async fn reconstruct(
        &self,
        gpu: &Gpu,
        memory: &Memory,
        supply: &Supply,
        (seed, epoch): (u64, usize),
    ) -> Result<Vec<f32>, SupplyError> {
        let Compiled { plan, replay } = &self.reconstruct;
        supply.bring(gpu, memory, plan, (0, 0))?;
        let mut state = StepState::start(seed, Stream::Picture);
        state.step = epoch as u32;
        memory.write_words(gpu, plan, "picture.state", &state.to_words())?;
        let out = Some((memory, plan, "probabilities"));
        Ok(gpu.submit(&[(replay, 1)], out)?.floats(gpu).await?)
    }

    /// The images `[n, H, W, C]` of the codes `z [n, latent]`, with the label of each for a conditioned
    /// model; none for a model without such pictures.
    pub(super) async fn decode(
        &self,
        gpu: &Gpu,
        memory: &Memory,
        model: &Model,
        z: &[f32],
        labels: &[u32],
    ) -> Result<Vec<f32>, GpuError> {
        let mut images = Vec::new();
        let Some(Compiled { plan, replay }) = &self.decode else {
            return Ok(images);
        };
        let (batch, latent) = (plan.batch, model.latent_dim);
        for (codes, labels) in z.chunks(batch * latent).zip(labels.chunks(batch)) {
            let filled = |n| [codes, &vec![0.0; n * latent - codes.len()]].concat();
            memory.write(gpu, plan, "codes", &filled(batch))?;
            if model.labels > 0 {
                let labels = [labels, &vec![0; batch - labels.len()]].concat();
                memory.write_words(gpu, plan, "labels", &labels)?;
            }
            let out = Some((memory, plan, "probabilities"));
            let all = gpu.submit(&[(replay, 1)], out)?.floats(gpu).await?;
            let values = model.image.iter().product::<usize>();
            images.extend_from_slice(&all[..codes.len() / latent * values]);
        }
        Ok(images)
    }
}
