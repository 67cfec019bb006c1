//! `cvae-gpu import`

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use cvae_gpu::files::tensors::TensorFile;
use cvae_gpu::saved::Stored;
use cvae_gpu::saved::pytorch;

use super::choices::{BinarizeArg, Kl, pair, weight};
use super::output::Output;
use super::trained::path_of;
use crate::cli::common::Common;

/// Make a model file from weights of Keras or PyTorch
#[derive(Args)]
#[command(after_help = "\
Examples:
  cvae-gpu import --from keras.safetensors --out vae.safetensors
  cvae-gpu import --from torch.safetensors --out vae.safetensors
  cvae-gpu import --from big.safetensors --image-size 32,64 --out m.safetensors

Names tell Keras (`….kernel`) from PyTorch (`….weight`). The model follows from the shapes, and so \
does the image size if images are 28×28 or square.")]
pub struct ImportArgs {
    /// Weights: safetensors with Keras or PyTorch names and layouts
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// Model file to write
    #[arg(long, value_name = "FILE.safetensors", value_parser = |t: &str| path_of(t, &["safetensors"]))]
    out: PathBuf,
    /// Height and width of its images, if the shapes do not determine them
    #[arg(long, value_name = "H,W", value_parser = pair)]
    image_size: Option<[usize; 2]>,
    /// KL term it was trained with [default: mc]
    #[arg(long, value_enum)]
    kl: Option<Kl>,
    /// Weight of the KL term it was trained with [default: 1]
    #[arg(long, value_name = "B", value_parser = weight)]
    beta: Option<f64>,
    /// How grey levels become 0 and 1 [default: threshold; none for images of three channels]
    #[arg(long, value_enum)]
    binarize: Option<BinarizeArg>,
    /// Print JSON on standard output
    #[arg(long)]
    json: bool,
}

impl ImportArgs {
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        let mut output = Output::new(common, self.json, &[Some(&self.out)], &[&self.from])?;
        let file = TensorFile::read(&self.from)?;
        let mut trained = if pytorch::is_pytorch(&file) {
            pytorch::from_pytorch(&self.from, file, self.image_size)?
        } else {
            Stored::new(&self.from, file)?.open(self.image_size)?
        };
        let [height, width, channels] = trained.model.image;
        if let Some([h, w]) = self.image_size.filter(|size| *size != [height, width]) {
            let path = self.from.display();
            bail!("--image-size {h},{w}, but the weights in {path} are for {height},{width}");
        }
        if let Some(kl) = self.kl {
            trained.model.loss = kl.loss();
        }
        if let Some(beta) = self.beta {
            trained.model.beta = beta;
        }
        if let Some(binarize) = self.binarize {
            trained.binarize = binarize.value();
        }
        let latent = trained.model.latent_dim;
        common.say(&format!(
            "A model of {height}×{width}×{channels} images, latent dimensions: {latent}"
        ));
        output.write(&self.out, &trained.to_file().to_bytes()?)?;
        output.finish(0)
    }
}
