//! `cvae-gpu data`

use std::path::PathBuf;

use anyhow::Context;
use clap::Subcommand;
use cvae_gpu::data::{Binarize, mnist, packed};
use cvae_gpu::tensor_file;

use super::{Common, print, say};

/// Packed image sets: make one, look into one, list the built-in one
#[derive(Subcommand)]
#[command(
    after_help = "Example:\n  cvae-gpu data pack mnist-idx/ --out mnist.safetensors.gz\n  cvae-gpu data info mnist.safetensors.gz\n  cvae-gpu train --data mnist.safetensors.gz"
)]
pub enum DataCommand {
    /// List the data sets known by name
    #[command(after_help = "Example:\n  cvae-gpu data list")]
    List,
    /// Make a packed set from a folder of IDX files, raw or gzip
    #[command(
        after_help = "Example:\n  cvae-gpu data pack mnist-idx/ --out assets/mnist.safetensors.gz"
    )]
    Pack {
        /// Folder with train-images-idx3-ubyte and its three companions
        source: PathBuf,
        /// File to write; its stem becomes the name of the set
        #[arg(long)]
        out: PathBuf,
        /// Keep grey levels instead of 0 and 1
        #[arg(long)]
        grey: bool,
    },
    /// Say what a packed set holds
    #[command(after_help = "Example:\n  cvae-gpu data info assets/mnist.safetensors.gz")]
    Info {
        /// A packed set
        file: PathBuf,
    },
}

impl DataCommand {
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        match self {
            DataCommand::List => {
                print(&format!(
                    "{}: handwritten digits, 60000 + 10000 images of 28×28, built in",
                    mnist::NAME
                ))?;
            }
            DataCommand::Pack { source, out, grey } => {
                let file = out.file_name().and_then(|n| n.to_str()).unwrap_or_default();
                let name = file.split('.').next().filter(|n| !n.is_empty());
                let name = name.context("--out must name a file")?;
                let binarize = if grey {
                    Binarize::None
                } else {
                    Binarize::Threshold
                };
                let bytes = packed::pack(&source, binarize, name)?;
                tensor_file::write_atomically(&out, &bytes)?;
                if !common.quiet {
                    say(&format!("Wrote {} ({} bytes)", out.display(), bytes.len()));
                }
            }
            DataCommand::Info { file } => {
                let (set, provenance) = packed::read_file(&file)?;
                let [h, w, c] = set.shape();
                print(&format!("name     {}", set.name))?;
                print(&format!(
                    "images   {} training, {} test",
                    set.train.images.count(),
                    set.test.images.count()
                ))?;
                print(&format!(
                    "shape    {h}×{w}×{c}, {} bits a value",
                    set.train.images.depth().bits()
                ))?;
                print(&format!("origin   {}", provenance.origin))?;
                print(&format!("licence  {}", provenance.licence))?;
                for (name, hash) in &provenance.sources {
                    print(&format!("source   {name} {hash}"))?;
                }
            }
        }
        Ok(())
    }
}
