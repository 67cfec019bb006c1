//! `cvae-gpu decode`

use std::path::PathBuf;

use anyhow::{Context, anyhow, bail};
use clap::{Args, ValueHint};
use cvae_gpu::explore::{Codes, means};
use cvae_gpu::files::npy;

use super::classes::ClassArgs;
use super::common::Common;
use super::paths;
use super::pictures;
use super::trained::ModelFlags;

/// Decode codes from a file
#[derive(Args)]
#[command(after_help = "\
Examples:
  cvae-gpu decode --model runs/mnist-1 --z codes.npy --out images.npy
  cvae-gpu decode --model runs/mnist-1 --z codes.npy --out images.png
  cvae-gpu decode --model runs/mnist-1 --z - --out - < codes.npy > images.npy

--z is an array [N, L] of float32 or float64 for L latent dimensions, or [N, 2L] from `encode`, of \
which the means are decoded. The array of --out is [N, height, width, channels] of float32: \
probabilities, or the means of a Gaussian.")]
pub struct DecodeArgs {
    #[command(flatten)]
    model: ModelFlags,
    #[command(flatten)]
    class: ClassArgs,
    /// Codes; `-` reads them from standard input
    #[arg(long, value_name = "FILE.npy", value_parser = paths::input("npy"), value_hint = ValueHint::FilePath)]
    z: PathBuf,
    /// Array or picture to write; `-` writes the array to standard output
    #[arg(long, value_name = "FILE.npy|FILE.png", value_parser = paths::file(&["npy", "png"]), value_hint = ValueHint::FilePath)]
    out: PathBuf,
}

impl DecodeArgs {
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        let trained = self.model.open()?;
        let (latent, [h, w, c]) = (trained.model.latent_dim, trained.model.image);
        let (width, codes) = self.codes(latent)?;
        let count = codes.len() / width;
        // The log-variances of `encode` are left out.
        let z = if width == latent {
            codes
        } else {
            means(&codes, latent)
        };
        let class = self.class.label(&trained)?;
        if trained.model.labels > 0 && class.is_none() {
            bail!("the model is conditioned on labels: give the --class of the codes");
        }
        let labels = vec![class.unwrap_or(0); count];
        let mut output = (self.model).output(common, [&*self.out], &[&self.z])?;
        let images = self.model.explore(common, &trained, async |explorer| {
            if width != latent {
                let z = paths::input_name(&self.z);
                let z = z.display();
                common.say(&format!(
                    "{z} has {width} columns: the first {latent} are the means, which are decoded"
                ));
            }
            let mut meter = common.meter("Decoding");
            let labels = Some(&labels[..]);
            explorer.decode(Codes { z: &z, labels }, &mut meter).await
        })?;
        let bytes = if paths::is(&self.out, "png") {
            pictures::square(&images, &trained.model)?
        } else {
            npy::to_bytes(&[count, h, w, c], &images)
        };
        output.write(&self.out, &bytes)?;
        output.finish(Some(count))
    }

    /// The number of columns of the file, `latent` or twice as many, and its values, which are finite.
    fn codes(&self, latent: usize) -> anyhow::Result<(usize, Vec<f32>)> {
        let name = paths::input_name(&self.z);
        let shown = name.display();
        let array = if paths::is_standard(&self.z) {
            let bytes = paths::read_standard().with_context(|| format!("cannot read {shown}"))?;
            npy::from_bytes(&bytes).map_err(|reason| anyhow!("cannot use {shown}: {reason}"))?
        } else {
            npy::read(&self.z)?
        };
        let both = 2 * latent;
        let (&[count, width], Some(values)) = (&array.shape[..], array.as_f32()) else {
            bail!(
                "{shown} has the shape {:?}: give an array of two axes, [N, {latent}] or [N, {both}]",
                array.shape
            );
        };
        if ![latent, both].contains(&width) || count == 0 {
            bail!(
                "{shown} has the shape [{count}, {width}], but the model has {latent} latent \
                 dimensions: give [N, {latent}], or [N, {both}] from `encode`, with N at least 1"
            );
        }
        if let Some(at) = values.iter().position(|v| !v.is_finite()) {
            let (row, column) = (at / width, at % width);
            bail!(
                "{shown} holds {} at [{row}, {column}]: codes must be finite",
                values[at]
            );
        }
        Ok((width, values.to_vec()))
    }
}
