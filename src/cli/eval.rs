//! `cvae-gpu eval`

use std::path::PathBuf;

use clap::Args;
use cvae_gpu::train::eval::Terms;
use serde::Serialize;

use super::choices::caution;
use super::common::Common;
use super::output::Output;
use super::table;
use super::terminal::{print, print_json};
use super::trained::{ImageFlags, path_of};

/// Compute the test ELBO and its terms, and with --samples the importance-weighted bound
#[derive(Args)]
#[command(after_help = "\
Examples:
  cvae-gpu eval --model runs/mnist-1
  cvae-gpu eval --model runs/mnist-1 --samples 100 --limit 1000   IWAE bound
  cvae-gpu eval --model keras.safetensors --json                  weights alone

Values are means over the images, in nats per image. The ELBO takes one noise draw per image: \
another --seed changes it by a few hundredths. With K samples the bound is log 1/K sum \
p(x,z)/q(z|x). It is the ELBO for K = 1 and approaches log p(x) as K grows, and so does its time.

Both bound log p(x) if the values of the images are 0 or 1. For real values (--binarize none) the \
Bernoulli term is no probability: they compare models on the same images, but are no bounds. JSON \
then has `bounds_log_px`: false.")]
pub struct EvalArgs {
    #[command(flatten)]
    input: ImageFlags,
    /// Also compute the importance-weighted bound, with K draws per image
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    samples: Option<u32>,
    /// Also write a line per image
    #[arg(long, value_name = "FILE.csv", value_parser = |t: &str| path_of(t, &["csv"]))]
    per_image: Option<PathBuf>,
}

/// The result, in nats per image.
#[derive(Serialize)]
struct Report {
    images: usize,
    elbo: f64,
    reconstruction: f64,
    kl: f64,
    log_pz: f64,
    log_qz_x: f64,
    /// False for images with real values, else omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    bounds_log_px: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iwae: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iwae_samples: Option<u32>,
}

impl EvalArgs {
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        let (trained, images) = self.input.open(common)?;
        let (model, table) = (self.input.model.path(), self.per_image.as_deref());
        let mut output = Output::new(common, false, table, &[&model, images.path()])?;
        let seed = self.input.model.seed;
        let (terms, bounds) = self
            .input
            .model
            .explore(common, &trained, async |explorer| {
                let mut meter = common.meter("Evaluating");
                let terms = explorer.terms(&images.images, seed, &mut meter).await?;
                let Some(samples) = self.samples else {
                    return Ok((terms, None));
                };
                let mut meter = common.meter("Sampling");
                let bounds = explorer.bounds(&images.images, samples, seed, &mut meter);
                Ok((terms, Some(bounds.await?)))
            })?;
        let loss = trained.model.loss;
        if let Some(path) = &self.per_image {
            let order = 0..images.count();
            let text = table::csv(&images, &terms, bounds.as_deref(), loss, order);
            output.write(path, text.as_bytes())?;
        }
        output.finish(None)?;
        let mean = Terms::mean(&terms);
        let caution = caution(&images.images);
        let mean_bound =
            |b: &Vec<f32>| b.iter().map(|v| f64::from(*v)).sum::<f64>() / b.len() as f64;
        let report = Report {
            images: images.count(),
            elbo: mean.elbo(loss),
            reconstruction: mean.logpx_z,
            kl: mean.divergence(loss),
            log_pz: mean.logpz,
            log_qz_x: mean.logqz_x,
            bounds_log_px: caution.map(|_| false),
            iwae: bounds.as_ref().map(mean_bound),
            iwae_samples: self.samples,
        };
        if self.input.model.json {
            return print_json(&report);
        }
        let Report { images, elbo, .. } = report;
        let samples = self.samples.unwrap_or_default();
        for (name, value, about) in [
            (
                "ELBO",
                Some(elbo),
                format!(" nats per image, the mean of {images}"),
            ),
            (
                "reconstruction",
                Some(report.reconstruction),
                " log p(x|z)".into(),
            ),
            ("KL", Some(report.kl), String::new()),
            ("log p(z)", Some(report.log_pz), String::new()),
            ("log q(z|x)", Some(report.log_qz_x), String::new()),
            ("IWAE", report.iwae, format!(" with {samples} samples")),
        ] {
            if let Some(value) = value {
                print(&format!("{name:<16}{value:>10.3}{about}"))?;
            }
        }
        Ok(caution.map_or(Ok(()), print)?)
    }
}
