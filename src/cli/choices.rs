//! Values of options that several commands take.

use std::ops::RangeBounds;
use std::str::FromStr;

use anyhow::bail;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use cvae_gpu::data::{Binarize, DataError, PackedImages};
use cvae_gpu::model::{Described, Likelihood, Loss, Model, Posterior, Sigma};

/// The KL term.
pub fn kl() -> impl TypedValueParser<Value = Loss> {
    PossibleValuesParser::new(["mc", "analytic"]).map(|name| match name.as_str() {
        "mc" => Loss::Mc,
        _ => Loss::AnalyticKl,
    })
}

/// One of some names, which help and completions list.
pub fn named<T>(names: impl IntoIterator<Item = &'static str>) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = String> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| name.parse())
}

/// How grey levels become 0 and 1.
pub fn binarize() -> impl TypedValueParser<Value = Binarize> {
    let values = [
        ("threshold", "1 from byte 128 up, else 0"),
        (
            "stochastic",
            "1 with a probability of byte / 255: training images in each epoch, test images once",
        ),
        (
            "none",
            "Real values from 0 to 1; with a Bernoulli likelihood the ELBO is then no bound on log p(x)",
        ),
    ];
    let values = values.map(|(name, help)| PossibleValue::new(name).help(help));
    PossibleValuesParser::new(values).map(|name| match name.as_str() {
        "threshold" => Binarize::Threshold,
        "stochastic" => Binarize::Stochastic,
        _ => Binarize::None,
    })
}

/// The caution for images whose ELBO is no bound on log p(x).
pub fn caution(model: &Model, images: &PackedImages) -> Result<Option<&'static str>, DataError> {
    let is_bernoulli = model.likelihood == Likelihood::Bernoulli;
    let is_real = is_bernoulli && !images.are_black_and_white()?;
    Ok(is_real.then_some(
        "The images have real values, for which the Bernoulli term is no probability: the ELBO \
         compares models on the same images, but is no bound on log p(x)",
    ))
}

/// A number of things in this range.
pub fn count(range: impl RangeBounds<i64>) -> impl TypedValueParser<Value = usize> {
    clap::value_parser!(u32).range(range).map(|n| n as usize)
}

/// The seed of random numbers.
pub fn seed(text: &str) -> Result<u64, String> {
    text.parse()
        .map_err(|_| "give a whole number from 0 up, such as 7".into())
}

/// The weight of the KL term.
pub fn weight(text: &str) -> Result<f64, String> {
    // The device computes in single precision.
    let single = text.parse::<f64>().ok().filter(|v| (*v as f32).is_finite());
    match single {
        Some(value) if value >= 0.0 => Ok(value),
        _ => Err("give a number from 0 up, such as 4".into()),
    }
}

/// A number of bytes: a whole number, with K, M, G or T for powers of 1024.
pub fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || "give a size such as 500K, 64M or 2G".to_owned();
    let upper = text.trim().to_ascii_uppercase();
    let number = upper.trim_end_matches("IB").trim_end_matches('B');
    let (number, shift) = match number.char_indices().next_back() {
        Some((at, unit)) if unit.is_ascii_alphabetic() => {
            let power = "KMGT".find(unit).ok_or_else(wrong)?;
            (&number[..at], 10 * (power as u32 + 1))
        }
        _ => (number, 0),
    };
    let number = number.trim_end().parse::<u64>().ok().filter(|n| *n > 0);
    let size = number.and_then(|n| n.checked_mul(1 << shift));
    size.ok_or_else(wrong)
}

/// A number above 0.
pub fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        _ => Err("give a number above 0, such as 1e-4".into()),
    }
}

/// A number between 0 and 1.
pub fn fraction(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok();
    let number = number.filter(|v| *v > 0.0 && (*v as f32) < 1.0);
    number.ok_or("give a number between 0 and 1, such as 0.9".into())
}

/// Numbers of filters, from the first layer to the last.
#[derive(Clone, Debug)]
pub struct Widths(pub Vec<usize>);

/// Numbers of filters of layers, such as `32,64`.
pub fn widths(text: &str) -> Result<Widths, String> {
    let number = |part: &str| part.trim().parse().ok().filter(|n| (1..=8192).contains(n));
    let all: Option<Vec<usize>> = text.split(',').map(number).collect();
    let all = all.filter(|all| all.len() <= 8);
    all.map(Widths)
        .ok_or("give 1 to 8 numbers from 1 to 8192, such as 32,64".into())
}

/// Height, width and optionally channels.
#[derive(Clone, Copy, Debug)]
pub struct ImageSize(pub [usize; 3]);

/// `H,W` or `H,W,C`.
pub fn image_size(text: &str) -> Result<ImageSize, String> {
    let all: Option<Vec<usize>> = text.split(',').map(|n| n.trim().parse().ok()).collect();
    match all.as_deref() {
        Some(&[height, width]) => Ok(ImageSize([height, width, 1])),
        Some(&[height, width, channels]) => Ok(ImageSize([height, width, channels])),
        _ => Err("give height and width, and perhaps channels, such as 64,64,3".into()),
    }
}

/// The two numbers of a text such as `3,7`.
pub fn numbers(text: &str) -> Option<[usize; 2]> {
    let (a, b) = text.split_once(',')?;
    Some([a.trim().parse().ok()?, b.trim().parse().ok()?])
}

/// The posterior.
pub fn posterior() -> impl TypedValueParser<Value = Posterior> {
    PossibleValuesParser::new(["diagonal", "full"]).map(|name| match name.as_str() {
        "full" => Posterior::Full,
        _ => Posterior::Diagonal,
    })
}

/// The likelihood.
pub fn likelihood() -> impl TypedValueParser<Value = Likelihood> {
    let values = [
        ("bernoulli", "Values of 0 and 1"),
        ("continuous-bernoulli", "Values from 0 to 1, as a density"),
        ("gaussian", "Real values around a mean"),
    ];
    let values = values.map(|(name, help)| PossibleValue::new(name).help(help));
    PossibleValuesParser::new(values).map(|name| match name.as_str() {
        "gaussian" => Likelihood::Gaussian,
        "continuous-bernoulli" => Likelihood::ContinuousBernoulli,
        _ => Likelihood::Bernoulli,
    })
}

/// σ of a Gaussian: a number or `learned`.
pub fn sigma(text: &str) -> Result<Sigma, String> {
    if text == "learned" {
        return Ok(Sigma::Learned);
    }
    let number = text.parse::<f64>().ok();
    let number = number.filter(|v| *v > 0.0 && (*v as f32).is_normal());
    number
        .map(Sigma::Fixed)
        .ok_or("give a number above 0, or `learned`".into())
}

/// Options and their values, as text.
pub type Given = Vec<(&'static str, String)>;

/// The options of a model that were given.
#[derive(Default)]
pub struct ModelChoice {
    pub latent_dim: Option<usize>,
    pub encoder_filters: Option<Widths>,
    pub decoder_filters: Option<Widths>,
    pub decoder_base: Option<usize>,
    pub posterior: Option<Posterior>,
    pub likelihood: Option<Likelihood>,
    pub sigma: Option<Sigma>,
    pub kl: Option<Loss>,
    pub beta: Option<f64>,
}

impl ModelChoice {
    /// `base` with these options. Numbers of filters need a model that is made of them.
    pub fn over(&self, base: &Model) -> anyhow::Result<Model> {
        let lists = [&self.encoder_filters, &self.decoder_filters];
        let given = lists.iter().any(|list| list.is_some()) || self.decoder_base.is_some();
        let mut model = base.clone();
        if given {
            let Some(mut filters) = base.filters() else {
                bail!(
                    "the layers of this model are described: leave out --encoder-filters, \
                     --decoder-filters and --decoder-base"
                );
            };
            let [encoder, decoder] = lists.map(|list| list.clone().map(|widths| widths.0));
            filters.encoder_filters = encoder.unwrap_or(filters.encoder_filters);
            filters.decoder_filters = decoder.unwrap_or(filters.decoder_filters);
            filters.decoder_base = self.decoder_base.unwrap_or(filters.decoder_base);
            let [encoder, decoder] = [&filters.encoder_filters, &filters.decoder_filters];
            if encoder.len() != decoder.len() {
                bail!(
                    "--encoder-filters {} and --decoder-filters {}: give as many of the one as of the \
                     other",
                    list(encoder),
                    list(decoder)
                );
            }
            let layers = filters.model();
            (model.encoder, model.decoder) = (layers.encoder, layers.decoder);
        }
        if self
            .likelihood
            .is_some_and(|given| given != model.likelihood)
        {
            (model.sigma, model.mean) = Default::default();
        }
        model.latent_dim = self.latent_dim.unwrap_or(base.latent_dim);
        model.posterior = self.posterior.unwrap_or(base.posterior);
        model.likelihood = self.likelihood.unwrap_or(base.likelihood);
        model.sigma = self.sigma.unwrap_or(model.sigma);
        model.loss = self.kl.unwrap_or(base.loss);
        model.beta = self.beta.unwrap_or(base.beta);
        if self.sigma.is_some() && model.likelihood != Likelihood::Gaussian {
            bail!("--sigma belongs to --likelihood gaussian");
        }
        Ok(model)
    }
}

fn list(filters: &[usize]) -> String {
    let filters: Vec<String> = filters.iter().map(usize::to_string).collect();
    filters.join(",")
}

/// Layers as JSON; equal texts are equal layers.
fn layers(described: &[Described]) -> String {
    let layer = |layer: &Described| serde_json::to_string(layer).unwrap_or_default();
    described.iter().map(layer).collect::<Vec<_>>().join(" ")
}

/// The options that describe a model.
pub fn model_options(model: &Model) -> Given {
    let [arch, encoder, decoder, base] = match model.filters() {
        Some(filters) => [
            "tutorial".to_owned(),
            list(&filters.encoder_filters),
            list(&filters.decoder_filters),
            filters.decoder_base.to_string(),
        ],
        None => {
            let all = [&model.encoder, &model.decoder].map(|stack| layers(stack));
            [all.join(" → "), String::new(), String::new(), String::new()]
        }
    };
    let kl = match model.loss {
        Loss::Mc => "mc",
        Loss::AnalyticKl => "analytic",
    };
    let sigma = match model.sigma {
        Sigma::Learned => "learned".into(),
        Sigma::Fixed(sigma) => sigma.to_string(),
    };
    vec![
        ("--arch", arch),
        ("--latent-dim", model.latent_dim.to_string()),
        ("--encoder-filters", encoder),
        ("--decoder-filters", decoder),
        ("--decoder-base", base),
        ("--posterior", model.posterior.name().into()),
        ("--likelihood", model.likelihood.name().into()),
        ("--sigma", sigma),
        ("--kl", kl.to_owned()),
        ("--beta", model.beta.to_string()),
        ("--conditional", model.labels.to_string()),
        (
            "--arch",
            format!("{:?} {} {}", model.mean, model.shift, model.loss_scale),
        ),
    ]
}

/// The first option that differs, with both values.
pub fn differing(ours: Given, theirs: Given) -> Option<(&'static str, String, String)> {
    let mut pairs = ours.into_iter().zip(theirs);
    let ((option, ours), (_, theirs)) = pairs.find(|(ours, theirs)| ours != theirs)?;
    Some((option, ours, theirs))
}
