//! `cvae-gpu eval`

use std::path::PathBuf;

use clap::{Args, ValueHint};
use cvae_gpu::train::eval::Terms;
use serde_json::json;

use super::choices::caution;
use super::common::Common;
use super::output::Output;
use super::paths;
use super::table;
use super::terminal::print_json;
use super::trained::ImageFlags;

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
    /// Also write a line per image; `-` is standard output, and the report then goes to standard error
    #[arg(long, value_name = "FILE.csv", value_parser = paths::file(&["csv"]), value_hint = ValueHint::FilePath)]
    per_image: Option<PathBuf>,
}

impl EvalArgs {
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        let (trained, images) = self.input.open(common)?;
        let (model, table) = (self.input.model.path(), self.per_image.as_deref());
        let mut output = Output::new(
            common,
            self.input.model.json,
            table,
            &[&model, images.path()],
        )?;
        let seed = self.input.model.seed;
        let (terms, bounds) = self.input.explore(common, &trained, async |explorer| {
            let mut meter = common.meter("Evaluating");
            let terms = explorer.terms(images.labelled(), seed, &mut meter).await?;
            let Some(samples) = self.samples else {
                return Ok((terms, None));
            };
            let mut meter = common.meter("Sampling");
            let bounds = explorer.bounds(images.labelled(), samples, seed, &mut meter);
            Ok((terms, Some(bounds.await?)))
        })?;
        let loss = trained.model.loss;
        if let Some(path) = &self.per_image {
            let order = 0..images.count();
            let text = table::terms(&images, &terms, bounds.as_deref(), loss, order);
            output.write(path, text.as_bytes())?;
        }
        let lines = output.report();
        output.commit()?;
        let (mean, count) = (Terms::mean(&terms), images.count());
        let (elbo, kl) = (mean.elbo(loss), mean.divergence(loss));
        let total = |bounds: Vec<f32>| bounds.into_iter().map(f64::from).sum::<f64>();
        let iwae = bounds
            .map(|bounds| total(bounds) / count as f64)
            .zip(self.samples);
        let caution = caution(&trained.model, &images.images)?;
        if self.input.model.json {
            let mut report = json!({
                "images": count,
                "elbo": elbo,
                "reconstruction": mean.logpx_z,
                "kl": kl,
                "log_pz": mean.logpz,
                "log_qz_x": mean.logqz_x,
            });
            if caution.is_some() {
                report["bounds_log_px"] = false.into();
            }
            if let Some((bound, samples)) = iwae {
                report["iwae"] = bound.into();
                report["iwae_samples"] = samples.into();
            }
            return print_json(&report);
        }
        lines.line(&format!(
            "ELBO            {elbo:>10.3} nats per image, the mean of {count}"
        ))?;
        for (name, value, about) in [
            ("reconstruction", mean.logpx_z, " log p(x|z)"),
            ("KL", kl, ""),
            ("log p(z)", mean.logpz, ""),
            ("log q(z|x)", mean.logqz_x, ""),
        ] {
            lines.line(&format!("{name:<16}{value:>10.3}{about}"))?;
        }
        if let Some((bound, samples)) = iwae {
            lines.line(&format!(
                "IWAE            {bound:>10.3} with {samples} samples"
            ))?;
        }
        Ok(caution.map_or(Ok(()), |text| lines.line(text))?)
    }
}
