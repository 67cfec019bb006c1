//! `cvae-gpu interpolate`

use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, ValueHint};
use cvae_gpu::data::Labelled;
use cvae_gpu::explore::{Codes, line, means};

use super::choices::count;
use super::common::Common;
use super::paths;
use super::pictures;
use super::trained::ImageFlags;

/// Interpolate between the codes of two images
#[derive(Args)]
#[command(after_help = "\
Examples:
  cvae-gpu interpolate --model runs/mnist-1 --from 0 --to 1
  cvae-gpu interpolate --model runs/mnist-1 --from 3 --to 18 --out walk.gif

Indices count the images of the split from 0. The images are decoded at equal steps on the line \
between the means of the two codes; the first and the last are the reconstructions.")]
pub struct InterpolateArgs {
    #[command(flatten)]
    input: ImageFlags,
    /// Index of the image to start from
    #[arg(long, value_name = "I")]
    from: usize,
    /// Index of the image to end at
    #[arg(long, value_name = "J")]
    to: usize,
    /// Number of images, both ends included
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = count(2..=4096))]
    steps: usize,
    /// Picture or animation to write; `-` writes the picture to standard output
    #[arg(long, value_name = "FILE.png|FILE.gif", default_value = "interpolate.png", value_parser = paths::file(&["png", "gif"]), value_hint = ValueHint::FilePath)]
    out: PathBuf,
}

impl InterpolateArgs {
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        let (trained, images) = self.input.open(common)?;
        let last = images.count() - 1;
        let Some(ends) = images.images.select(&[self.from, self.to]) else {
            let (from, to) = (self.from, self.to);
            bail!("--from {from}, --to {to}: the images are numbered from 0 to {last}");
        };
        let mut output = self.input.output(common, &self.out, &images)?;
        let ends_label = |i| images.label(i);
        let classes = ends_label(self.from).zip(ends_label(self.to));
        let classes = classes.map(|(from, to)| [from, to]);
        let (latent, steps) = (trained.model.latent_dim, self.steps);
        let decoded = self.input.explore(common, &trained, async |explorer| {
            let given = Labelled {
                images: &ends,
                labels: classes.as_ref().map(|classes| &classes[..]),
            };
            let codes = explorer.encode(given, &mut |_, _| ()).await?;
            let means = means(&codes, latent);
            let z = &line(&means[..latent], &means[latent..], steps);
            // Each step is of the class of the nearer end.
            let nearer = |i: usize| classes.map(|[from, to]| if 2 * i < steps { from } else { to });
            let labels: Option<Vec<u32>> = (0..steps).map(nearer).collect();
            let labels = labels.as_deref();
            let mut meter = common.meter("Decoding");
            explorer.decode(Codes { z, labels }, &mut meter).await
        })?;
        let bytes = if paths::is(&self.out, "gif") {
            pictures::animation(&decoded, &trained.model)?
        } else {
            pictures::strip(&decoded, &trained.model, steps)?
        };
        output.write(&self.out, &bytes)?;
        output.finish(Some(steps))
    }
}
