//! A case: a batch, its noise, weights, and the expected results, as a safetensors file.
//!
//! | tensor | shape |
//! |---|---|
//! | `input/x` | `[B, H, W, C]`, from 0 to 1 unless the likelihood is Gaussian; the same in every step |
//! | `input/eps` | `[K, B, L]`, the noise of each of K steps |
//! | `input/labels` | `[B]`, classes, if the model is conditioned on them |
//! | `param/…` | the initial weights, with Keras's names and layouts |
//! | `expect/…` | any of [`outcome::shapes`] |
//!
//! The metadata has a `config`, JSON of `image [H, W, C]` and of the model: a description under `arch`
//! ([`Arch`]), or `latent_dim`, `enc_filters`, `dec_base`, `dec_filters`, `loss` (`mc` or `analytic_kl`)
//! and optionally `beta`, the weight of the divergence in the loss (default 1). It may have `adam.lr`, the
//! learning rate (default 1e-4), and `relu_margin`, the smallest |pre-activation|. All contents of a
//! file are validated before use.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::outcome::{self, PREFIX};
use crate::files::tensors::{TensorFile, TensorFileError};
use crate::model::{Arch, Filters, Likelihood, Loss, Model};
use crate::ops::adam::Adam;

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
    /// The classes, `[B]`; empty if the model has no labels.
    pub labels: Vec<u32>,
    /// The optimizer.
    pub adam: Adam,
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
#[non_exhaustive]
pub enum CaseError {
    /// The file could not be read, or is not a safetensors file.
    #[error(transparent)]
    File(#[from] TensorFileError),
    /// The contents of the file (first text) are not a case: what is wrong, and what to do.
    #[error("cannot use {0}: {1}")]
    Content(String, String),
}

/// The keys of the configuration; other keys are ignored.
#[derive(Deserialize)]
struct Config {
    image: [usize; 3],
    #[serde(default)]
    arch: Option<Arch>,
    #[serde(default)]
    adam: Option<Rates>,
    #[serde(default)]
    relu_margin: serde_json::Value,
}

/// The keys of a model without `arch`.
#[derive(Deserialize)]
struct FilterKeys {
    latent_dim: usize,
    enc_filters: [usize; 2],
    dec_base: usize,
    dec_filters: [usize; 2],
    loss: Loss,
    beta: Option<f64>,
}

#[derive(Deserialize)]
struct Rates {
    lr: f64,
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
    pub fn from_file(name: &str, shown: &str, file: TensorFile) -> Result<Case, CaseError> {
        let case = Self::of(name, file);
        case.map_err(|fault| CaseError::Content(shown.to_owned(), fault))
    }

    fn of(name: &str, mut file: TensorFile) -> Result<Case, String> {
        let (model, adam, relu_margin) = configuration(&file)?;
        let (batch, steps) = extents(&file, &model)?;
        let [h, w, c] = model.image;
        let x = take(&mut file, "input/x", &[batch, h, w, c])?;
        let real = model.likelihood == Likelihood::Gaussian;
        if let Some(at) = x.iter().position(|v| !real && !(0.0..=1.0).contains(v)) {
            return Err(holds("input/x", x[at], at, "but targets lie from 0 to 1"));
        }
        let eps = take(&mut file, "input/eps", &[steps, batch, model.latent_dim])?;
        let eps = eps.chunks(batch * model.latent_dim).map(<[f32]>::to_vec);
        let labels = match model.labels {
            0 => Vec::new(),
            classes => labels(&mut file, batch, classes)?,
        };
        let mut params = Vec::new();
        for spec in model.params() {
            let values = take(&mut file, &format!("param/{}", spec.name), &spec.shape)?;
            params.push((spec.name, values));
        }
        let layers = [model.encoder().layers, model.decoder().layers].concat();
        let activations = layers.iter().map(|layer| {
            let sizes = layer.output().into_iter().chain([batch]);
            sizes.map(|n| n as u128).product::<u128>()
        });
        let values = activations.max().unwrap_or(0);
        if values > LARGEST_ACTIVATION {
            return Err(format!(
                "an activation of {values} values is more than any adapter holds; record fewer \
                 images or a smaller model"
            ));
        }
        let mut expect = BTreeMap::new();
        for (tensor, shape) in outcome::shapes(&model, batch, steps) {
            let name = format!("{PREFIX}{tensor}");
            if file.tensors.contains_key(&name) {
                expect.insert(tensor, take(&mut file, &name, &shape)?);
            }
        }
        if expect.is_empty() {
            let example = "`expect/logits`, `expect/loss` or `expect/grad/encoder.conv1.kernel`";
            return Err(format!(
                "it expects nothing that could be compared; a case has tensors such as {example}"
            ));
        }
        let rest = file.tensors.keys();
        let unknown = rest.filter_map(|name| name.strip_prefix(PREFIX));
        Ok(Case {
            name: name.to_owned(),
            batch,
            x,
            labels,
            adam,
            eps: eps.collect(),
            params,
            expect,
            unknown: unknown.map(str::to_owned).collect(),
            relu_margin,
            model,
        })
    }

    /// The initial weight tensor `name`.
    pub fn param(&self, name: &str) -> Option<&[f32]> {
        let found = self.params.iter().find(|(n, _)| n == name);
        found.map(|(_, values)| values.as_slice())
    }
}

/// The model of a file, its optimizer, and its ReLU margin.
fn configuration(file: &TensorFile) -> Result<(Model, Adam, Option<f64>), String> {
    let fault = |fault: String| format!("the `config` in its metadata {fault}");
    let text = file.metadata.get("config");
    let missing = || fault("is missing; check that this is a recorded case".into());
    let text = text.ok_or_else(missing)?;
    let wrong =
        |e: serde_json::Error| fault(format!("cannot be used ({e}); record the case again"));
    let config: Config = serde_json::from_str(text).map_err(wrong)?;
    let model = match config.arch {
        Some(arch) => arch.model(config.image),
        None => {
            let keys: FilterKeys = serde_json::from_str(text).map_err(wrong)?;
            let sizes = [
                ("image", &config.image[..]),
                ("latent_dim", &[keys.latent_dim]),
                ("enc_filters", &keys.enc_filters),
                ("dec_base", &[keys.dec_base]),
                ("dec_filters", &keys.dec_filters),
            ];
            for (key, values) in sizes {
                if let Some(size) = values.iter().find(|v| !(1..=LARGEST_SIZE).contains(v)) {
                    let range =
                        format!("but sizes are from 1 to {LARGEST_SIZE}; record the case again");
                    return Err(fault(format!("gives {size} in `{key}`, {range}")));
                }
            }
            let filters = Filters {
                image: config.image,
                latent_dim: keys.latent_dim,
                encoder_filters: keys.enc_filters.to_vec(),
                decoder_base: keys.dec_base,
                decoder_filters: keys.dec_filters.to_vec(),
                loss: keys.loss,
                beta: keys.beta.unwrap_or(1.0),
            };
            filters.model()
        }
    };
    model.validate().map_err(|e| e.to_string())?;
    let usual = Adam::default();
    let rate = config.adam.map_or(usual.rate, |adam| adam.lr);
    let adam = Adam { rate, ..usual };
    Ok((model, adam, config.relu_margin.as_f64()))
}

/// The message about a value that cannot be used.
fn holds(tensor: &str, value: f32, index: usize, wanted: &str) -> String {
    format!("`{tensor}` holds {value} at {index}, {wanted}; record it again")
}

fn missing(name: &str) -> String {
    let has = "a case has `input/x`, `input/eps`, and `param/…` for each weight";
    format!("there is no tensor `{name}`; {has}")
}

/// Numbers of images and steps, from the shape of the noise.
fn extents(file: &TensorFile, model: &Model) -> Result<(usize, usize), String> {
    let eps = file.tensors.get("input/eps");
    let shape = &eps.ok_or_else(|| missing("input/eps"))?.shape;
    match shape[..] {
        [steps, batch, latent] if latent == model.latent_dim && steps > 0 && batch > 0 => {
            Ok((batch, steps))
        }
        _ => Err(format!(
            "tensor `input/eps` has shape {shape:?}, but [steps, images, {}] was expected from its \
             config; record the case again",
            model.latent_dim
        )),
    }
}

/// Takes the labels, `[B]`; each must be below `classes`.
fn labels(file: &mut TensorFile, batch: usize, classes: usize) -> Result<Vec<u32>, String> {
    const NAME: &str = "input/labels";
    let tensor = file.tensors.remove(NAME).ok_or_else(|| missing(NAME))?;
    let fits = |labels: &Vec<u32>| {
        labels.len() == batch && labels.iter().all(|&label| (label as usize) < classes)
    };
    tensor.to_u32().filter(fits).ok_or_else(|| {
        format!("`{NAME}` is no list of {batch} integers below {classes}; record it again")
    })
}

/// Takes the values of the tensor `name` of that shape; all must be finite.
fn take(file: &mut TensorFile, name: &str, shape: &[usize]) -> Result<Vec<f32>, String> {
    if !file.tensors.contains_key(name) {
        return Err(missing(name));
    }
    let values = file.get_f32(name, shape).map_err(|e| e.to_string())?;
    let values = values.to_vec();
    file.tensors.remove(name);
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(values),
        Some(at) => Err(holds(
            name,
            values[at],
            at,
            "but only finite numbers can be compared",
        )),
    }
}
