//! The options of a model.

use anyhow::{anyhow, bail};
use clap::Args;
use cvae_gpu::data::{Binarize, DataError, Depth, ImageSet};
use cvae_gpu::model::{Filters, Likelihood, Loss, Model, ModelError, Posterior, Sigma};
use cvae_gpu::train::preset::PRESETS;

use crate::cli::arch;
use crate::cli::choices::{self, ModelChoice, Widths, count, weight, widths};

/// What a model must know of the images.
#[derive(Clone, Copy)]
pub struct About {
    /// Height, width and channels.
    pub image: [usize; 3],
    /// Classes of the labels; 0 without labels.
    pub classes: usize,
    /// The values are real, not 0 or 1.
    pub is_real: bool,
    /// The least and the largest value, if they are not from 0 to 1.
    pub range: Option<[f32; 2]>,
}

impl About {
    /// Of a set that was binarized.
    pub fn set(set: &ImageSet, binarize: Binarize) -> Result<About, DataError> {
        let classes = set.largest_label().map_or(0, |most| most as usize + 1);
        let images = &set.train.images;
        Ok(About {
            image: set.shape(),
            classes: classes.max(set.classes.len()),
            is_real: binarize == Binarize::None && images.depth() != Depth::Bit,
            // Black and white differ in pictures, also where all values are equal.
            range: (images.range()?).map(|[least, most]| [least, most.max(least.next_up())]),
        })
    }
}

/// Options of a model.
#[derive(Args)]
pub struct ModelArgs {
    /// A model by name, or a file that describes one (docs/models.md) [default: tutorial]
    ///
    /// Names: `tutorial`, TensorFlow's "Convolutional Variational Autoencoder"; `keras`, keras.io's;
    /// `dense`, of TensorFlow's guide "Making new layers and models"; `tfp`, TensorFlow Probability's.
    /// Each has its own --binarize, --batch, --lr and --epochs.
    #[arg(long, value_name = "NAME|FILE.toml", help_heading = "Model")]
    arch: Option<String>,
    /// Latent dimensions [default: 2]
    #[arg(long, value_parser = count(1..=4096), help_heading = "Model")]
    latent_dim: Option<usize>,
    /// Filters of the encoder's convolutions, as many as you like [default: 32,64]
    ///
    /// Each is 3×3 and halves height and width.
    #[arg(long, value_parser = widths, help_heading = "Model", value_name = "A,B,…")]
    encoder_filters: Option<Widths>,
    /// Filters of the decoder's transposed convolutions, as many [default: the encoder's, reversed]
    #[arg(long, value_parser = widths, help_heading = "Model", value_name = "A,B,…")]
    decoder_filters: Option<Widths>,
    /// Channels of the decoder's first image [default: 32, or the encoder's last filters]
    #[arg(long, value_parser = count(1..=4096), help_heading = "Model")]
    decoder_base: Option<usize>,
    /// Covariance of a code: `diagonal` or `full` [default: diagonal]
    #[arg(long, value_parser = choices::posterior(), help_heading = "Model")]
    posterior: Option<Posterior>,
    /// Distribution of an image given its code [default: bernoulli; gaussian for real values]
    #[arg(long, value_parser = choices::likelihood(), help_heading = "Model")]
    likelihood: Option<Likelihood>,
    /// Standard deviation of a Gaussian likelihood [default: learned]
    #[arg(long, value_parser = choices::sigma, value_name = "S|learned", help_heading = "Model")]
    sigma: Option<Sigma>,
    /// Condition the model on the labels of the images
    ///
    /// `sample --class` then draws images of one class.
    #[arg(long, help_heading = "Model")]
    conditional: bool,
    /// KL term: `mc`, from the drawn code, or `analytic` [default: mc]
    #[arg(long, value_parser = choices::kl(), help_heading = "Model")]
    kl: Option<Loss>,
    /// Weight of the KL term in the training loss, as in a β-VAE [default: 1]
    ///
    /// The test ELBO and its terms are reported with weight 1. The ELBO bounds log p(x) only if the
    /// values of the images are 0 or 1 (--binarize).
    #[arg(long, value_name = "B", value_parser = weight, allow_negative_numbers = true, help_heading = "Model")]
    beta: Option<f64>,
}

impl ModelArgs {
    /// The model of --arch.
    pub fn arch(&self) -> anyhow::Result<Option<arch::Choice>> {
        self.arch.as_deref().map(arch::Choice::of).transpose()
    }

    /// The model for these images, on the basis of `arch`.
    pub fn build(&self, arch: Option<&arch::Choice>, about: About) -> anyhow::Result<Model> {
        let About { image, classes, .. } = about;
        let mut base = match (arch, &self.encoder_filters) {
            (Some(arch), _) => arch.model(image),
            (None, Some(Widths(filters))) => Filters::of_encoder(image, filters.clone()).model(),
            (None, None) => (PRESETS[0].model)(image),
        };
        if self.takes_gaussian(arch, about.is_real) {
            base.likelihood = Likelihood::Gaussian;
        }
        let mut model = self.over(&base)?;
        model.range = about.range.or(model.range);
        if model.image != image {
            let [theirs, ours] = [model.image, image].map(|shape| shape.map(|n| n.to_string()));
            bail!(
                "the images are {}, but the model takes {}: resize them with --size N, convert them \
                 with --channels 1|3",
                ours.join("×"),
                theirs.join("×")
            );
        }
        if self.conditional && model.labels == 0 {
            if classes == 0 {
                bail!("--conditional: the images have no labels");
            }
            model.labels = classes;
        }
        model.validate().map_err(|error| match error {
            ModelError::ImageSize { .. } => anyhow!("{error}; resize them with --size N"),
            ModelError::Values(_) => {
                anyhow!("{error}: use --likelihood gaussian, or bring the images to 0 to 1")
            }
            other => other.into(),
        })?;
        Ok(model)
    }

    /// Whether the likelihood is a Gaussian because the images have real values.
    pub fn takes_gaussian(&self, arch: Option<&arch::Choice>, is_real: bool) -> bool {
        is_real && arch.is_none() && self.likelihood.is_none()
    }

    /// The model of a resumed run with the given options.
    pub fn resumed(&self, saved: &Model) -> anyhow::Result<Model> {
        let base = match self.arch()? {
            Some(arch) => Model {
                labels: saved.labels,
                range: saved.range,
                ..arch.model(saved.image)
            },
            None => saved.clone(),
        };
        let model = self.over(&base)?;
        if self.conditional && model.labels == 0 {
            bail!("--conditional: the run's model is not conditioned on labels");
        }
        Ok(model)
    }

    /// `base` with the given options.
    fn over(&self, base: &Model) -> anyhow::Result<Model> {
        let choice = ModelChoice {
            latent_dim: self.latent_dim,
            encoder_filters: self.encoder_filters.clone(),
            decoder_filters: self.decoder_filters.clone(),
            decoder_base: self.decoder_base,
            posterior: self.posterior,
            likelihood: self.likelihood,
            sigma: self.sigma,
            kl: self.kl,
            beta: self.beta,
        };
        choice.over(base)
    }
}
