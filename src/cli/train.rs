//! `cvae-gpu train`

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use cvae_gpu::checkpoint::ModelConfig;
use cvae_gpu::data::{self, Binarize};
use cvae_gpu::event::Event;
use cvae_gpu::gpu::Gpu;
use cvae_gpu::model::{Loss, Model, ModelError};
use cvae_gpu::ops::adam::Adam;
use cvae_gpu::report::{Progress, RunFolder};
use cvae_gpu::train::{Options, TrainError, Trainer};
use serde::Serialize;

use super::{Common, print_json, say};

/// Train a model; the defaults are those of TensorFlow's tutorial
#[derive(Args)]
#[command(
    after_help = "Examples:\n  cvae-gpu train                               MNIST, 10 epochs, into runs/mnist-1\n  cvae-gpu train --epochs 1 --seed 7           a first look\n  cvae-gpu train --data idx/ --latent-dim 10   your own IDX files, raw or gzip\n\nThe run folder gets config.json, metrics.jsonl, a picture per epoch, cvae.gif, manifold.png,\nmodel.safetensors and checkpoint.safetensors. Values are in nats per image."
)]
pub struct TrainArgs {
    /// Images: `mnist` (built in), a folder of IDX files, or a packed set
    #[arg(long, default_value = "mnist", help_heading = "Data")]
    data: String,
    /// How grey levels become 0 and 1: at byte 128, or not at all
    #[arg(long, value_enum, default_value_t = BinarizeArg::Threshold, help_heading = "Data")]
    binarize: BinarizeArg,
    /// Passes over the training images
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    epochs: u32,
    /// Images of an optimizer step
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    /// Adam's learning rate
    #[arg(long, default_value_t = 1e-4, value_parser = positive, allow_negative_numbers = true)]
    lr: f64,
    /// Seed of weights, order and noise
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    seed: u64,
    /// End after so many optimizer steps
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_steps: Option<u64>,
    #[command(flatten)]
    model: ModelArgs,
    /// Run folder [default: a fresh one under runs/]
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    out: Option<PathBuf>,
    /// Make no pictures
    #[arg(long, help_heading = "Output")]
    no_images: bool,
    /// Print one JSON object per event on standard output
    #[arg(long, help_heading = "Output")]
    json: bool,
}

/// What a model is made of.
#[derive(Args)]
pub struct ModelArgs {
    /// Latent dimensions
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=4096), help_heading = "Model")]
    latent_dim: u32,
    /// Filters of the encoder's two convolutions
    #[arg(long, default_value = "32,64", value_parser = pair, help_heading = "Model", value_name = "A,B")]
    encoder_filters: [usize; 2],
    /// Filters of the decoder's first two transposed convolutions
    #[arg(long, default_value = "64,32", value_parser = pair, help_heading = "Model", value_name = "A,B")]
    decoder_filters: [usize; 2],
    /// Channels of the image the decoder starts from
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=4096), help_heading = "Model")]
    decoder_base: u32,
    /// KL term: `mc` from the drawn code, or `analytic`
    #[arg(long, value_enum, default_value_t = Kl::Mc, help_heading = "Model")]
    kl: Kl,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kl {
    Mc,
    Analytic,
}

#[derive(Clone, Copy, ValueEnum)]
enum BinarizeArg {
    Threshold,
    None,
}

impl BinarizeArg {
    fn name(self) -> &'static str {
        match self {
            BinarizeArg::Threshold => "threshold",
            BinarizeArg::None => "none",
        }
    }
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        _ => Err("give a number above 0, such as 1e-4".into()),
    }
}

fn pair(text: &str) -> Result<[usize; 2], String> {
    let numbers: Option<Vec<usize>> = text.split(',').map(|n| n.trim().parse().ok()).collect();
    match numbers.as_deref() {
        Some(&[a, b]) if (1..=8192).contains(&a) && (1..=8192).contains(&b) => Ok([a, b]),
        _ => Err("give two numbers from 1 to 8192, such as 32,64".into()),
    }
}

impl ModelArgs {
    /// The model for images of that shape.
    pub fn model(&self, image: [usize; 3]) -> Result<Model, ModelError> {
        let model = Model {
            image,
            latent_dim: self.latent_dim as usize,
            encoder_filters: self.encoder_filters,
            decoder_base: self.decoder_base as usize,
            decoder_filters: self.decoder_filters,
            loss: match self.kl {
                Kl::Mc => Loss::Mc,
                Kl::Analytic => Loss::AnalyticKl,
            },
        };
        model.validate()?;
        Ok(model)
    }
}

/// `config.json`: the options of a run.
#[derive(Serialize)]
struct RunConfig<'a> {
    version: &'static str,
    #[serde(flatten)]
    model: &'a Model,
    data: &'a str,
    binarize: &'static str,
    epochs: usize,
    batch: usize,
    lr: f64,
    seed: u64,
    max_steps: Option<u64>,
}

/// A run that could not begin leaves no folder that would be in the way of the next attempt.
fn or_abandon<T, E>(result: Result<T, E>, folder: &mut RunFolder) -> Result<T, E> {
    result.inspect_err(|_| folder.abandon())
}

impl TrainArgs {
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        let binarize = match self.binarize {
            BinarizeArg::Threshold => Binarize::Threshold,
            BinarizeArg::None => Binarize::None,
        };
        let set = data::load(&self.data, binarize)?;
        let options = Options {
            model: self.model.model(set.shape())?,
            adam: Adam {
                rate: self.lr,
                ..Adam::default()
            },
            batch: self.batch as usize,
            epochs: self.epochs as usize,
            seed: self.seed,
            max_steps: self.max_steps,
            pictures: !self.no_images,
        };
        let images = set.train.images.count();
        if options.batch > images {
            return Err(TrainError::BatchTooLarge {
                batch: options.batch,
                images,
            }
            .into());
        }
        let known = self.data == data::mnist::NAME;
        let run = RunConfig {
            version: env!("CARGO_PKG_VERSION"),
            model: &options.model,
            data: &self.data,
            binarize: self.binarize.name(),
            epochs: options.epochs,
            batch: options.batch,
            lr: self.lr,
            seed: self.seed,
            max_steps: self.max_steps,
        };
        let config = ModelConfig {
            model: options.model.clone(),
            data: known.then(|| self.data.clone()),
            binarize: self.binarize.name(),
        };
        let out = self
            .out
            .unwrap_or_else(|| RunFolder::fresh(Path::new("runs"), &set.name));
        let mut folder = RunFolder::create(&out, config, &run)?;
        let gpu = or_abandon(
            pollster::block_on(Gpu::open(&common.selection())),
            &mut folder,
        )?;
        let mut trainer = or_abandon(Trainer::new(&gpu, &options, &set), &mut folder)?;
        let mut progress = Progress::new(common.quiet, common.verbose > 0);
        let json = self.json;
        let mut listener = |event: Event| {
            progress.on(&event);
            folder.on(&event)?;
            if json {
                print_json(&event, false)?;
            }
            Ok(())
        };
        pollster::block_on(trainer.run(&mut listener))?;
        if !common.quiet {
            say(&format!("Wrote {}", out.display()));
        }
        Ok(())
    }
}
