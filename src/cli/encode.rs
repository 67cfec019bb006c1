//! `cvae-gpu encode`

use std::path::PathBuf;

use clap::{Args, ValueHint};
use cvae_gpu::files::npy;

use super::common::Common;
use super::paths;
use super::table;
use super::trained::{ImageFlags, Images};

/// Write the latent mean and log-variance of each image
#[derive(Args)]
#[command(after_help = "\
Examples:
  cvae-gpu encode --model runs/mnist-1 --out codes.csv
  cvae-gpu encode --model runs/mnist-1 --split train --out codes.npy
  cvae-gpu encode --model runs/mnist-1 --limit 5 --out -

The array is [N, 2L] of float32 for L latent dimensions: the means, then the log-variances. The \
table has a header: index,label,mean_0,…,logvar_0,…, where classes have names class, and for a folder \
file, the path in it. Both are in file order.")]
pub struct EncodeArgs {
    #[command(flatten)]
    input: ImageFlags,
    /// Array or table to write; `-` writes the table to standard output
    #[arg(long, value_name = "FILE.npy|FILE.csv", value_parser = paths::file(&["npy", "csv"]), value_hint = ValueHint::FilePath)]
    out: PathBuf,
}

impl EncodeArgs {
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        let (trained, images) = self.input.open(common)?;
        let mut output = self.input.output(common, &self.out, &images)?;
        let codes = self.input.explore(common, &trained, async |explorer| {
            let mut meter = common.meter("Encoding");
            explorer.encode(images.labelled(), &mut meter).await
        })?;
        let latent = trained.model.latent_dim;
        let bytes = if paths::is(&self.out, "npy") {
            npy::to_bytes(&[images.count(), 2 * latent], &codes)
        } else {
            csv(&images, &codes, latent).into_bytes()
        };
        output.write(&self.out, &bytes)?;
        output.finish(Some(images.count()))
    }
}

/// A line per image; each number is the shortest text of its float32.
fn csv(images: &Images, codes: &[f32], latent: usize) -> String {
    let names = |name| (0..latent).map(move |d| format!(",{name}_{d}"));
    let header: String = names("mean").chain(names("logvar")).collect();
    let codes: Vec<&[f32]> = codes.chunks_exact(2 * latent).collect();
    table::csv(images, 0..codes.len(), &header, |i| {
        codes[i].iter().map(|v| format!(",{v}")).collect()
    })
}
