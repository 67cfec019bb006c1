//! `cvae-gpu reconstruct`

use std::path::PathBuf;

use clap::{Args, ValueHint};
use cvae_gpu::data::Labelled;
use cvae_gpu::explore::{Codes, means};

use super::choices::count;
use super::common::Common;
use super::paths;
use super::pictures;
use super::trained::ImageFlags;

/// Encode and decode images: originals above reconstructions
#[derive(Args)]
#[command(after_help = "\
Examples:
  cvae-gpu reconstruct --model runs/mnist-1            the first 16 test images
  cvae-gpu reconstruct --model runs/mnist-1 -n 64 --split train --out pairs.png

The mean of each image's code is decoded, without noise.")]
pub struct ReconstructArgs {
    #[command(flatten)]
    input: ImageFlags,
    /// Images to show, the first of the split
    #[arg(short, long = "count", value_name = "N", default_value_t = 16, value_parser = count(1..=65_536))]
    n: usize,
    /// Picture to write; `-` is standard output
    #[arg(long, value_name = "FILE.png", default_value = "reconstruct.png", value_parser = paths::file(&["png"]), value_hint = ValueHint::FilePath)]
    out: PathBuf,
}

impl ReconstructArgs {
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        let (trained, images) = self.input.open(common)?;
        let mut output = self.input.output(common, &self.out, &images)?;
        let shown = images.images.clone().first(self.n);
        let labels = images.labels.as_deref();
        let labels = labels.map(|labels| &labels[..shown.count()]);
        let latent = trained.model.latent_dim;
        let decoded = self.input.explore(common, &trained, async |explorer| {
            let mut meter = common.meter("Encoding");
            let given = Labelled {
                images: &shown,
                labels,
            };
            let z = &means(&explorer.encode(given, &mut meter).await?, latent);
            let mut meter = common.meter("Decoding");
            explorer.decode(Codes { z, labels }, &mut meter).await
        })?;
        let originals = (0..shown.count()).map(|i| shown.values(i));
        let originals = originals.collect::<Result<Vec<_>, _>>()?.concat();
        let picture = pictures::pairs(&originals, &decoded, &trained.model)?;
        output.write(&self.out, &picture)?;
        output.finish(Some(shown.count()))
    }
}
