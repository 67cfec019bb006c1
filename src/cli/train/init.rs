//! `--init`: the weights of another model as the first ones.

use std::mem;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use cvae_gpu::model::Model;
use cvae_gpu::model::params::ParamSpec;
use cvae_gpu::saved::Trained;

use crate::cli::arch::Choice;
use crate::cli::weights::Weights;

/// A file with weights.
pub struct Init {
    /// The chosen file.
    pub file: Weights,
    trained: Trained,
}

impl Init {
    /// Reads a model file, or the newest weights in a run folder. `model` is that of a file that
    /// describes none, and `image` the size of the images.
    pub fn read(given: &Path, model: Option<Model>, image: [usize; 3]) -> anyhow::Result<Init> {
        let file = Weights::find(given);
        let read = || anyhow::Ok(file.read()?.assume(model).open(Some(image))?);
        let trained = read().with_context(|| format!("--init {}", given.display()))?;
        Ok(Init { file, trained })
    }

    /// The file, from the root, so that a run can be started again from anywhere.
    pub fn path(&self) -> anyhow::Result<PathBuf> {
        Ok(self.file.path.canonicalize()?)
    }

    /// The model of the weights.
    pub fn arch(&self) -> Choice {
        let Trained {
            model, binarize, ..
        } = &self.trained;
        Choice::Trained(Box::new(model.clone()), *binarize)
    }

    /// Takes the weights, if they are those of `model`.
    pub fn weights(&mut self, model: &Model) -> anyhow::Result<Vec<(ParamSpec, Vec<f32>)>> {
        let (ours, theirs) = (model.params(), mem::take(&mut self.trained.weights));
        let path = self.file.path.display();
        for (i, ours) in ours.iter().enumerate() {
            let shape = |spec: &ParamSpec| spec.shape.clone();
            match theirs.get(i) {
                Some((theirs, _)) if theirs == ours => {}
                Some((theirs, _)) if theirs.name == ours.name => bail!(
                    "--init {path}: `{}` has the shape {:?} there and {:?} in this model: leave out \
                     the options of the model",
                    ours.name,
                    shape(theirs),
                    shape(ours)
                ),
                _ => bail!(
                    "--init {path}: it lacks `{}` of this model: leave out the options of the model",
                    ours.name
                ),
            }
        }
        if let Some((extra, _)) = theirs.get(ours.len()) {
            bail!(
                "--init {path}: this model has no `{}`: leave out the options of the model",
                extra.name
            );
        }
        Ok(theirs)
    }
}
