//! Reads trained models: this program's files, and plain safetensors files with Keras names.
//!
//! Files of this program hold their configuration. Without one, it is inferred from the shapes of
//! the tensors; the image size is the first that fits of a hint, 28×28 and a square. Other tensors
//! are ignored. Every configuration is checked against the tensors.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::data::Binarize;
use crate::files::tensors::{TensorFile, TensorFileError};
use crate::model::Model;
use crate::model::params::ParamSpec;
use crate::saved::checkpoint::{self, ModelConfig};
use crate::train::event::Snapshot;

/// Largest size of a model in a file, so that products of a few sizes do not overflow.
const MOST: usize = 1 << 16;

/// Why a model file cannot be used. Messages are complete, so no error has a source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelFileError {
    /// The file cannot be read, or a tensor is missing or of the wrong shape.
    #[error("{0}")]
    Tensors(TensorFileError),
    /// The configuration in the file is invalid.
    #[error("cannot use {path}: its `config` is not that of a model ({reason})")]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A tensor has the shape of no kernel.
    #[error(
        "cannot use {path}: `{tensor}` has the shape {shape:?}, which is no kernel of this model"
    )]
    Kernel {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// The size of the images does not follow from the shapes.
    #[error(
        "cannot use {path}: its dense layers ({inputs} inputs, {outputs} outputs) do not fit images \
         of 28×28, nor square ones"
    )]
    ImageSize {
        /// The file.
        path: PathBuf,
        /// Inputs of the encoder's dense layer.
        inputs: usize,
        /// Outputs of the decoder's dense layer.
        outputs: usize,
    },
    /// A weight is not finite.
    #[error(
        "cannot use {path}: `{tensor}` holds {value} at {index}; its training has diverged, or \
         the file is damaged"
    )]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// The first such value.
        value: f32,
        /// Its linear index.
        index: usize,
    },
}

/// A model with its weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    /// The model.
    pub model: Model,
    /// The data set it was trained on, if it is known by name.
    pub data: Option<String>,
    /// Binarization of the training images.
    pub binarize: Binarize,
    /// Each parameter with its values, in the order of [`Model::params`].
    pub weights: Vec<(ParamSpec, Vec<f32>)>,
}

impl Trained {
    /// Reads a model file, a checkpoint, or a plain file.
    ///
    /// # Errors
    ///
    /// Those of [`Stored::read`] and [`Stored::open`].
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
            binarize,
            weights: snapshot.params.iter().map(weights).collect(),
        }
    }

    /// The content of a model file, equal to that of training for the same weights.
    #[must_use]
    pub fn to_file(&self) -> TensorFile {
        let weights = self.weights.iter().map(|(spec, values)| (spec, values));
        checkpoint::model_file(weights, &self.config())
    }

    /// The configuration for files of the model.
    fn config(&self) -> ModelConfig {
        ModelConfig {
            model: self.model.clone(),
            data: self.data.clone(),
            binarize: self.binarize,
        }
    }

    /// The configuration for files of the model, as JSON.
    #[must_use]
    pub fn config_json(&self) -> String {
        checkpoint::metadata(&self.config())
    }
}

/// The configuration in a file.
#[derive(Clone, Debug, Deserialize)]
struct Config {
    #[serde(flatten)]
    model: Model,
    #[serde(default)]
    data: Option<String>,
    #[serde(default)]
    binarize: Option<Binarize>,
}

/// A file of tensors whose model is not opened yet.
#[derive(Clone, Debug)]
pub struct Stored {
    path: PathBuf,
    file: TensorFile,
    config: Option<Config>,
}

impl Stored {
    /// Reads a file of tensors, and the configuration in it if there is one.
    ///
    /// # Errors
    ///
    /// [`ModelFileError::Tensors`] and [`ModelFileError::Config`].
    #[cfg(feature = "cli")]
    pub fn read(path: &Path) -> Result<Stored, ModelFileError> {
        let file = TensorFile::read(path).map_err(ModelFileError::Tensors)?;
        Stored::new(path, file)
    }

    /// Takes tensors that were read; `path` is for messages.
    ///
    /// # Errors
    ///
    /// [`ModelFileError::Config`].
    pub fn new(path: &Path, file: TensorFile) -> Result<Stored, ModelFileError> {
        let wrong = |reason: String| ModelFileError::Config {
            path: path.to_owned(),
            reason,
        };
        let parse = |text: &String| serde_json::from_str(text).map_err(|e| wrong(e.to_string()));
        let config: Option<Config> = file.metadata.get("config").map(parse).transpose()?;
        if let Some(Config { model, .. }) = &config {
            check(model).map_err(wrong)?;
        }
        let path = path.to_owned();
        Ok(Stored { path, file, config })
    }

    /// The data set in the configuration.
    #[must_use]
    pub fn data(&self) -> Option<&str> {
        self.config.as_ref()?.data.as_deref()
    }

    /// True if the file has this configuration.
    #[must_use]
    pub fn is_of(&self, config: &ModelConfig) -> bool {
        let own = self.config.as_ref().map(|own| &own.model);
        own == Some(&config.model) && self.binarize() == Some(config.binarize)
    }

    /// The binarization in the configuration.
    #[must_use]
    pub fn binarize(&self) -> Option<Binarize> {
        self.config.as_ref()?.binarize
    }

    /// True if the file has a configuration.
    #[must_use]
    pub fn has_config(&self) -> bool {
        self.config.is_some()
    }

    /// The model. `image` is the image size `[H, W]` to try first for a file without configuration.
    ///
    /// # Errors
    ///
    /// [`ModelFileError::Tensors`] where a tensor is missing or does not fit the others,
    /// [`ModelFileError::Kernel`], [`ModelFileError::ImageSize`] and [`ModelFileError::NotFinite`].
    pub fn open(self, image: Option<[usize; 2]>) -> Result<Trained, ModelFileError> {
        let model = match &self.config {
            Some(config) => config.model.clone(),
            None => self.infer(image)?,
        };
        let mut weights = Vec::new();
        for spec in model.params() {
            let values = self.file.get_f32(&spec.name, &spec.shape);
            let values = values.map_err(|e| self.content(e))?.to_vec();
            if let Some(index) = values.iter().position(|v| !v.is_finite()) {
                return Err(ModelFileError::NotFinite {
                    path: self.path,
                    tensor: spec.name,
                    value: values[index],
                    index,
                });
            }
            weights.push((spec, values));
        }
        let binarize = self.binarize();
        Ok(Trained {
            data: self.config.and_then(|c| c.data),
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
        found.filter(sane).ok_or_else(|| ModelFileError::Kernel {
            path: self.path.clone(),
            tensor: name.to_owned(),
            shape: tensor.shape.clone(),
        })
    }

    /// Infers the model from the shapes of the tensors.
    fn infer(&self, hint: Option<[usize; 2]>) -> Result<Model, ModelFileError> {
        let [_, _, channels, first] = self.shape("encoder.conv1.kernel")?;
        let [_, _, _, second] = self.shape("encoder.conv2.kernel")?;
        let [inputs, _] = self.shape("encoder.dense.kernel")?;
        let [latent_dim, units] = self.shape("decoder.dense.kernel")?;
        let [_, _, third, decoder_base] = self.shape("decoder.deconv1.kernel")?;
        let [_, _, fourth, _] = self.shape("decoder.deconv2.kernel")?;
        let square = 4 * (units / decoder_base).isqrt();
        let candidates = [hint, Some([28, 28]), Some([square; 2])];
        let build = |[height, width]: [usize; 2]| Model {
            image: [height, width, channels],
            latent_dim,
            encoder_filters: [first, second],
            decoder_base,
            decoder_filters: [third, fourth],
            ..Model::default()
        };
        let fits = |model: &Model| {
            let [height, width, _] = model.image;
            check(model).is_ok()
                && height / 4 * (width / 4) * decoder_base == units
                && flat_size(model) == inputs
        };
        let mut models = candidates.into_iter().flatten().map(build);
        models.find(fits).ok_or_else(|| ModelFileError::ImageSize {
            path: self.path.clone(),
            inputs,
            outputs: units,
        })
    }
}

/// Checks a model that a file describes; the error says what is wrong with it.
pub(crate) fn check(model: &Model) -> Result<(), String> {
    model.validate().map_err(|e| e.to_string())?;
    let filters = [model.encoder_filters, model.decoder_filters].concat();
    let rest = [model.latent_dim, model.decoder_base];
    let sizes = [&model.image[..], &filters, &rest].concat();
    match sizes.into_iter().find(|size| *size > MOST) {
        Some(size) => Err(format!("a size of {size} is more than {MOST}")),
        None => Ok(()),
    }
}

/// Values per image after the encoder's convolutions.
fn flat_size(model: &Model) -> usize {
    let side = |n: usize| ((n - 3) / 2 + 1 - 3) / 2 + 1;
    let [height, width, _] = model.image;
    side(height) * side(width) * model.encoder_filters[1]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::tensors::Tensor;
    use crate::model::Loss;
    use crate::model::params;

    fn trained(model: Model) -> Trained {
        let specs = model.params();
        let values = params::initial(&specs, 1);
        Trained {
            binarize: Binarize::usual(model.image),
            model,
            data: None,
            weights: specs.into_iter().zip(values).collect(),
        }
    }

    fn small(image: [usize; 3]) -> Model {
        Model {
            image,
            latent_dim: 3,
            encoder_filters: [5, 7],
            decoder_base: 2,
            decoder_filters: [4, 3],
            ..Model::default()
        }
    }

    fn open(file: TensorFile, image: Option<[usize; 2]>) -> Result<Trained, String> {
        let stored = Stored::new(Path::new("m.safetensors"), file).map_err(|e| e.to_string())?;
        stored.open(image).map_err(|e| e.to_string())
    }

    fn plain(model: Model) -> TensorFile {
        let mut file = trained(model).to_file();
        file.metadata.clear();
        file
    }

    #[test]
    fn a_file_of_ours_comes_back_whole() {
        let mut model = trained(Model {
            loss: Loss::AnalyticKl,
            beta: 0.1,
            ..small([12, 8, 3])
        });
        model.data = Some("mnist".into());
        model.binarize = Binarize::Stochastic;
        assert_eq!(open(model.to_file(), None), Ok(model));
    }

    #[test]
    fn a_plain_file_says_by_its_shapes_what_it_is() {
        for (image, hint) in [
            ([28, 28, 1], None),
            ([28, 28, 3], Some([32, 32])),
            ([32, 32, 3], None),
            ([8, 8, 1], None),
            ([12, 8, 1], Some([12, 8])),
        ] {
            let found = open(plain(small(image)), hint);
            assert_eq!(found, Ok(trained(small(image))), "{image:?}");
        }
        let other = open(plain(small([12, 8, 1])), Some([8, 8])).unwrap_err();
        assert!(other.contains("nor square ones"), "{other}");
    }

    #[test]
    fn further_tensors_do_not_matter() {
        let mut file = plain(small([8, 8, 1]));
        let moment = Tensor::f32([1], vec![f32::NAN]);
        file.tensors
            .insert("adam_m/encoder.conv1.bias".into(), moment);
        assert_eq!(open(file, None), Ok(trained(small([8, 8, 1]))));
    }

    #[test]
    fn what_is_no_model_is_refused_with_the_reason() {
        let change = |edit: fn(&mut TensorFile)| {
            let mut file = trained(small([8, 8, 1])).to_file();
            edit(&mut file);
            open(file, None).unwrap_err()
        };
        let missing = change(|f| drop(f.tensors.remove("decoder.deconv3.bias")));
        assert!(missing.contains("`decoder.deconv3.bias`"), "{missing}");
        let nan = change(|f| {
            let bias = Tensor::f32([5], vec![0.0, 0.0, f32::NAN, 0.0, 0.0]);
            f.tensors.insert("encoder.conv1.bias".into(), bias);
        });
        assert!(nan.contains("`encoder.conv1.bias` holds NaN at 2"), "{nan}");
        let shape = change(|f| {
            f.tensors
                .insert("encoder.conv1.bias".into(), Tensor::f32([6], vec![0.0; 6]));
        });
        assert!(shape.contains("[6]"), "{shape}");
        for (config, reason) in [
            ("{}", "`config`"),
            ("not JSON", "`config`"),
            (
                r#"{"image":[8,8,1],"latent_dim":0,"encoder_filters":[5,7],"decoder_base":2,"decoder_filters":[4,3],"loss":"mc"}"#,
                "latent dimensions",
            ),
            (
                r#"{"image":[8,8,1],"latent_dim":3,"encoder_filters":[9999999,7],"decoder_base":2,"decoder_filters":[4,3],"loss":"mc"}"#,
                "9999999",
            ),
            (
                r#"{"image":[8,8,1],"latent_dim":3,"encoder_filters":[5,7],"decoder_base":2,"decoder_filters":[4,3],"loss":"mc","binarize":"coin"}"#,
                "`coin`",
            ),
        ] {
            let mut file = plain(small([8, 8, 1]));
            file.metadata.insert("config".into(), config.into());
            let refused = open(file, None).unwrap_err();
            assert!(refused.contains(reason), "{refused}");
        }
    }

    #[test]
    fn shapes_of_no_model_are_refused_without_arithmetic_on_them() {
        for (name, shape) in [
            ("encoder.conv1.kernel", vec![3, 3, 1]),
            ("encoder.conv2.kernel", vec![0, 3, 1, 2]),
            ("encoder.dense.kernel", vec![]),
            ("decoder.dense.kernel", vec![7, 13]),
            ("decoder.deconv1.kernel", vec![3, 3, 4, 0]),
        ] {
            let mut file = plain(small([8, 8, 1]));
            let values = vec![0.0; shape.iter().product()];
            file.tensors.insert(name.into(), Tensor::f32(shape, values));
            let refused = open(file, None).unwrap_err();
            assert!(refused.contains("m.safetensors"), "{refused}");
        }
    }
}
