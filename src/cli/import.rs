//! `cvae-gpu import`

use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, ValueHint};
use cvae_gpu::data::Binarize;
use cvae_gpu::files::tensors::TensorFile;
use cvae_gpu::model::Loss;
use cvae_gpu::saved::{Stored, pytorch};

use super::arch::Choice;
use super::choices::{self, ImageSize, image_size, weight};
use super::common::Common;
use super::output::Output;
use super::paths;

/// Make a model file from weights of Keras or PyTorch
#[derive(Args)]
#[command(after_help = "\
Examples:
  cvae-gpu import --from keras.safetensors --out vae.safetensors
  cvae-gpu import --from torch.safetensors --out vae.safetensors
  cvae-gpu import --from big.safetensors --image-size 32,64 --out m.safetensors
  cvae-gpu import --from w.safetensors --arch keras --out m.safetensors

Names tell Keras (`….kernel`) from PyTorch (`….weight`). The model follows from the shapes, and so \
does the image size if images are 28×28 or square.")]
pub struct ImportArgs {
    /// Weights: safetensors with Keras or PyTorch names and layouts
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    from: PathBuf,
    /// Model file to write; `-` is standard output
    #[arg(long, value_name = "FILE.safetensors", value_parser = paths::file(&["safetensors"]), value_hint = ValueHint::FilePath)]
    out: PathBuf,
    /// The model of the weights, if they are not of the default kind: a name or a file, as for `train`
    #[arg(long, value_name = "NAME|FILE.toml")]
    arch: Option<String>,
    /// Height, width and channels of its images, if the shapes do not determine them
    #[arg(long, value_name = "H,W[,C]", value_parser = image_size)]
    image_size: Option<ImageSize>,
    /// KL term it was trained with [default: mc]
    #[arg(long, value_parser = choices::kl())]
    kl: Option<Loss>,
    /// Weight of the KL term it was trained with [default: 1]
    #[arg(long, value_name = "B", value_parser = weight)]
    beta: Option<f64>,
    /// How grey levels become 0 and 1 [default: threshold; none for images of three channels]
    #[arg(long, value_parser = choices::binarize())]
    binarize: Option<Binarize>,
    /// Print JSON on standard output
    #[arg(long)]
    json: bool,
}

impl ImportArgs {
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        let mut output = Output::new(common, self.json, [&*self.out], &[&self.from])?;
        let file = TensorFile::read(&self.from)?;
        let size = self.image_size.map(|size| size.0);
        let described = match &self.arch {
            Some(text) => {
                let model = Choice::of(text)?.model(size.unwrap_or([28, 28, 1]));
                model.validate()?;
                Some(model)
            }
            None => None,
        };
        let mut trained = if pytorch::is_pytorch(&file) {
            pytorch::from_pytorch(&self.from, file, described, size)?
        } else {
            Stored::new(&self.from, file)?
                .assume(described)
                .open(size)?
        };
        let [height, width, channels] = trained.model.image;
        let size = size.map(|[h, w, _]| [h, w]);
        if let Some([h, w]) = size.filter(|size| *size != [height, width]) {
            let path = self.from.display();
            bail!("--image-size {h},{w}, but the weights in {path} are for {height},{width}");
        }
        let model = &mut trained.model;
        model.loss = self.kl.unwrap_or(model.loss);
        model.beta = self.beta.unwrap_or(model.beta);
        trained.binarize = self.binarize.unwrap_or(trained.binarize);
        let latent = trained.model.latent_dim;
        common.say(&format!(
            "A model of {height}×{width}×{channels} images, latent dimensions: {latent}"
        ));
        output.write(&self.out, &trained.to_file().to_bytes()?)?;
        output.finish(None)
    }
}
