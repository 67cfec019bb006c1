//! The options of a run, and how they combine with those of a resumed run.
//!
//! Options have no default value here, so that a resumed run compares only given options with its
//! `config.json`.

use anyhow::{anyhow, bail};
use clap::Args;
use cvae_gpu::data::{Binarize, ImageSet, Prepare, TEST_FRACTION, mnist};
use cvae_gpu::gpu::{Feature, Selection};
use cvae_gpu::model::{Loss, Model, ModelError};
use cvae_gpu::ops::Tuning;
use cvae_gpu::run::config::RunConfig;
use cvae_gpu::train::Every;

use crate::cli::choices::{self, Given, count, differing, model_options, pair, weight};
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
    /// Passes over the training images [default: 10]
    #[arg(long, value_parser = count(1..))]
    epochs: Option<usize>,
    /// Images per optimizer step [default: 32]
    #[arg(long, value_parser = count(1..))]
    batch: Option<usize>,
    /// Adam's learning rate [default: 1e-4]
    #[arg(long, value_parser = positive, allow_negative_numbers = true)]
    lr: Option<f64>,
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

/// Options of a model.
#[derive(Args)]
pub struct ModelArgs {
    /// Latent dimensions [default: 2]
    #[arg(long, value_parser = count(1..=4096), help_heading = "Model")]
    latent_dim: Option<usize>,
    /// Filters of the encoder's two convolutions [default: 32,64]
    #[arg(long, value_parser = pair, help_heading = "Model", value_name = "A,B")]
    encoder_filters: Option<[usize; 2]>,
    /// Filters of the decoder's first two transposed convolutions [default: 64,32]
    #[arg(long, value_parser = pair, help_heading = "Model", value_name = "A,B")]
    decoder_filters: Option<[usize; 2]>,
    /// Channels of the decoder's first image [default: 32]
    #[arg(long, value_parser = count(1..=4096), help_heading = "Model")]
    decoder_base: Option<usize>,
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
    /// The model for images of this shape.
    pub fn model(&self, image: [usize; 3]) -> Result<Model, ModelError> {
        let default = Model::default();
        let model = self.over(&Model { image, ..default });
        model.validate()?;
        Ok(model)
    }

    /// `base` with the given options.
    fn over(&self, base: &Model) -> Model {
        Model {
            image: base.image,
            latent_dim: self.latent_dim.unwrap_or(base.latent_dim),
            encoder_filters: self.encoder_filters.unwrap_or(base.encoder_filters),
            decoder_base: self.decoder_base.unwrap_or(base.decoder_base),
            decoder_filters: self.decoder_filters.unwrap_or(base.decoder_filters),
            loss: self.kl.unwrap_or(base.loss),
            beta: self.beta.unwrap_or(base.beta),
        }
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
        device: Selection,
        set: &ImageSet,
        binarize: Binarize,
    ) -> anyhow::Result<RunConfig> {
        let model = model.model(set.shape()).map_err(|error| match error {
            ModelError::ImageSize { .. } => anyhow!("{error}; resize them with --size N"),
            other => other.into(),
        })?;
        let default = RunConfig {
            version: env!("CARGO_PKG_VERSION").into(),
            model,
            data: self.source().to_owned(),
            data_path: None,
            data_sha256: Some(set.fingerprint()),
            prepare: self.prepare.over(&Prepare::default()),
            binarize,
            epochs: 10,
            batch: 32,
            lr: 1e-4,
            seed: 0,
            max_steps: None,
            checkpoint_every: Every::default(),
            eval_every: 1,
            log_every: None,
            images: true,
            device,
        };
        Ok(self.over(&default))
    }

    /// `base` with the given options, except data.
    fn over(&self, base: &RunConfig) -> RunConfig {
        RunConfig {
            epochs: self.epochs.unwrap_or(base.epochs),
            batch: self.batch.unwrap_or(base.batch),
            lr: self.lr.unwrap_or(base.lr),
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
            model: model.over(&saved.model),
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
        ("--lr", run.lr.to_string()),
        ("--seed", run.seed.to_string()),
        ("--binarize", run.binarize.name().into()),
        ("--size", number(prepare.size)),
        ("--channels", number(prepare.channels)),
        ("--test-fraction", fraction.to_string()),
        ("--no-images", images.into()),
    ];
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
