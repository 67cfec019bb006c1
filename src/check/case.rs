//! A case: a batch, its noise, weights, and the expected results, as a safetensors file.
//!
//! | tensor | shape |
//! |---|---|
//! | `input/x` | `[B, H, W, C]`, values from 0 to 1; the same batch in every step |
//! | `input/eps` | `[K, B, L]`, the noise of each of K steps |
//! | `param/…` | the initial weights, with Keras's names and layouts |
//! | `expect/…` | any of [`outcome::shapes`] |
//!
//! The metadata has a `config`, JSON of `image [H, W, C]`, `latent_dim`, `enc_filters`, `dec_base`,
//! `dec_filters`, `loss` (`mc` or `analytic_kl`), and optionally `beta`, the weight of the divergence
//! in the loss (default 1), and `relu_margin`, the smallest |pre-activation|. All contents of a file
//! are validated before use.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;

use super::outcome::{self, Outcome, PREFIX};
use crate::files::tensors::{Tensor, TensorFile, TensorFileError};
use crate::model::{Loss, Model, ModelError};

/// A case.
#[derive(Clone, Debug)]
pub struct Case {
    /// File name without folders.
    pub name: String,
    /// The model.
    pub model: Model,
    /// Images in the batch.
    pub batch: usize,
    /// The batch, `[B, H, W, C]`.
    pub x: Vec<f32>,
    /// The noise of each step, `[B, L]`.
    pub eps: Vec<Vec<f32>>,
    /// The initial weights, in the order of [`Model::params`].
    pub params: Vec<(String, Vec<f32>)>,
    /// The expected tensors, by name without the prefix.
    pub expect: BTreeMap<String, Vec<f32>>,
    /// Names of expected tensors that this program does not compute.
    pub unknown: Vec<String>,
    /// The smallest |pre-activation|, if known.
    pub relu_margin: Option<f64>,
}

/// Why a file is not a case. Every message is complete in itself.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// The file could not be read, or is not a safetensors file.
    #[error(transparent)]
    File(#[from] TensorFileError),
    /// The configuration is missing or not valid.
    #[error("cannot use {case}: the `config` in its metadata {fault}")]
    Config {
        /// The file.
        case: String,
        /// What is wrong with it, and what to do.
        fault: String,
    },
    /// The configuration does not describe a valid model.
    #[error("cannot use {case}: {fault}")]
    Model {
        /// The file.
        case: String,
        /// What is wrong.
        fault: ModelError,
    },
    /// A tensor is missing or has a shape that contradicts the configuration.
    #[error("cannot use {case}: {fault}")]
    Tensor {
        /// The file.
        case: String,
        /// What is wrong, and what to do.
        fault: String,
    },
    /// A value is NaN, infinite, or not a valid target.
    #[error("cannot use {case}: `{tensor}` holds {value} at {index}, {wanted}; record it again")]
    Value {
        /// The file.
        case: String,
        /// The tensor.
        tensor: String,
        /// The value.
        value: f32,
        /// Its index in the flat tensor.
        index: usize,
        /// What was expected instead.
        wanted: &'static str,
    },
    /// The file has no expected tensor that this program computes.
    #[error(
        "cannot use {0}: it expects nothing that could be compared; a case has tensors such as \
         `expect/logits`, `expect/loss` or `expect/grad/encoder.conv1.kernel`"
    )]
    NothingExpected(String),
    /// An activation would be too large for any adapter.
    #[error(
        "cannot use {case}: an activation of {values} values is more than any adapter holds; \
         record fewer images or a smaller model"
    )]
    TooLarge {
        /// The file.
        case: String,
        /// Values of the largest activation.
        values: u128,
    },
}

/// The keys of the configuration; other keys are ignored.
#[derive(Deserialize)]
struct Config {
    image: [usize; 3],
    latent_dim: usize,
    enc_filters: [usize; 2],
    dec_base: usize,
    dec_filters: [usize; 2],
    loss: Loss,
    beta: Option<f64>,
    #[serde(default)]
    relu_margin: serde_json::Value,
}

/// Largest size in a configuration, so that products of a few sizes do not overflow.
const LARGEST_SIZE: usize = 1 << 16;

/// Most values of an activation: 4 GiB, the largest binding of any adapter.
const LARGEST_ACTIVATION: u128 = 1 << 30;

impl Case {
    /// Reads and validates a file.
    ///
    /// # Errors
    ///
    /// [`CaseError`]. No file makes this function panic or allocate more than a few times its size.
    #[cfg(feature = "cli")]
    pub fn read(path: &std::path::Path) -> Result<Case, CaseError> {
        let name = path.file_name().unwrap_or(path.as_os_str());
        let file = TensorFile::read(path)?;
        Self::from_file(&name.to_string_lossy(), &path.display().to_string(), file)
    }

    /// Validates the contents of a file with the file name `name`; messages call it `shown`.
    ///
    /// # Errors
    ///
    /// [`CaseError`] if it is not a case.
    pub fn from_file(name: &str, shown: &str, mut file: TensorFile) -> Result<Case, CaseError> {
        let case = || shown.to_owned();
        let (model, relu_margin) = configuration(shown, &file)?;
        let mut reader = Reader {
            case: shown,
            file: &mut file,
        };
        let (batch, steps) = reader.extents(&model)?;
        let [h, w, c] = model.image;
        let x = reader.take("input/x", &[batch, h, w, c])?;
        if let Some(index) = x.iter().position(|v| !(0.0..=1.0).contains(v)) {
            return Err(CaseError::Value {
                case: case(),
                tensor: "input/x".into(),
                value: x[index],
                index,
                wanted: "but targets lie from 0 to 1",
            });
        }
        let eps = reader.take("input/eps", &[steps, batch, model.latent_dim])?;
        let eps = eps.chunks(batch * model.latent_dim).map(<[f32]>::to_vec);
        let mut params = Vec::new();
        for spec in model.params() {
            let values = reader.take(&format!("param/{}", spec.name), &spec.shape)?;
            params.push((spec.name, values));
        }
        let layers = [model.encoder().layers, model.decoder().layers].concat();
        let activations = layers.iter().map(|layer| {
            let sizes = layer.output().into_iter().chain([batch]);
            sizes.map(|n| n as u128).product::<u128>()
        });
        let values = activations.max().unwrap_or(0);
        if values > LARGEST_ACTIVATION {
            return Err(CaseError::TooLarge {
                case: case(),
                values,
            });
        }
        let mut expect = BTreeMap::new();
        for (tensor, shape) in outcome::shapes(&model, batch, steps) {
            let name = format!("{PREFIX}{tensor}");
            if reader.file.tensors.contains_key(&name) {
                expect.insert(tensor, reader.take(&name, &shape)?);
            }
        }
        if expect.is_empty() {
            return Err(CaseError::NothingExpected(case()));
        }
        Ok(Case {
            name: name.to_owned(),
            batch,
            x,
            eps: eps.collect(),
            params,
            expect,
            unknown: reader.unknown(),
            relu_margin,
            model,
        })
    }

    /// The same case with this outcome as its expectation.
    #[must_use]
    pub fn expecting(mut self, outcome: &Outcome) -> Case {
        let values = |name: &str| outcome.get(name).map_or(&[][..], |(_, values)| values);
        let single = |name: &str| values(name).iter().map(|&v| v as f32).collect();
        let expect = outcome.names().map(|name| (name.to_owned(), single(name)));
        self.expect = expect.collect();
        self
    }

    /// The initial weight tensor `name`.
    pub fn param(&self, name: &str) -> Option<&[f32]> {
        let found = self.params.iter().find(|(n, _)| n == name);
        found.map(|(_, values)| values.as_slice())
    }

    /// The case as a file.
    pub fn to_file(&self) -> TensorFile {
        let Case {
            model,
            batch,
            x,
            eps,
            params,
            ..
        } = self;
        let [h, w, c] = model.image;
        let mut tensors = BTreeMap::new();
        tensors.insert(
            "input/x".to_owned(),
            Tensor::f32([*batch, h, w, c], x.clone()),
        );
        let shape = [eps.len(), *batch, model.latent_dim];
        tensors.insert("input/eps".into(), Tensor::f32(shape, eps.concat()));
        for (spec, (name, values)) in model.params().into_iter().zip(params) {
            let tensor = Tensor::f32(spec.shape, values.clone());
            tensors.insert(format!("param/{name}"), tensor);
        }
        for (name, shape) in outcome::shapes(model, *batch, eps.len()) {
            if let Some(values) = self.expect.get(&name) {
                let tensor = Tensor::f32(shape, values.clone());
                tensors.insert(format!("{PREFIX}{name}"), tensor);
            }
        }
        let config = json!({
            "image": model.image,
            "latent_dim": model.latent_dim,
            "enc_filters": model.encoder_filters,
            "dec_base": model.decoder_base,
            "dec_filters": model.decoder_filters,
            "loss": model.loss,
            "beta": model.beta,
            "relu_margin": self.relu_margin,
        });
        TensorFile {
            tensors,
            metadata: [("config".to_owned(), config.to_string())].into(),
        }
    }
}

/// The model of a file, and its ReLU margin.
fn configuration(shown: &str, file: &TensorFile) -> Result<(Model, Option<f64>), CaseError> {
    let fault = |fault: String| CaseError::Config {
        case: shown.to_owned(),
        fault,
    };
    let text = file.metadata.get("config");
    let text =
        text.ok_or_else(|| fault("is missing; check that this is a recorded case".into()))?;
    let config: Config = serde_json::from_str(text)
        .map_err(|e| fault(format!("cannot be used ({e}); record the case again")))?;
    let sizes = [
        ("image", &config.image[..]),
        ("latent_dim", &[config.latent_dim]),
        ("enc_filters", &config.enc_filters),
        ("dec_base", &[config.dec_base]),
        ("dec_filters", &config.dec_filters),
    ];
    for (key, values) in sizes {
        if let Some(size) = values.iter().find(|v| !(1..=LARGEST_SIZE).contains(v)) {
            let range = format!("but sizes are from 1 to {LARGEST_SIZE}; record the case again");
            return Err(fault(format!("gives {size} in `{key}`, {range}")));
        }
    }
    let model = Model {
        image: config.image,
        latent_dim: config.latent_dim,
        encoder_filters: config.enc_filters,
        decoder_base: config.dec_base,
        decoder_filters: config.dec_filters,
        loss: config.loss,
        beta: config.beta.unwrap_or(1.0),
    };
    model.validate().map_err(|fault| CaseError::Model {
        case: shown.to_owned(),
        fault,
    })?;
    Ok((model, config.relu_margin.as_f64()))
}

/// Takes validated tensors out of a file.
struct Reader<'a> {
    case: &'a str,
    file: &'a mut TensorFile,
}

impl Reader<'_> {
    fn fault(&self, fault: String) -> CaseError {
        CaseError::Tensor {
            case: self.case.to_owned(),
            fault,
        }
    }

    fn get(&self, name: &str) -> Result<&Tensor, CaseError> {
        let missing = || {
            let has = "a case has `input/x`, `input/eps`, and `param/…` for each weight";
            self.fault(format!("there is no tensor `{name}`; {has}"))
        };
        self.file.tensors.get(name).ok_or_else(missing)
    }

    /// Numbers of images and steps, from the shape of the noise.
    fn extents(&self, model: &Model) -> Result<(usize, usize), CaseError> {
        let shape = &self.get("input/eps")?.shape;
        match shape[..] {
            [steps, batch, latent] if latent == model.latent_dim && steps > 0 && batch > 0 => {
                Ok((batch, steps))
            }
            _ => Err(self.fault(format!(
                "tensor `input/eps` has shape {shape:?}, but [steps, images, {}] was expected from \
                 its config; record the case again",
                model.latent_dim
            ))),
        }
    }

    /// The values of the tensor `name` of that shape; all must be finite.
    fn take(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, CaseError> {
        self.get(name)?;
        let values = self.file.get_f32(name, shape);
        values.map_err(|e| self.fault(e.to_string()))?;
        let taken = self.file.tensors.remove(name).map(|tensor| tensor.data);
        let Some(crate::files::tensors::TensorData::F32(values)) = taken else {
            return Err(self.fault(format!("there is no tensor `{name}`")));
        };
        match values.iter().position(|v| !v.is_finite()) {
            None => Ok(values),
            Some(index) => Err(CaseError::Value {
                case: self.case.to_owned(),
                tensor: name.to_owned(),
                value: values[index],
                index,
                wanted: "but only finite numbers can be compared",
            }),
        }
    }

    /// Names of the expected tensors that nothing took.
    fn unknown(&self) -> Vec<String> {
        let names = self.file.tensors.keys();
        let expected = names.filter_map(|name| name.strip_prefix(PREFIX));
        expected.map(str::to_owned).collect()
    }
}
