//! `cvae-gpu latent`

use std::path::PathBuf;

use clap::{Args, ValueHint};
use cvae_gpu::render::{self, Points};

use super::common::Common;
use super::paths;
use super::trained::{ImageFlags, Plane};

/// Draw the codes of images in the latent space, coloured by label
#[derive(Args)]
#[command(after_help = "\
Examples:
  cvae-gpu latent --model runs/mnist-1        all test means into latent.png
  cvae-gpu latent --model runs/deep --dims 3,7 --limit 2000 --out some.png

Each point is the mean of q(z|x) of an image. Sets without labels are drawn in one colour.")]
pub struct LatentArgs {
    #[command(flatten)]
    input: ImageFlags,
    #[command(flatten)]
    plane: Plane,
    /// Picture to write; `-` is standard output
    #[arg(long, value_name = "FILE.png", default_value = "latent.png", value_parser = paths::file(&["png"]), value_hint = ValueHint::FilePath)]
    out: PathBuf,
}

impl LatentArgs {
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        let (trained, images) = self.input.open(common)?;
        let [i, j] = self.plane.of(&trained.model)?;
        let mut output = self.input.output(common, &self.out, &images)?;
        let codes = self.input.explore(common, &trained, async |explorer| {
            let mut meter = common.meter("Encoding");
            explorer.encode(images.labelled(), &mut meter).await
        })?;
        let at: Vec<[f32; 2]> = codes
            .chunks_exact(2 * trained.model.latent_dim)
            .map(|code| [code[i], code[j]])
            .collect();
        let names = [i, j].map(|d| format!("z[{d}]"));
        let picture = render::scatter(&Points {
            at: &at,
            labels: images.labels.as_deref(),
            classes: &images.classes,
            axes: [&names[0], &names[1]],
        });
        output.write(&self.out, &render::png_bytes(&picture)?)?;
        output.finish(Some(at.len()))
    }
}
