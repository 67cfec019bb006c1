//! The options of a run, and how they combine with those of a resumed run.
//!
//! Options have no default value here, so that a resumed run compares only given options with its
//! `config.json`.

use anyhow::bail;
use clap::Args;
use cvae_gpu::data::{Binarize, ImageSet, Prepare, TEST_FRACTION, mnist};
use cvae_gpu::gpu::{Feature, Selection};
use cvae_gpu::model::Loss;
use cvae_gpu::ops::Tuning;
use cvae_gpu::run::config::RunConfig;
use cvae_gpu::train::preset::PRESETS;
use cvae_gpu::train::{Every, Extras};

use super::extras::{ExtraArgs, extra_options};
use super::model::{About, ModelArgs};
use crate::cli::arch;
use crate::cli::choices::{
    self, Given, bytes, count, differing, fraction, model_options, positive,
};
use crate::cli::common::Common;
use crate::cli::images::{PrepareArgs, sources};

/// The part of the training images that --patience holds out.
const VAL_FRACTION: f64 = 0.1;

/// What sources are, for the long help of --data.
macro_rules! about_sources {
    () => {
        "Names: `mnist` (built in), `fashion-mnist`, `kmnist`, `cifar10`; the last three are downloaded if \
         missing. A folder holds images of any common kind, optionally in subfolders of classes, and these \
         optionally in `train` and `test`; or MNIST's four IDX files, raw or gzip; or CIFAR-10's binary \
         files; or shards. A shard holds images and their labels, `12.jpg` and `12.cls`. An array is \
         [N, H, W] or [N, H, W, C] of numbers of any type, from 0 to 1 or whole from 0 to 255; with numbers \
         below 0 it is taken as it is, for a Gaussian."
    };
}

/// Options of a run except the model's.
#[derive(Args)]
pub struct RunArgs {
    #[arg(
        long,
        value_name = "SOURCE",
        help = concat!("Images: ", sources!(), " [default: mnist]"),
        long_help = concat!("Images: ", sources!(), " [default: mnist]\n\n", about_sources!()),
        help_heading = "Data"
    )]
    pub data: Option<String>,
    /// How grey levels become 0 and 1 [default: threshold for MNIST, IDX files and black-and-white images; else none]
    #[arg(long, value_parser = choices::binarize(), help_heading = "Data")]
    pub binarize: Option<Binarize>,
    #[command(flatten)]
    pub prepare: PrepareArgs,
    /// Mirror half of the training images in each epoch, left to right
    ///
    /// Which ones is drawn from the seed, anew in each epoch. Test images stay as they are.
    #[arg(long, help_heading = "Data")]
    flip: bool,
    /// Most memory of images on the device, such as 64M or 2G [default: all images, if a buffer holds them]
    ///
    /// More images come in windows, while the device works on the ones before. Order and results do not
    /// depend on it.
    #[arg(long, value_name = "SIZE", value_parser = bytes, help_heading = "Data")]
    pub data_memory: Option<u64>,
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
    #[arg(long, value_parser = choices::seed, allow_negative_numbers = true)]
    seed: Option<u64>,
    /// Stop after N optimizer steps, counted from the start of the run
    #[arg(long, value_name = "N", value_parser = count(1..))]
    max_steps: Option<usize>,
    /// Part of the training images to hold out, to find the best epoch [default: none]
    ///
    /// After each evaluated epoch the ELBO of these images is reported too, and the weights of the best
    /// epoch are kept in model.best.safetensors. They are taken at even distances.
    #[arg(long, value_name = "F", value_parser = fraction, help_heading = "Data")]
    val_fraction: Option<f64>,
    /// Stop once the validation ELBO was not better for N epochs
    ///
    /// Without --val-fraction, a tenth of the training images is held out.
    #[arg(long, value_name = "N", value_parser = count(1..))]
    patience: Option<usize>,
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

impl RunArgs {
    /// The set to load for a new run.
    pub fn source(&self) -> &str {
        self.data.as_deref().unwrap_or(mnist::NAME)
    }

    /// A line that says which part of the images is held out because of --patience.
    pub fn held_out(&self) -> Option<String> {
        (self.patience.is_some() && self.val_fraction.is_none()).then(|| {
            format!("Taking --val-fraction {VAL_FRACTION}: --patience needs validation images")
        })
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
        let model = model.build(arch, About::set(set, binarize)?)?;
        let default = RunConfig {
            version: env!("CARGO_PKG_VERSION").into(),
            data: self.source().to_owned(),
            data_path: None,
            data_sha256: Some(set.fingerprint()?),
            classes: match model.labels {
                0 => Vec::new(),
                _ => set.classes.clone(),
            },
            prepare: self.prepare.over(&Prepare::default()),
            binarize,
            flip: false,
            epochs: preset.epochs,
            batch: preset.batch,
            lr: preset.rate,
            extras: Extras::default(),
            seed: 0,
            max_steps: None,
            checkpoint_every: Every::default(),
            eval_every: 1,
            val_fraction: self.patience.map(|_| VAL_FRACTION),
            patience: None,
            init: None,
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
            flip: base.flip || self.flip,
            epochs: self.epochs.unwrap_or(base.epochs),
            batch: self.batch.unwrap_or(base.batch),
            lr: self.lr.unwrap_or(base.lr),
            extras: self.extras.over(base.extras),
            seed: self.seed.unwrap_or(base.seed),
            max_steps: self.max_steps.map(|n| n as u64).or(base.max_steps),
            checkpoint_every: self.checkpoint_every.unwrap_or(base.checkpoint_every),
            eval_every: self.eval_every.unwrap_or(base.eval_every),
            val_fraction: self.val_fraction.or(base.val_fraction),
            patience: self.patience.or(base.patience),
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
        if next.patience.is_some() && next.val_fraction.is_none() {
            bail!("--patience needs validation images, and the run has none: leave it out");
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
    fn shown<T: ToString>(value: Option<T>) -> String {
        value.map_or("none".into(), |value| value.to_string())
    }
    let list = |numbers: &[usize]| {
        let numbers: Vec<String> = numbers.iter().map(usize::to_string).collect();
        numbers.join(",")
    };
    let hex = |[r, g, b]: [u8; 3]| format!("#{r:02x}{g:02x}{b:02x}");
    let (prepare, images) = (&run.prepare, if run.images { "pictures" } else { "none" });
    let fraction = prepare.test_fraction.unwrap_or(TEST_FRACTION);
    let mut options = vec![
        ("--batch", run.batch.to_string()),
        ("--seed", run.seed.to_string()),
        ("--binarize", run.binarize.name().into()),
        ("--flip", run.flip.to_string()),
        ("--size", shown(prepare.size)),
        ("--fit", prepare.fit.name().into()),
        (
            "--image-size",
            shown(prepare.image_size.map(|size| list(&size))),
        ),
        ("--array", shown(prepare.array.as_ref())),
        (
            "--labels",
            shown(prepare.labels.as_ref().map(|p| p.display())),
        ),
        ("--background", shown(prepare.background.map(hex))),
        ("--skip-broken", prepare.skip_broken.to_string()),
        ("--channels", shown(prepare.channels)),
        ("--test-fraction", fraction.to_string()),
        (
            "--val-fraction",
            run.val_fraction.unwrap_or_default().to_string(),
        ),
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
    if common.adapter.untuned {
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
