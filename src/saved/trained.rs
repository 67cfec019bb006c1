//! Reads trained models: this program's files, and plain safetensors files with Keras names.
//!
//! Files of this program hold their configuration. Without one, it is inferred from the shapes of
//! the tensors; the image size is the first that fits of a hint, 28×28 and a square. Other tensors
//! are ignored. Every configuration is checked against the tensors.

use std::path::{Path, PathBuf};

use crate::data::Binarize;
use crate::files::tensors::{Tensor, TensorFile, TensorFileError};
use crate::model::params::ParamSpec;
use crate::model::{Filters, Model};
use crate::saved::checkpoint::{self, ModelConfig};
use crate::train::event::Snapshot;

/// Why a model file (its path comes first) cannot be used. Messages are complete, so no error has a
/// source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelFileError {
    /// The file cannot be read, or a tensor is missing or of the wrong shape.
    #[error("{0}")]
    Tensors(TensorFileError),
    /// The configuration in the file is invalid, for this reason.
    #[error("cannot use {0}: its `config` is not that of a model ({1})")]
    Config(PathBuf, String),
    /// A tensor has the shape of no kernel.
    #[error("cannot use {0}: `{1}` has the shape {2:?}, which is no kernel of this model")]
    Kernel(PathBuf, String, Vec<usize>),
    /// The size of the images does not follow from the encoder's and the decoder's dense layer.
    #[error(
        "cannot use {0}: its dense layers ({1} inputs, {2} outputs) do not fit images of 28×28, \
         nor square ones"
    )]
    ImageSize(PathBuf, usize, usize),
    /// A tensor holds this value, which is not finite, at this linear index.
    #[error(
        "cannot use {0}: `{1}` holds {2} at {3}; its training has diverged, or the file is damaged"
    )]
    NotFinite(PathBuf, String, f32, usize),
}

/// A model with its weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    /// The model.
    pub model: Model,
    /// The data set it was trained on, if it is known by name.
    pub data: Option<String>,
    /// Names of the classes that the model is conditioned on, label 0 first; empty if they have none.
    pub classes: Vec<String>,
    /// Binarization of the training images.
    pub binarize: Binarize,
    /// Each parameter with its values, in the order of [`Model::params`].
    pub weights: Vec<(ParamSpec, Vec<f32>)>,
}

impl Trained {
    /// Reads a model file, a checkpoint, or a plain file.
    #[cfg(feature = "cli")]
    pub fn read(path: &Path) -> Result<Trained, ModelFileError> {
        Stored::read(path)?.open(None)
    }

    /// The model with the weights of `snapshot`.
    #[must_use]
    pub fn from_snapshot(model: &Model, binarize: Binarize, snapshot: &Snapshot) -> Trained {
        let weights =
            |(spec, [values, ..]): &(ParamSpec, [Vec<f32>; 3])| (spec.clone(), values.clone());
        Trained {
            model: model.clone(),
            data: None,
            classes: Vec::new(),
            binarize,
            weights: snapshot.params.iter().map(weights).collect(),
        }
    }

    /// The content of a model file: every parameter, and the configuration.
    #[must_use]
    pub fn to_file(&self) -> TensorFile {
        let tensor = |(spec, values): &(ParamSpec, Vec<f32>)| {
            let tensor = Tensor::f32(spec.shape.clone(), values.clone());
            (spec.name.clone(), tensor)
        };
        TensorFile {
            tensors: self.weights.iter().map(tensor).collect(),
            metadata: [("config".into(), self.config_json())].into(),
        }
    }

    /// The configuration for files of the model, as JSON.
    #[must_use]
    pub fn config_json(&self) -> String {
        checkpoint::metadata(&ModelConfig {
            model: self.model.clone(),
            data: self.data.clone(),
            classes: self.classes.clone(),
            binarize: Some(self.binarize),
        })
    }
}

/// A file of tensors whose model is not opened yet.
#[derive(Clone, Debug)]
pub struct Stored {
    path: PathBuf,
    file: TensorFile,
    config: Option<ModelConfig>,
}

impl Stored {
    /// Reads a file of tensors, and the configuration in it if there is one.
    #[cfg(feature = "cli")]
    pub fn read(path: &Path) -> Result<Stored, ModelFileError> {
        let file = TensorFile::read(path).map_err(ModelFileError::Tensors)?;
        Stored::new(path, file)
    }

    /// Takes tensors that were read; `path` is for messages.
    pub fn new(path: &Path, file: TensorFile) -> Result<Stored, ModelFileError> {
        let parse = |text: &String| {
            let config: ModelConfig = serde_json::from_str(text).map_err(|e| e.to_string())?;
            check(&config.model).map(|()| config)
        };
        let config = file.metadata.get("config").map(parse).transpose();
        Ok(Stored {
            config: config.map_err(|reason| ModelFileError::Config(path.into(), reason))?,
            path: path.into(),
            file,
        })
    }

    /// The configuration, if the file has one.
    #[must_use]
    pub fn config(&self) -> Option<&ModelConfig> {
        self.config.as_ref()
    }

    /// The binarization in the configuration.
    #[must_use]
    pub fn binarize(&self) -> Option<Binarize> {
        self.config()?.binarize
    }

    /// True if the file has this configuration; the data set does not count.
    #[must_use]
    pub fn is_of(&self, config: &ModelConfig) -> bool {
        let same = |own: &ModelConfig| own.model == config.model && own.binarize == config.binarize;
        self.config().is_some_and(same)
    }

    /// The file, with this model if it has no configuration.
    #[must_use]
    pub fn assume(mut self, model: Option<Model>) -> Stored {
        self.config = self.config.or(model.map(|model| ModelConfig {
            model,
            data: None,
            classes: Vec::new(),
            binarize: None,
        }));
        self
    }

    /// The model. `image` is the image size `[H, W, C]` to try first for a file without configuration.
    pub fn open(self, image: Option<[usize; 3]>) -> Result<Trained, ModelFileError> {
        let model = match &self.config {
            Some(config) => config.model.clone(),
            None => self.infer(image)?,
        };
        let mut weights = Vec::new();
        for spec in model.params() {
            let values = self.file.get_f32(&spec.name, &spec.shape);
            let values = values.map_err(|e| self.content(e))?.to_vec();
            if let Some(index) = values.iter().position(|v| !v.is_finite()) {
                let value = values[index];
                let (path, name) = (self.path, spec.name);
                return Err(ModelFileError::NotFinite(path, name, value, index));
            }
            weights.push((spec, values));
        }
        let binarize = self.binarize();
        let (data, classes) = self.config.map(|c| (c.data, c.classes)).unwrap_or_default();
        Ok(Trained {
            data,
            classes,
            binarize: binarize.unwrap_or_else(|| Binarize::usual(model.image)),
            model,
            weights,
        })
    }

    fn content(&self, error: TensorFileError) -> ModelFileError {
        ModelFileError::Tensors(TensorFileError::Content(self.path.clone(), error.into()))
    }

    /// The shape of a tensor with `N` axes, all of them longer than 0.
    fn shape<const N: usize>(&self, name: &str) -> Result<[usize; N], ModelFileError> {
        let tensor = self.file.get(name).map_err(|e| self.content(e))?;
        let sane = |shape: &[usize; N]| shape.iter().all(|n| *n > 0);
        let found: Option<[usize; N]> = tensor.shape.as_slice().try_into().ok();
        found.filter(sane).ok_or_else(|| {
            ModelFileError::Kernel(self.path.clone(), name.to_owned(), tensor.shape.clone())
        })
    }

    /// The shape of the kernel of a layer that `before` layers of its kind precede.
    fn numbered(&self, kind: &str, before: usize) -> Result<[usize; 4], ModelFileError> {
        self.shape(&format!("{kind}{}.kernel", before + 1))
    }

    /// Infers a model of [`Filters`] from the shapes of the tensors.
    fn infer(&self, hint: Option<[usize; 3]>) -> Result<Model, ModelFileError> {
        let [_, _, channels, first] = self.shape("encoder.conv1.kernel")?;
        let mut encoder_filters = vec![first];
        while let Ok([_, _, _, next]) = self.numbered("encoder.conv", encoder_filters.len()) {
            encoder_filters.push(next);
        }
        let [inputs, _] = self.shape("encoder.dense.kernel")?;
        let [latent_dim, units] = self.shape("decoder.dense.kernel")?;
        let [_, _, _, decoder_base] = self.shape("decoder.deconv1.kernel")?;
        let levels = encoder_filters.len();
        let decoder = (0..levels).map(|i| self.numbered("decoder.deconv", i));
        let decoder = decoder.map(|shape| shape.map(|[_, _, filters, _]| filters));
        let decoder_filters = decoder.collect::<Result<Vec<_>, _>>()?;
        let square = (units / decoder_base)
            .isqrt()
            .saturating_mul(1 << levels.min(16));
        let hint = hint.map(|[height, width, _]| [height, width]);
        let candidates = [hint, Some([28, 28]), Some([square; 2])];
        let build = |[height, width]: [usize; 2]| {
            let filters = Filters {
                image: [height, width, channels],
                latent_dim,
                encoder_filters: encoder_filters.clone(),
                decoder_base,
                decoder_filters: decoder_filters.clone(),
                ..Filters::default()
            };
            filters.model()
        };
        let matches = |spec: ParamSpec| match spec.name.as_str() {
            "encoder.dense.kernel" => spec.shape[0] == inputs,
            "decoder.dense.kernel" => spec.shape[1] == units,
            _ => true,
        };
        let fits = |model: &Model| check(model).is_ok() && model.params().into_iter().all(matches);
        let mut models = candidates.into_iter().flatten().map(build);
        let size = || ModelFileError::ImageSize(self.path.clone(), inputs, units);
        models.find(fits).ok_or_else(size)
    }
}

/// Checks a model that a file describes; the error says what is wrong with it.
pub(crate) fn check(model: &Model) -> Result<(), String> {
    model.validate().map_err(|e| e.to_string())
}
