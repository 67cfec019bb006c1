//! `cvae-gpu export`

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, ValueEnum, ValueHint};
use cvae_gpu::saved::{onnx, pytorch};

use super::common::Common;
use super::paths;
use super::trained::ModelFlags;

/// Write a model for other programs
#[derive(Args)]
#[command(after_help = "\
Examples:
  cvae-gpu export --model runs/mnist-1 --format pytorch --out torch.safetensors
  cvae-gpu export --model runs/mnist-1 --format onnx --out vae.onnx
  cvae-gpu export --model runs/mnist-1 --format safetensors --out w.safetensors

safetensors: Keras names and layouts, such as `encoder.conv1.kernel [3, 3, in, out]`; only the \
weights of a checkpoint.

pytorch: the state of Conv2d, Linear and ConvTranspose2d layers of the same names, for \
`load_state_dict(safetensors.torch.load_file(F))`.

onnx: two graphs, vae.encoder.onnx from `image` [N, H, W, C] to `mean` and `logvar`, \
vae.decoder.onnx from `z` [N, L] to `logits` and `probabilities`.

docs/formats.md shows how to load each.")]
pub struct ExportArgs {
    #[command(flatten)]
    model: ModelFlags,
    /// Format of the file
    #[arg(long, value_enum)]
    format: Format,
    /// File to write; `-` is standard output; V.onnx gives two files, V.encoder.onnx and V.decoder.onnx
    #[arg(long, value_name = "FILE.safetensors|FILE.onnx", value_parser = paths::file(&["safetensors", "onnx"]), value_hint = ValueHint::FilePath)]
    out: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// Keras names and layouts
    Safetensors,
    /// PyTorch names and layouts
    Pytorch,
    /// ONNX graphs, of the encoder and of the decoder
    Onnx,
}

impl ExportArgs {
    pub fn run(self, mut program: clap::Command, common: &Common) -> anyhow::Result<()> {
        let out = self.out.as_path();
        // `folder/vae.part.onnx` of `folder/vae.onnx`.
        let beside = |part| out.with_extension(format!("{part}.onnx"));
        let (extension, outs) = match self.format {
            Format::Safetensors | Format::Pytorch => ("safetensors", vec![out.to_owned()]),
            Format::Onnx if paths::is_standard(out) => {
                let message = "--format onnx writes two files, but `-` is one: name a .onnx file";
                program.error(ErrorKind::ValueValidation, message).exit();
            }
            Format::Onnx => ("onnx", ["encoder", "decoder"].map(beside).to_vec()),
        };
        if !paths::is(out, extension) && !paths::is_standard(out) {
            let message = format!(
                "--out {} is not what --format writes: name a .{extension} file",
                out.display()
            );
            program.error(ErrorKind::ValueValidation, message).exit();
        }
        let trained = self.model.open()?;
        let files = outs.iter().map(PathBuf::as_path);
        let mut output = self.model.output(common, files, &[])?;
        let contents = match self.format {
            Format::Safetensors => vec![trained.to_file().to_bytes()?],
            Format::Pytorch => vec![pytorch::to_pytorch(&trained).to_bytes()?],
            Format::Onnx => vec![onnx::encoder(&trained)?, onnx::decoder(&trained)?],
        };
        for (path, bytes) in outs.iter().zip(contents) {
            output.write(path, &bytes)?;
        }
        self.model.say_path(common);
        output.finish(None)
    }
}
