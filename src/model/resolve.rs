//! From the description of a model to its layers and parameters; refuses descriptions that cannot work.

use std::ops::RangeInclusive;

use super::Recipe;
use super::description::{Described, Loss, Mean, Model, ModelError, Sigma};
use super::layers::{Kind, Layer, Stack};
use super::params::{self, ParamSpec};
use crate::data::{Depth, PackedImages};
use crate::ops::conv::{Conv, Padding};
use crate::ops::dense::Dense;
use crate::ops::gaussian::LogSigma;
use crate::ops::likelihood::{Head, Likelihood};
use crate::ops::objective::{Divergence, KlTerm};
use crate::ops::{Activation, Graph};

/// Heights and widths of images.
const SIZES: RangeInclusive<usize> = 4..=512;
/// Most latent dimensions.
const MOST_LATENT: usize = 4096;
/// Most classes of labels.
const MOST_LABELS: usize = 65_536;

impl Model {
    /// Checks that the layers fit and all numbers are in range.
    ///
    /// # Errors
    ///
    /// [`ModelError`] for the first fault found.
    pub fn validate(&self) -> Result<(), ModelError> {
        let [height, width, channels] = self.image;
        if ![height, width].iter().all(|n| SIZES.contains(n)) {
            return Err(ModelError::ImageSize { height, width });
        }
        for (what, count, most) in [
            ("the number of image channels", channels, MOST_LATENT),
            (
                "the number of latent dimensions",
                self.latent_dim,
                MOST_LATENT,
            ),
            ("the number of classes", self.labels.max(1), MOST_LABELS),
        ] {
            if count == 0 {
                return Err(ModelError::Zero { what });
            }
            if count > most {
                let value = count as f64;
                let range = "at most 4096 (classes: 65536)";
                return Err(ModelError::Range { what, value, range });
            }
        }
        // The device computes in single precision.
        let finite = |value: f64| (value as f32).is_finite();
        if !finite(self.beta) || self.beta < 0.0 {
            return Err(ModelError::Beta(self.beta));
        }
        let positive = |value: f64| finite(value) && value as f32 > 0.0;
        let sigma = match self.sigma {
            Sigma::Learned => 1.0,
            Sigma::Fixed(sigma) => sigma,
        };
        for (what, value, holds, range) in [
            ("`sigma`", sigma, positive(sigma), "a number above 0"),
            (
                "`loss_scale`",
                self.loss_scale,
                positive(self.loss_scale),
                "a number above 0",
            ),
            ("`shift`", self.shift, finite(self.shift), "a number"),
        ] {
            if !holds {
                return Err(ModelError::Range { what, value, range });
            }
        }
        if let Some([least, most]) = self.range {
            if !(least < most && least.is_finite() && most.is_finite()) {
                return Err(ModelError::Range {
                    what: "the end of `range`",
                    value: most.into(),
                    range: "a number above its start",
                });
            }
            self.takes_reals()?;
        }
        self.resolve_encoder()?;
        self.resolve_decoder()?;
        Ok(())
    }

    /// The values of images that are black and white in pictures.
    pub fn range(&self) -> [f32; 2] {
        self.range.unwrap_or([0.0, 1.0])
    }

    /// Checks that the likelihood has values like those of the images.
    ///
    /// # Errors
    ///
    /// [`ModelError::Values`].
    pub fn takes(&self, images: &PackedImages) -> Result<(), ModelError> {
        match images.depth() {
            Depth::Float => self.takes_reals(),
            Depth::Bit | Depth::Byte => Ok(()),
        }
    }

    fn takes_reals(&self) -> Result<(), ModelError> {
        match self.likelihood {
            Likelihood::Gaussian => Ok(()),
            other => Err(ModelError::Values(other)),
        }
    }

    /// The encoder: image → parameters of q(z|x).
    ///
    /// # Panics
    ///
    /// If the model is not valid ([`Model::validate`]).
    pub fn encoder(&self) -> Stack {
        self.resolve_encoder().expect("a validated model")
    }

    /// The decoder: latent code → parameters of p(x|z).
    ///
    /// # Panics
    ///
    /// If the model is not valid ([`Model::validate`]).
    pub fn decoder(&self) -> Stack {
        self.resolve_decoder().expect("a validated model")
    }

    /// Specifications of all parameters, in the order of the layers.
    pub fn params(&self) -> Vec<ParamSpec> {
        let stacks = [self.encoder(), self.decoder()];
        let layers = stacks.iter().flat_map(Stack::params);
        layers
            .chain(self.learns_sigma().then(ParamSpec::log_sigma))
            .collect()
    }

    /// Whether σ of the likelihood is a parameter.
    pub fn learns_sigma(&self) -> bool {
        (self.likelihood, self.sigma) == (Likelihood::Gaussian, Sigma::Learned)
    }

    /// The likelihood as an operation; the graph declares the parameters.
    pub fn head(&self, g: &Graph) -> Head {
        match self.likelihood {
            Likelihood::Bernoulli => Head::Bernoulli(false),
            Likelihood::ContinuousBernoulli => Head::Bernoulli(true),
            Likelihood::Gaussian => Head::Gaussian {
                sigmoid_mean: self.mean == Mean::Sigmoid,
                clamped: self.range.is_none(),
                log_sigma: match self.sigma {
                    Sigma::Fixed(sigma) => LogSigma::Fixed(sigma.ln()),
                    Sigma::Learned => LogSigma::Learned(params::find(g, params::LOG_SIGMA)),
                },
            },
        }
    }

    /// The KL term of the loss of a training run.
    pub(crate) fn kl_term(&self, recipe: &Recipe) -> KlTerm {
        KlTerm {
            form: match self.loss {
                Loss::Mc => Divergence::MonteCarlo,
                Loss::AnalyticKl => Divergence::Analytic,
            },
            beta: self.beta,
            scale: self.loss_scale,
            rise: recipe.kl_warmup,
            free_bits: recipe.free_bits,
        }
    }
}

/// Most layers of a stack.
const MOST_LAYERS: usize = 16;
/// Most values of an image or of the outputs of a layer; indices on the device have 32 bits.
const MOST_VALUES: usize = 1 << 24;
/// Most filters of a convolution.
const MOST_FILTERS: usize = 1 << 16;
/// Most weights of a layer.
const MOST_WEIGHTS: usize = 1 << 28;

impl Described {
    /// A convolution with a ReLU.
    pub fn conv(filters: usize, stride: usize, padding: Padding) -> Self {
        Described {
            conv: Some(filters),
            stride: Some(stride),
            padding: Some(padding),
            activation: Activation::Relu,
            ..Self::default()
        }
    }

    /// A transposed convolution of stride 2 with a ReLU.
    pub fn deconv(filters: usize) -> Self {
        Described {
            deconv: Some(filters),
            stride: Some(2),
            activation: Activation::Relu,
            ..Self::default()
        }
    }

    /// The word for its kind in names.
    fn kind(&self) -> Result<&'static str, String> {
        let kinds = [
            ("conv", self.conv),
            ("deconv", self.deconv),
            ("dense", self.dense),
        ];
        let mut given = kinds.into_iter().filter_map(|(name, n)| n.map(|_| name));
        match (given.next(), given.next()) {
            (Some(name), None) => Ok(name),
            (None, _) => Err("it needs one of `conv`, `deconv` and `dense`".into()),
            (Some(a), Some(b)) => Err(format!("it has `{a}` and `{b}`, but can only have one")),
        }
    }

    /// Refuses options that have no meaning for this kind, and values out of range.
    fn check(&self, kind: &str) -> Result<(), String> {
        let outputs = self.conv.or(self.deconv).or(self.dense).unwrap_or(0);
        let dense = kind == "dense";
        let most = if dense { MOST_VALUES } else { MOST_FILTERS };
        if !(1..=most).contains(&outputs) {
            return Err(format!(
                "`{kind}` must be between 1 and {most}, not {outputs}"
            ));
        }
        for (name, given, allowed) in [
            ("kernel", self.kernel.is_some(), !dense),
            ("stride", self.stride.is_some(), !dense),
            ("padding", self.padding.is_some(), !dense),
            ("size", self.size.is_some(), kind == "deconv"),
            ("reshape", self.reshape.is_some(), dense),
        ] {
            if given && !allowed {
                return Err(format!("`{name}` has no meaning for `{kind}`"));
            }
        }
        for (name, value, most) in [("kernel", self.kernel, 7), ("stride", self.stride, 3)] {
            if let Some(value) = value.filter(|v| !(1..=most).contains(v)) {
                return Err(format!(
                    "`{name}` must be between 1 and {most}, not {value}"
                ));
            }
        }
        Ok(())
    }

    /// What it computes from an input of this shape, with `labels` more inputs if it is dense; and the
    /// shape of its output.
    fn resolve(&self, input: &[usize], labels: usize) -> Result<(Kind, Vec<usize>), String> {
        self.check(self.kind()?)?;
        if let Some(outputs) = self.dense {
            let inputs = input.iter().product::<usize>() + labels;
            let shape = match self.reshape {
                None => vec![outputs],
                Some(image) if image.iter().product::<usize>() == outputs => image.to_vec(),
                Some([h, w, c]) => {
                    return Err(format!(
                        "`reshape` to {h}×{w}×{c} takes {} values, but `dense` is {outputs}",
                        h * w * c
                    ));
                }
            };
            return Ok((Kind::Dense(Dense { inputs, outputs }), shape));
        }
        let &[height, width, channels] = input else {
            return Err(format!(
                "it needs an image, but its input is a vector of {} values: `reshape` the dense layer before it",
                input.iter().product::<usize>()
            ));
        };
        let (kernel, stride) = (self.kernel.unwrap_or(3), self.stride.unwrap_or(1));
        let padding = self.padding.unwrap_or(Padding::Same);
        if let Some(filters) = self.conv {
            if padding == Padding::Valid && kernel > height.min(width) {
                return Err(format!(
                    "its kernel of {kernel}×{kernel} is larger than its input of {height}×{width}, and its padding is `valid`"
                ));
            }
            let spec = Conv::new([height, width, channels], filters, kernel, stride, padding);
            return Ok((Kind::Conv(spec), spec.small.to_vec()));
        }
        let filters = self.deconv.unwrap_or(0);
        let [big_height, big_width] = match (padding, self.size) {
            (Padding::Valid, Some(_)) => {
                return Err("`size` is for `same` padding only".into());
            }
            (Padding::Valid, None) => {
                [height, width].map(|n| (n - 1) * stride + kernel.max(stride))
            }
            (Padding::Same, None) => [height * stride, width * stride],
            (Padding::Same, Some(size)) => size,
        };
        let fits = |big: usize, small: usize| big > 0 && big.div_ceil(stride) == small;
        if padding == Padding::Same && !(fits(big_height, height) && fits(big_width, width)) {
            return Err(format!(
                "its `size` of {big_height}×{big_width} at stride {stride} does not come from its input of {height}×{width}"
            ));
        }
        let big = [big_height, big_width, filters];
        let spec = Conv::new(big, channels, kernel, stride, padding);
        Ok((Kind::Deconv(spec), big.to_vec()))
    }
}

/// A stack under construction.
struct Chain {
    stack: &'static str,
    layers: Vec<Layer>,
    /// Shape of the last output.
    shape: Vec<usize>,
}

impl Chain {
    /// Appends the layers; each gets its number among those of its kind.
    fn push(&mut self, described: &[Described], labels: usize) -> Result<(), ModelError> {
        if described.len() > MOST_LAYERS {
            let fault = format!(
                "it has {} layers, but can have {MOST_LAYERS}",
                described.len()
            );
            return Err(ModelError::layer(self.stack, fault));
        }
        let is_dense = |d: &&Described| d.dense.is_some();
        // The encoder's last dense layer is implied.
        let denses =
            described.iter().filter(is_dense).count() + usize::from(self.stack == "encoder");
        let mut labels = labels;
        for (i, layer) in described.iter().enumerate() {
            let place = || format!("layer {} of the {}", i + 1, self.stack);
            let kind = layer
                .kind()
                .map_err(|fault| ModelError::layer(place(), fault))?;
            let before = described[..i]
                .iter()
                .filter(|d| d.kind() == Ok(kind))
                .count();
            let name = match kind {
                "dense" if denses == 1 => format!("{}.dense", self.stack),
                _ => format!("{}.{kind}{}", self.stack, before + 1),
            };
            let fault = |fault| ModelError::layer(format!("{} (`{name}`)", place()), fault);
            let labels = match kind {
                "dense" => std::mem::take(&mut labels),
                _ => 0,
            };
            let (kind, shape) = layer.resolve(&self.shape, labels).map_err(fault)?;
            let values = shape
                .iter()
                .try_fold(1usize, |n, &size| n.checked_mul(size));
            if values.is_none_or(|n| n > MOST_VALUES) {
                let message = format!("its output has more than {MOST_VALUES} values");
                return Err(ModelError::layer(
                    format!("{} (`{name}`)", place()),
                    message,
                ));
            }
            self.append(Layer {
                name,
                kind,
                labels,
                activation: layer.activation,
            })?;
            self.shape = shape;
        }
        Ok(())
    }

    fn append(&mut self, layer: Layer) -> Result<(), ModelError> {
        let [kernel, _] = layer.params();
        let product = |n: usize, &size: &usize| n.checked_mul(size);
        let weights = kernel.shape.iter().try_fold(1, product);
        if weights.is_none_or(|n| n > MOST_WEIGHTS) {
            let fault = format!("it has more than {MOST_WEIGHTS} weights");
            return Err(ModelError::layer(format!("`{}`", layer.name), fault));
        }
        self.layers.push(layer);
        Ok(())
    }
}

impl Model {
    /// The encoder: image → parameters of q(z|x). The last layer, which is dense, is implied.
    ///
    /// # Errors
    ///
    /// [`ModelError`] naming the layer that does not fit.
    fn resolve_encoder(&self) -> Result<Stack, ModelError> {
        let mut chain = Chain {
            stack: "encoder",
            layers: Vec::new(),
            shape: self.image.to_vec(),
        };
        chain.push(&self.encoder, self.labels)?;
        let denses = self.encoder.iter().filter(|d| d.dense.is_some()).count();
        let labels = if denses == 0 { self.labels } else { 0 };
        let inputs = chain.shape.iter().product::<usize>() + labels;
        let outputs = self.posterior.values(self.latent_dim);
        let number = match denses {
            0 => String::new(),
            n => (n + 1).to_string(),
        };
        chain.append(Layer {
            name: format!("encoder.dense{number}"),
            kind: Kind::Dense(Dense { inputs, outputs }),
            labels,
            activation: Activation::None,
        })?;
        Ok(Stack {
            shift: self.shift,
            layers: chain.layers,
        })
    }

    /// The decoder: latent code → parameters of p(x|z).
    ///
    /// # Errors
    ///
    /// [`ModelError`] naming the layer that does not fit.
    fn resolve_decoder(&self) -> Result<Stack, ModelError> {
        let code = match self.decoder.first() {
            Some(first) if first.dense.is_none() => vec![1, 1, self.latent_dim],
            _ => vec![self.latent_dim],
        };
        let mut chain = Chain {
            stack: "decoder",
            layers: Vec::new(),
            shape: code,
        };
        let fault = |fault: String| Err(ModelError::layer("the decoder", fault));
        let Some(first) = self.decoder.first() else {
            return fault("it has no layers".into());
        };
        if self.labels > 0 && first.dense.is_none() {
            return fault("labels enter its first layer, which must be `dense`".into());
        }
        chain.push(&self.decoder, self.labels)?;
        let [h, w, c] = self.image;
        let last = &chain.layers[chain.layers.len() - 1];
        let fits = match last.kind {
            Kind::Dense(dense) => dense.outputs == h * w * c,
            Kind::Conv(_) | Kind::Deconv(_) => chain.shape == self.image,
        };
        if !fits {
            let sizes: Vec<String> = chain.shape.iter().map(usize::to_string).collect();
            return fault(format!(
                "its last layer, `{}`, gives {}, but images are {h}×{w}×{c}",
                last.name,
                sizes.join("×")
            ));
        }
        if last.activation != Activation::None {
            return fault(format!(
                "its last layer, `{}`, must have no activation: the likelihood has its own",
                last.name
            ));
        }
        Ok(Stack {
            shift: 0.0,
            layers: chain.layers,
        })
    }
}
