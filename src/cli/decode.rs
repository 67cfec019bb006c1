//! `cvae-gpu decode`

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use cvae_gpu::explore::means;
use cvae_gpu::files::npy;

use super::pictures;
use super::trained::{ModelFlags, is, npy_path, path_of};
use crate::cli::common::Common;

/// Decode codes from a file
#[derive(Args)]
#[command(after_help = "\
Examples:
  cvae-gpu decode --model runs/mnist-1 --z codes.npy --out images.npy
  cvae-gpu decode --model runs/mnist-1 --z codes.npy --out images.png

--z is an array [N, L] of float32 or float64 for L latent dimensions, or [N, 2L] from `encode`, of \
which the means are decoded. The array of --out is [N, height, width, channels] of float32: the \
probability that a value is 1.")]
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
        let latent = trained.model.latent_dim;
        let Codes {
            count,
            z,
            of_encode,
        } = read_codes(&self.z, latent)?;
        let mut output = (self.model).output(common, &[Some(&self.out)], &[&self.z])?;
        let images = self.model.explore(common, &trained, async |explorer| {
            if of_encode {
                let (z, both) = (self.z.display(), 2 * latent);
                common.say(&format!(
                    "{z} has {both} columns: the first {latent} are the means, which are decoded"
                ));
            }
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

/// Codes to decode.
struct Codes {
    count: usize,
    /// `[count, L]`
    z: Vec<f32>,
    /// The file has log-variances too, which are ignored.
    of_encode: bool,
}

/// Reads codes, which must be finite.
fn read_codes(path: &Path, latent: usize) -> anyhow::Result<Codes> {
    let array = npy::read(path)?;
    let (shown, both) = (path.display(), 2 * latent);
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
    let of_encode = width == both;
    let z = if of_encode {
        means(values, latent)
    } else {
        values.to_vec()
    };
    Ok(Codes {
        count,
        z,
        of_encode,
    })
}
