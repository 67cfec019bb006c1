//! `cvae-gpu manifold`

use std::iter;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use cvae_gpu::explore::Codes;
use cvae_gpu::files::npy;
use cvae_gpu::model::prior::latent_grid;
use cvae_gpu::render;

use super::choices::count;
use super::classes::ClassArgs;
use super::common::Common;
use super::paths;
use super::trained::{ModelFlags, Plane};

/// Decode a plane of the latent space
#[derive(Args)]
#[command(after_help = "\
Examples:
  cvae-gpu manifold --model runs/mnist-1       20 × 20 images into manifold.png
  cvae-gpu manifold --model runs/deep --dims 3,7 -n 12 --npy plane.npy

Codes are the normal quantiles of 0.05 to 0.95. The first of --dims grows to the right, the second \
downwards; the others are 0. The array is [n, n, height, width, channels] of float32.")]
pub struct ManifoldArgs {
    #[command(flatten)]
    model: ModelFlags,
    /// Images along each side
    #[arg(short, long = "side", value_name = "N", default_value_t = 20, value_parser = count(1..=256))]
    n: usize,
    #[command(flatten)]
    plane: Plane,
    #[command(flatten)]
    class: ClassArgs,
    /// Picture to write; `-` is standard output
    #[arg(long, value_name = "FILE.png", default_value = "manifold.png", value_parser = paths::file(&["png"]), value_hint = ValueHint::FilePath)]
    out: PathBuf,
    /// Also write the probabilities; `-` is standard output
    #[arg(long, value_name = "FILE.npy", value_parser = paths::file(&["npy"]), value_hint = ValueHint::FilePath)]
    npy: Option<PathBuf>,
}

impl ManifoldArgs {
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        let trained = self.model.open()?;
        let latent = trained.model.latent_dim;
        let [i, j] = self.plane.of(&trained.model)?;
        let files = iter::once(&*self.out).chain(self.npy.as_deref());
        let mut output = self.model.output(common, files, &[])?;
        let (n, [h, w, c]) = (self.n, trained.model.image);
        let mut z = vec![0.0; n * n * latent];
        for (code, [x, y]) in z.chunks_mut(latent).zip(latent_grid(n).as_chunks().0) {
            (code[i], code[j]) = (*x, *y);
        }
        let class = self.class.label(&trained)?;
        if trained.model.labels > 0 && class.is_none() {
            common.say("Drawing class 0 of the model; --class chooses another");
        }
        let labels = vec![class.unwrap_or(0); n * n];
        let images = self.model.explore(common, &trained, async |explorer| {
            let mut meter = common.meter("Decoding");
            let labels = Some(&labels[..]);
            explorer.decode(Codes { z: &z, labels }, &mut meter).await
        })?;
        let picture = render::manifold(&images, [h, w, c], n, trained.model.range())?;
        output.write(&self.out, &render::png_bytes(&picture)?)?;
        if let Some(path) = &self.npy {
            output.write(path, &npy::to_bytes(&[n, n, h, w, c], &images))?;
        }
        output.finish(Some(n * n))
    }
}
