//! `cvae-gpu decode`

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use cvae_gpu::npy;

use super::Common;
use super::output::Output;
use super::pictures;
use super::trained::{ModelFlags, is, npy_path, path_of};

/// Decode codes of your own
#[derive(Args)]
#[command(after_help = "\
Examples:
  cvae-gpu decode --model runs/mnist-1 --z codes.npy --out images.npy
  cvae-gpu decode --model runs/mnist-1 --z codes.npy --out images.png

--z is an array [N, latent dimensions] of float32 or float64. The array of --out is [N, height, \
width, channels] of float32: the probability that a value is 1. The means that `encode` writes \
are the first half of its columns.")]
pub struct DecodeArgs {
    #[command(flatten)]
    model: ModelFlags,
    /// Codes
    #[arg(long, value_name = "FILE.npy", value_parser = npy_path)]
    z: PathBuf,
    /// Array or picture to write
    #[arg(long, value_name = "FILE.npy|FILE.png", value_parser = |t: &str| path_of(t, &["npy", "png"]))]
    out: PathBuf,
}

impl DecodeArgs {
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        let trained = self.model.open()?;
        let (count, z) = read_codes(&self.z, trained.model.latent_dim)?;
        let model = self.model.path();
        let inputs = [model.as_path(), &self.z];
        let mut output = Output::new(common, self.model.json, &[Some(&self.out)], &inputs)?;
        let images = self.model.explore(common, &trained, async |explorer| {
            let mut meter = common.meter("Decoding");
            Ok(explorer.decode(&z, &mut meter).await?)
        })?;
        let [h, w, c] = trained.model.image;
        let bytes = if is(&self.out, "png") {
            pictures::sheet(&images, [h, w, c], pictures::columns(count))?
        } else {
            npy::to_bytes(&[count, h, w, c], &images)
        };
        output.write(&self.out, &bytes)?;
        output.finish(count)
    }
}

/// How many codes a file holds, and their values, which are finite.
fn read_codes(path: &Path, latent: usize) -> anyhow::Result<(usize, Vec<f32>)> {
    let array = npy::read(path)?;
    let shown = path.display();
    let (&[count, width], Some(values)) = (&array.shape[..], array.as_f32()) else {
        bail!(
            "{shown} has the shape {:?}: give an array of two axes, [N, {latent}]",
            array.shape
        );
    };
    if width != latent || count == 0 {
        bail!(
            "{shown} has the shape [{count}, {width}], but the model has {latent} latent \
             dimensions: give [N, {latent}] with N at least 1"
        );
    }
    if let Some(at) = values.iter().position(|v| !v.is_finite()) {
        let (row, column) = (at / width, at % width);
        bail!(
            "{shown} holds {} at [{row}, {column}]: codes must be finite",
            values[at]
        );
    }
    Ok((count, values.to_vec()))
}
