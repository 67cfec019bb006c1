//! A model in JSON and TOML. Models of two and two filters have the keys that files always had; others
//! have a description under `arch`.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::description::{Described, Loss, Mean, Model, Sigma};
use super::filters::Filters;
use crate::ops::likelihood::Likelihood;
use crate::ops::posterior::Posterior;

/// A description without the size of the images: what `--arch FILE.toml` holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arch {
    latent_dim: usize,
    #[serde(default)]
    posterior: Posterior,
    #[serde(default)]
    likelihood: Likelihood,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sigma: Option<SigmaText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mean: Option<Mean>,
    #[serde(default)]
    kl: Kl,
    #[serde(default = "one")]
    beta: f64,
    #[serde(default, skip_serializing_if = "is_zero")]
    shift: f64,
    #[serde(default, skip_serializing_if = "is_no_label")]
    labels: usize,
    #[serde(default = "one", skip_serializing_if = "is_one")]
    loss_scale: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    range: Option<[f32; 2]>,
    #[serde(default)]
    encoder: Vec<Described>,
    decoder: Vec<Described>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kl {
    #[default]
    Mc,
    Analytic,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum SigmaText {
    Number(f64),
    Word(Learned),
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Learned {
    Learned,
}

fn one() -> f64 {
    1.0
}

fn is_one(value: &f64) -> bool {
    *value == 1.0
}

fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

fn is_no_label(count: &usize) -> bool {
    *count == 0
}

impl Arch {
    /// The model for images of this shape.
    pub fn model(self, image: [usize; 3]) -> Model {
        Model {
            image,
            latent_dim: self.latent_dim,
            posterior: self.posterior,
            likelihood: self.likelihood,
            sigma: match self.sigma {
                Some(SigmaText::Number(sigma)) => Sigma::Fixed(sigma),
                Some(SigmaText::Word(Learned::Learned)) | None => Sigma::Learned,
            },
            mean: self.mean.unwrap_or_default(),
            loss: match self.kl {
                Kl::Mc => Loss::Mc,
                Kl::Analytic => Loss::AnalyticKl,
            },
            beta: self.beta,
            shift: self.shift,
            labels: self.labels,
            loss_scale: self.loss_scale,
            range: self.range,
            encoder: self.encoder,
            decoder: self.decoder,
        }
    }
}

impl From<Model> for Arch {
    fn from(model: Model) -> Self {
        let gaussian = model.likelihood == Likelihood::Gaussian;
        let sigma = match model.sigma {
            Sigma::Learned => SigmaText::Word(Learned::Learned),
            Sigma::Fixed(sigma) => SigmaText::Number(sigma),
        };
        Arch {
            latent_dim: model.latent_dim,
            posterior: model.posterior,
            likelihood: model.likelihood,
            sigma: gaussian.then_some(sigma),
            mean: gaussian.then_some(model.mean),
            kl: match model.loss {
                Loss::Mc => Kl::Mc,
                Loss::AnalyticKl => Kl::Analytic,
            },
            beta: model.beta,
            shift: model.shift,
            labels: model.labels,
            loss_scale: model.loss_scale,
            range: model.range,
            encoder: model.encoder,
            decoder: model.decoder,
        }
    }
}

/// The keys of a model in files.
#[derive(Serialize, Deserialize)]
struct Stored {
    image: [usize; 3],
    #[serde(default, skip_serializing_if = "Option::is_none")]
    latent_dim: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    encoder_filters: Option<[usize; 2]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    decoder_base: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    decoder_filters: Option<[usize; 2]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    loss: Option<Loss>,
    #[serde(default = "one", skip_serializing_if = "is_one")]
    beta: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    arch: Option<Arch>,
}

impl From<Model> for Stored {
    fn from(model: Model) -> Self {
        let filters = model.filters().filter(|filters| filters.model() == model);
        let pair = |filters: &[usize]| <[usize; 2]>::try_from(filters).ok();
        let empty = Stored {
            image: model.image,
            latent_dim: None,
            encoder_filters: None,
            decoder_base: None,
            decoder_filters: None,
            loss: None,
            beta: 1.0,
            arch: None,
        };
        let pairs = |f: &Filters| Some((pair(&f.encoder_filters)?, pair(&f.decoder_filters)?));
        match filters.as_ref().and_then(|f| Some((f, pairs(f)?))) {
            Some((filters, (encoder, decoder))) => Stored {
                latent_dim: Some(filters.latent_dim),
                encoder_filters: Some(encoder),
                decoder_base: Some(filters.decoder_base),
                decoder_filters: Some(decoder),
                loss: Some(filters.loss),
                beta: filters.beta,
                ..empty
            },
            None => Stored {
                arch: Some(model.into()),
                ..empty
            },
        }
    }
}

impl TryFrom<Stored> for Model {
    type Error = String;

    fn try_from(stored: Stored) -> Result<Self, String> {
        if let Some(arch) = stored.arch {
            return Ok(arch.model(stored.image));
        }
        let missing = |name: &str| format!("missing field `{name}`");
        let pair = |pair: Option<[usize; 2]>, name| pair.ok_or_else(|| missing(name));
        let filters = Filters {
            image: stored.image,
            latent_dim: stored.latent_dim.ok_or_else(|| missing("latent_dim"))?,
            encoder_filters: pair(stored.encoder_filters, "encoder_filters")?.to_vec(),
            decoder_base: stored.decoder_base.ok_or_else(|| missing("decoder_base"))?,
            decoder_filters: pair(stored.decoder_filters, "decoder_filters")?.to_vec(),
            loss: stored.loss.ok_or_else(|| missing("loss"))?,
            beta: stored.beta,
        };
        Ok(filters.model())
    }
}

impl Serialize for Model {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Stored::from(self.clone()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Model {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = Stored::deserialize(deserializer)?;
        Model::try_from(stored).map_err(de::Error::custom)
    }
}
