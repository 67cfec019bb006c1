//! `cvae-gpu export`

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use cvae_gpu::layout;

use super::Common;
use super::output::Output;
use super::trained::{ModelFlags, path_of};

/// Write a model for other programs
#[derive(Args)]
#[command(
    after_help = "Examples:\n  cvae-gpu export --model runs/mnist-1 --format pytorch --out vae-torch.safetensors\n  cvae-gpu export --model runs/mnist-1/checkpoint.safetensors --format safetensors --out model.safetensors\n\nsafetensors: Keras names and layouts, `encoder.conv1.kernel [3, 3, in, out]` and so on; of a checkpoint\nthe weights alone. pytorch: the state of Conv2d, Linear and ConvTranspose2d layers named alike, for\n`load_state_dict(safetensors.torch.load_file(F))`; docs/formats.md has the module to load it into."
)]
pub struct ExportArgs {
    #[command(flatten)]
    model: ModelFlags,
    /// Layout of the weights
    #[arg(long, value_enum)]
    format: Format,
    /// File to write
    #[arg(long, value_name = "FILE.safetensors", value_parser = |t: &str| path_of(t, &["safetensors"]))]
    out: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// Keras names and layouts
    Safetensors,
    /// PyTorch names and layouts
    Pytorch,
}

impl ExportArgs {
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        let trained = self.model.open()?;
        let inputs = [self.model.path()];
        let mut output = Output::new(common, self.model.json, &[Some(&self.out)], &[&inputs[0]])?;
        let file = match self.format {
            Format::Safetensors => trained.to_file(),
            Format::Pytorch => layout::to_pytorch(&trained),
        };
        output.write(&self.out, &file.to_bytes()?)?;
        output.finish(0)
    }
}
