//! The options of a run, and how they combine with those of a resumed run.
//!
//! Options have no default value here, so that a resumed run compares only given options with its
//! `config.json`.

use anyhow::{anyhow, bail};
use clap::Args;
use cvae_gpu::data::{Binarize, ImageSet, Prepare, TEST_FRACTION, mnist};
use cvae_gpu::gpu::{Feature, Selection};
use cvae_gpu::model::{Filters, Likelihood, Loss, Model, ModelError, Posterior, Sigma};
use cvae_gpu::ops::Tuning;
use cvae_gpu::run::config::RunConfig;
use cvae_gpu::train::preset::PRESETS;
use cvae_gpu::train::{Every, Extras, RateSchedule};

use crate::cli::arch;
use crate::cli::choices::{
    self, Given, ModelChoice, Widths, count, differing, model_options, weight, widths,
};
use crate::cli::common::Common;
use crate::cli::images::PrepareArgs;

/// Options of a run except the model's.
#[derive(Args)]
pub struct RunArgs {
    /// Images: a name, a folder, a .npy file, or a packed set [default: mnist]
    ///
    /// Names: `mnist` (built in), `fashion-mnist`, `kmnist`, `cifar10`; the last three are downloaded
    /// if missing. A folder holds images of any common kind, optionally in subfolders of classes, and
    /// these optionally in `train` and `test`; or MNIST's four IDX files, raw or gzip; or CIFAR-10's
    /// binary files. An array is [N, H, W] or [N, H, W, C], bytes or floats from 0 to 1.
    #[arg(long, value_name = "SOURCE", help_heading = "Data")]
    pub data: Option<String>,
    /// How grey levels become 0 and 1 [default: threshold for MNIST, IDX files and black-and-white images; else none]
    #[arg(long, value_parser = choices::binarize(), help_heading = "Data")]
    pub binarize: Option<Binarize>,
    #[command(flatten)]
    pub prepare: PrepareArgs,
    /// Passes over the training images [default: 10, or that of --arch]
    #[arg(long, value_parser = count(1..))]
    epochs: Option<usize>,
    /// Images per optimizer step [default: 32, or that of --arch]
    #[arg(long, value_parser = count(1..))]
    batch: Option<usize>,
    /// Adam's learning rate [default: 1e-4, or that of --arch]
    #[arg(long, value_parser = positive, allow_negative_numbers = true)]
    lr: Option<f64>,
    #[command(flatten)]
    extras: ExtraArgs,
    /// Seed of weights, order and noise [default: 0]
    #[arg(long, allow_negative_numbers = true)]
    seed: Option<u64>,
    /// Stop after N optimizer steps, counted from the start of the run
    #[arg(long, value_name = "N", value_parser = count(1..))]
    max_steps: Option<usize>,
    /// Save a checkpoint every N steps, or N minutes (5m) [default: every minute]
    ///
    /// The end of each epoch always saves one. The default saves less often on slow disks, so that it
    /// takes no more than 1 % of the time.
    #[arg(long, value_name = "N|Nm", help_heading = "Output")]
    checkpoint_every: Option<Every>,
    /// Evaluate every N epochs, and after the last [default: 1]
    #[arg(long, value_name = "N", value_parser = count(1..), help_heading = "Output")]
    eval_every: Option<usize>,
    /// Report progress every N steps [default: every few seconds]
    ///
    /// This sets the lines on standard error if that is no terminal, and the `progress` events of
    /// --json. Their loss is the mean since the previous report.
    #[arg(long, value_name = "N", value_parser = count(1..), help_heading = "Output")]
    log_every: Option<usize>,
    /// Write no pictures
    #[arg(long, help_heading = "Output")]
    no_images: bool,
}

/// Heading of [`ExtraArgs`] in the help.
const OBJECTIVE: &str = "Objective and optimizer";

/// Options of the optimizer and of the KL term that the tutorial does not use.
#[derive(Args)]
struct ExtraArgs {
    /// Let the weight of the KL term rise linearly from 0 over E epochs [default: 0]
    #[arg(long, value_name = "E", value_parser = weight, allow_negative_numbers = true, help_heading = OBJECTIVE)]
    kl_warmup: Option<f64>,
    /// Nats of each latent dimension that cost nothing, with --kl analytic [default: 0]
    #[arg(long, value_name = "NATS", value_parser = weight, allow_negative_numbers = true, help_heading = OBJECTIVE)]
    free_bits: Option<f64>,
    /// Learning rate after its warm-up: constant, cosine, or step:EPOCHS:FACTOR [default: constant]
    ///
    /// `cosine` falls to 0 at the end of --epochs; `step:5:0.5` halves the rate after each 5 epochs.
    #[arg(long, value_name = "SCHEDULE", help_heading = OBJECTIVE)]
    lr_schedule: Option<RateSchedule>,
    /// Let the learning rate rise linearly over E epochs [default: 0]
    #[arg(long, value_name = "E", value_parser = weight, allow_negative_numbers = true, help_heading = OBJECTIVE)]
    lr_warmup: Option<f64>,
    /// Scale the gradients down where the norm of all together is more than G [default: no limit]
    #[arg(long, value_name = "G", value_parser = positive, allow_negative_numbers = true, help_heading = OBJECTIVE)]
    clip_norm: Option<f64>,
    /// Decoupled weight decay, as in AdamW [default: 0]
    #[arg(long, value_name = "W", value_parser = weight, allow_negative_numbers = true, help_heading = OBJECTIVE)]
    weight_decay: Option<f64>,
    /// Adam's decay rate of the first moment [default: 0.9]
    #[arg(long, value_name = "B", value_parser = fraction, help_heading = OBJECTIVE)]
    beta1: Option<f64>,
    /// Adam's decay rate of the second moment [default: 0.999]
    #[arg(long, value_name = "B", value_parser = fraction, help_heading = OBJECTIVE)]
    beta2: Option<f64>,
    /// Adam's epsilon [default: 1e-7]
    #[arg(long, value_name = "E", value_parser = positive, allow_negative_numbers = true, help_heading = OBJECTIVE)]
    epsilon: Option<f64>,
}

impl ExtraArgs {
    /// `base` with the given options.
    fn over(&self, base: Extras) -> Extras {
        Extras {
            kl_warmup: self.kl_warmup.unwrap_or(base.kl_warmup),
            free_bits: self.free_bits.unwrap_or(base.free_bits),
            lr_schedule: self.lr_schedule.unwrap_or(base.lr_schedule),
            lr_warmup: self.lr_warmup.unwrap_or(base.lr_warmup),
            clip_norm: self.clip_norm.or(base.clip_norm),
            weight_decay: self.weight_decay.unwrap_or(base.weight_decay),
            beta1: self.beta1.unwrap_or(base.beta1),
            beta2: self.beta2.unwrap_or(base.beta2),
            epsilon: self.epsilon.unwrap_or(base.epsilon),
        }
    }
}

/// The extra options as text.
fn extra_options(extras: &Extras) -> Given {
    vec![
        ("--kl-warmup", extras.kl_warmup.to_string()),
        ("--free-bits", extras.free_bits.to_string()),
        ("--lr-schedule", extras.lr_schedule.to_string()),
        ("--lr-warmup", extras.lr_warmup.to_string()),
        (
            "--clip-norm",
            extras.clip_norm.map_or("none".into(), |g| g.to_string()),
        ),
        ("--weight-decay", extras.weight_decay.to_string()),
        ("--beta1", extras.beta1.to_string()),
        ("--beta2", extras.beta2.to_string()),
        ("--epsilon", extras.epsilon.to_string()),
    ]
}

fn fraction(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok();
    let number = number.filter(|v| *v > 0.0 && (*v as f32) < 1.0);
    number.ok_or("give a number between 0 and 1, such as 0.9".into())
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
    /// Distribution of an image given its code [default: bernoulli]
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

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        _ => Err("give a number above 0, such as 1e-4".into()),
    }
}

impl ModelArgs {
    /// The model of --arch.
    pub fn arch(&self) -> anyhow::Result<Option<arch::Choice>> {
        self.arch.as_deref().map(arch::Choice::of).transpose()
    }

    /// The model for images of this shape with labels of `classes` classes, 0 without labels.
    pub fn model(&self, image: [usize; 3], classes: usize) -> anyhow::Result<Model> {
        self.build(self.arch()?.as_ref(), image, classes)
    }

    fn build(
        &self,
        arch: Option<&arch::Choice>,
        image: [usize; 3],
        classes: usize,
    ) -> anyhow::Result<Model> {
        let base = match (arch, &self.encoder_filters) {
            (Some(arch), _) => arch.model(image),
            (None, Some(Widths(filters))) => Filters::of_encoder(image, filters.clone()).model(),
            (None, None) => (PRESETS[0].model)(image),
        };
        let mut model = self.over(&base)?;
        if self.conditional && model.labels == 0 {
            if classes == 0 {
                bail!("--conditional: the images have no labels");
            }
            model.labels = classes;
        }
        model.validate().map_err(|error| match error {
            ModelError::ImageSize { .. } => anyhow!("{error}; resize them with --size N"),
            other => other.into(),
        })?;
        Ok(model)
    }

    /// The model of a resumed run with the given options.
    fn resumed(&self, saved: &Model) -> anyhow::Result<Model> {
        let base = match self.arch()? {
            Some(arch) => Model {
                labels: saved.labels,
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

impl RunArgs {
    /// The set to load for a new run.
    pub fn source(&self) -> &str {
        self.data.as_deref().unwrap_or(mnist::NAME)
    }

    /// The options of a new run on this set.
    pub fn fresh(
        &self,
        model: &ModelArgs,
        arch: Option<&arch::Choice>,
        device: Selection,
        set: &ImageSet,
        binarize: Binarize,
    ) -> anyhow::Result<RunConfig> {
        let preset = arch.map_or(&PRESETS[0], arch::Choice::preset);
        let classes = set.largest_label().map_or(0, |most| most as usize + 1);
        let model = model.build(arch, set.shape(), classes.max(set.classes.len()))?;
        let default = RunConfig {
            version: env!("CARGO_PKG_VERSION").into(),
            data: self.source().to_owned(),
            data_path: None,
            data_sha256: Some(set.fingerprint()),
            classes: match model.labels {
                0 => Vec::new(),
                _ => set.classes.clone(),
            },
            prepare: self.prepare.over(&Prepare::default()),
            binarize,
            epochs: preset.epochs,
            batch: preset.batch,
            lr: preset.rate,
            extras: Extras::default(),
            seed: 0,
            max_steps: None,
            checkpoint_every: Every::default(),
            eval_every: 1,
            log_every: None,
            images: true,
            device,
            model,
        };
        let run = self.over(&default);
        if run.extras.free_bits > 0.0 && run.model.loss == Loss::Mc {
            bail!("--free-bits belongs to --kl analytic");
        }
        Ok(run)
    }

    /// `base` with the given options, except data.
    fn over(&self, base: &RunConfig) -> RunConfig {
        RunConfig {
            epochs: self.epochs.unwrap_or(base.epochs),
            batch: self.batch.unwrap_or(base.batch),
            lr: self.lr.unwrap_or(base.lr),
            extras: self.extras.over(base.extras),
            seed: self.seed.unwrap_or(base.seed),
            max_steps: self.max_steps.map(|n| n as u64).or(base.max_steps),
            checkpoint_every: self.checkpoint_every.unwrap_or(base.checkpoint_every),
            eval_every: self.eval_every.unwrap_or(base.eval_every),
            log_every: self.log_every.map(|n| n as u64).or(base.log_every),
            images: base.images && !self.no_images,
            ..base.clone()
        }
    }

    /// The options of a resumed run: the saved ones, except its end, how often it is saved, evaluated
    /// and logged, and the adapter. It is an error to give another option with another value.
    pub fn resumed(
        &self,
        model: &ModelArgs,
        common: &Common,
        saved: &RunConfig,
    ) -> anyhow::Result<RunConfig> {
        let next = RunConfig {
            model: model.resumed(&saved.model)?,
            prepare: self.prepare.over(&saved.prepare),
            binarize: self.binarize.unwrap_or(saved.binarize),
            device: over(common, &saved.device),
            ..self.over(saved)
        };
        if let Some((option, _, value)) = differing(kept(&next), kept(saved)) {
            bail!(
                "{option} contradicts the run, which was started with {value}: leave it out, or \
                 train into a new folder"
            );
        }
        let epochs = [&next, saved].map(|run| Some(run.epochs as u64));
        let steps = [&next, saved].map(|run| run.max_steps);
        for (option, [next, saved]) in [("--epochs", epochs), ("--max-steps", steps)] {
            if let (Some(next), Some(saved)) = (next, saved)
                && next < saved
            {
                bail!(
                    "{option} {next} would end the run earlier than the {saved} it was started \
                     with: leave it out, or give more"
                );
            }
        }
        Ok(next)
    }
}

/// The options that a run keeps when it is resumed.
fn kept(run: &RunConfig) -> Given {
    let number = |n: Option<usize>| n.map_or("none".into(), |n| n.to_string());
    let (prepare, images) = (&run.prepare, if run.images { "pictures" } else { "none" });
    let fraction = prepare.test_fraction.unwrap_or(TEST_FRACTION);
    let mut options = vec![
        ("--batch", run.batch.to_string()),
        ("--seed", run.seed.to_string()),
        ("--binarize", run.binarize.name().into()),
        ("--size", number(prepare.size)),
        ("--channels", number(prepare.channels)),
        ("--test-fraction", fraction.to_string()),
        ("--no-images", images.into()),
    ];
    options.extend(extra_options(&run.extras));
    options.extend(model_options(&run.model));
    options
}

/// A saved selection with the given options.
fn over(common: &Common, saved: &Selection) -> Selection {
    let given = common.selection();
    let mut next = saved.clone();
    if common.untuned {
        next.tuning = Tuning::default();
    }
    next.tuning.variant = given.tuning.variant.or(next.tuning.variant);
    next.tuning.fuse = given.tuning.fuse.or(next.tuning.fuse);
    next.adapter = given.adapter.or(next.adapter);
    next.backend = given.backend.or(next.backend);
    if !given.disable.is_empty() {
        next.disable = given.disable;
    }
    next.checked |= given.checked;
    next.named |= given.named;
    next
}

/// The differences in the choice of kernels; none where the same adapter computes the same bits.
pub fn kernel_differences(now: &Selection, before: &Selection) -> Vec<String> {
    let mut found = Vec::new();
    if now.tuning != before.tuning {
        found.push(format!("{} instead of {}", now.tuning, before.tuning));
    }
    // The other features change how fast a step is, not what it computes.
    let kernels = [Feature::Subgroups, Feature::Texels, Feature::Fusion];
    let disabled = |feature| [now, before].map(|selection| selection.disable.contains(&feature));
    if kernels
        .map(disabled)
        .iter()
        .any(|[now, before]| now != before)
    {
        found.push("another --disable".into());
    }
    if now.checked != before.checked {
        found.push("--checked".into());
    }
    found
}
