//! Values of options that several commands take.

use std::ops::RangeBounds;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use cvae_gpu::data::{Binarize, Depth, PackedImages};
use cvae_gpu::model::{Loss, Model};

/// The KL term.
pub fn kl() -> impl TypedValueParser<Value = Loss> {
    PossibleValuesParser::new(["mc", "analytic"]).map(|name| match name.as_str() {
        "mc" => Loss::Mc,
        _ => Loss::AnalyticKl,
    })
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
            "Real values from 0 to 1; the ELBO is then no bound on log p(x)",
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
pub fn caution(images: &PackedImages) -> Option<&'static str> {
    let real = |byte: &u8| ![0, u8::MAX].contains(byte);
    let is_real = images.depth() == Depth::Byte && images.bytes().iter().any(real);
    is_real.then_some(
        "The images have real values, for which the Bernoulli term is no probability: the ELBO \
         compares models on the same images, but is no bound on log p(x)",
    )
}

/// A number of things in this range.
pub fn count(range: impl RangeBounds<i64>) -> impl TypedValueParser<Value = usize> {
    clap::value_parser!(u32).range(range).map(|n| n as usize)
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

/// Two numbers, such as filters of two layers.
pub fn pair(text: &str) -> Result<[usize; 2], String> {
    let sizes = numbers(text).filter(|pair| pair.iter().all(|n| (1..=8192).contains(n)));
    sizes.ok_or("give two numbers from 1 to 8192, such as 32,64".into())
}

/// The two numbers of a text such as `3,7`.
pub fn numbers(text: &str) -> Option<[usize; 2]> {
    let (a, b) = text.split_once(',')?;
    Some([a.trim().parse().ok()?, b.trim().parse().ok()?])
}

/// Options and their values, as text.
pub type Given = Vec<(&'static str, String)>;

/// The options that describe a model.
pub fn model_options(model: &Model) -> Given {
    let pair = |[a, b]: [usize; 2]| format!("{a},{b}");
    let kl = match model.loss {
        Loss::Mc => "mc",
        Loss::AnalyticKl => "analytic",
    };
    vec![
        ("--latent-dim", model.latent_dim.to_string()),
        ("--encoder-filters", pair(model.encoder_filters)),
        ("--decoder-filters", pair(model.decoder_filters)),
        ("--decoder-base", model.decoder_base.to_string()),
        ("--kl", kl.to_owned()),
        ("--beta", model.beta.to_string()),
    ]
}

/// The first option that differs, with both values.
pub fn differing(ours: Given, theirs: Given) -> Option<(&'static str, String, String)> {
    let mut pairs = ours.into_iter().zip(theirs);
    let ((option, ours), (_, theirs)) = pairs.find(|(ours, theirs)| ours != theirs)?;
    Some((option, ours, theirs))
}
