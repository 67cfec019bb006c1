//! `cvae-gpu sample`

use std::iter;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use cvae_gpu::files::npy;

use super::choices::count;
use super::classes::ClassArgs;
use super::common::Common;
use super::paths;
use super::pictures;
use super::trained::ModelFlags;

/// Draw codes from the prior and decode them, on a grid
#[derive(Args)]
#[command(after_help = "\
Examples:
  cvae-gpu sample --model runs/mnist-1           100 new digits into sample.png
  cvae-gpu sample --model runs/mnist-1 -n 16 --seed 7 --npy probabilities.npy
  cvae-gpu sample --model runs/digits --class 1  a model of --conditional

The array is [n, height, width, channels] of float32: probabilities, or the means of a Gaussian.")]
pub struct SampleArgs {
    #[command(flatten)]
    model: ModelFlags,
    /// Images to draw
    #[arg(short, long = "count", value_name = "N", default_value_t = 100, value_parser = count(1..=65_536))]
    n: usize,
    #[command(flatten)]
    class: ClassArgs,
    /// Picture to write; `-` is standard output
    #[arg(long, value_name = "FILE.png", default_value = "sample.png", value_parser = paths::file(&["png"]), value_hint = ValueHint::FilePath)]
    out: PathBuf,
    /// Also write the probabilities; `-` is standard output
    #[arg(long, value_name = "FILE.npy", value_parser = paths::file(&["npy"]), value_hint = ValueHint::FilePath)]
    npy: Option<PathBuf>,
}

impl SampleArgs {
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        let trained = self.model.open()?;
        let files = iter::once(&*self.out).chain(self.npy.as_deref());
        let mut output = self.model.output(common, files, &[])?;
        let (n, seed, [h, w, c]) = (self.n, self.model.seed, trained.model.image);
        let classes = trained.model.labels as u32;
        let class = self.class.label(&trained)?;
        if classes > 0 && class.is_none() {
            common.say(&format!(
                "The {classes} classes of the model take turns; --class draws one of them"
            ));
        }
        let label = |i: u32| class.unwrap_or(i % classes.max(1));
        let labels: Option<Vec<u32>> = (classes > 0).then(|| (0..n as u32).map(label).collect());
        let images = self.model.explore(common, &trained, async |explorer| {
            let mut meter = common.meter("Sampling");
            explorer
                .sample(n, labels.as_deref(), seed, &mut meter)
                .await
        })?;
        let picture = pictures::square(&images, &trained.model)?;
        output.write(&self.out, &picture)?;
        if let Some(path) = &self.npy {
            output.write(path, &npy::to_bytes(&[n, h, w, c], &images))?;
        }
        output.finish(Some(n))
    }
}
