//! `cvae-gpu data`

mod info;
mod pack;
mod verify;

use clap::Subcommand;
use cvae_gpu::data::known::{self, Place, Places};
use serde_json::json;

use super::common::Common;
use super::terminal::{print, print_list};

/// Image sets: list the known ones, describe one, pack one into a file
#[derive(Subcommand)]
#[command(after_help = "\
Example:
  cvae-gpu data list
  cvae-gpu data pack photos/ --size 64 --out photos.safetensors.gz
  cvae-gpu data info photos.safetensors.gz
  cvae-gpu data verify
  cvae-gpu train --data photos.safetensors.gz")]
pub enum DataCommand {
    /// List the sets known by name, and where each was found
    #[command(after_help = "\
Example:
  cvae-gpu data list

Sets are searched in the cache folder (CVAE_GPU_CACHE, or the system's) and in \
/usr/share/datasets. A missing set is downloaded to the cache when it is used, from \
CVAE_GPU_MIRROR if that is set, and checked; `data verify` checks it again.")]
    List {
        /// Print JSON on standard output
        #[arg(long)]
        json: bool,
    },
    /// Convert any source to a packed set, one small file
    #[command(after_help = "\
Examples:
  cvae-gpu data pack mnist-idx/ --out assets/mnist.safetensors.gz
  cvae-gpu data pack photos/ --size 64 --out photos.safetensors.gz
  cvae-gpu data pack photos/ --size 64 --grey --out grey.safetensors.gz

The file holds the images that `train` uses with the same options: grey levels and colours, or bits \
if the images are black and white.")]
    Pack(pack::PackArgs),
    /// Describe a set
    #[command(after_help = "\
Examples:
  cvae-gpu data info assets/mnist.safetensors.gz
  cvae-gpu data info photos/ --size 64 --out sheet.png

`values` are those of the training images, from 0 to 255, in 16 ranges.")]
    Info(info::InfoArgs),
    /// Check downloaded sets against their published SHA-256
    #[command(after_help = "\
Examples:
  cvae-gpu data verify                 all of the cache folder
  cvae-gpu data verify fashion-mnist

Downloads are checked on arrival, and again before use if a file's size or time has changed. This \
checks every file. The status is 1 if a file differs from the published one.")]
    Verify(verify::VerifyArgs),
}

impl DataCommand {
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        match self {
            DataCommand::List { json } => list(json),
            DataCommand::Pack(args) => args.run(common),
            DataCommand::Info(args) => args.run(common),
            DataCommand::Verify(args) => args.run(),
        }
    }
}

fn list(json: bool) -> anyhow::Result<()> {
    let places = Places::of_user();
    let mut all = Vec::new();
    for set in &known::KNOWN {
        all.push((set, set.place(&places)?));
    }
    if json {
        let rows = all.iter().map(|(set, place)| {
            let (found, missing) = match place {
                Place::BuiltIn => (None, None),
                Place::Found(path) => (Some(path.display().to_string()), None),
                Place::Missing { folder, bytes } => {
                    (None, Some((folder.display().to_string(), bytes)))
                }
            };
            let (download_to, download_bytes) = missing.unzip();
            json!({
                "name": set.name,
                "about": set.about,
                "licence": set.licence,
                "built_in": *place == Place::BuiltIn,
                "found": found,
                "download_to": download_to,
                "download_bytes": download_bytes,
            })
        });
        return print_list("sets", &rows.collect::<Vec<_>>());
    }
    for (set, place) in all {
        let place = match place {
            Place::BuiltIn => "built in".to_owned(),
            Place::Found(path) => format!("found in {}", path.display()),
            Place::Missing { folder, bytes } => {
                let (megabytes, folder) = (bytes as f64 / 1e6, folder.display());
                format!("would be downloaded, {megabytes:.1} MB, to {folder}")
            }
        };
        print(&format!("{}: {}; {place}", set.name, set.about))?;
    }
    Ok(())
}
