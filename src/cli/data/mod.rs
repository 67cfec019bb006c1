//! `cvae-gpu data`

mod verify;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use cvae_gpu::data::known::{self, Place, Places};
use cvae_gpu::data::{self, Binarize, Depth, ImageSet, packed};
use serde::Serialize;

use super::choices::BinarizeArg;
use super::images::{Choice, PrepareArgs};
use super::output::Output;
use crate::cli::common::Common;
use crate::cli::terminal::{print, print_json};

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
    Pack(PackArgs),
    /// Describe a set
    #[command(after_help = "\
Examples:
  cvae-gpu data info assets/mnist.safetensors.gz
  cvae-gpu data info photos/ --size 64")]
    Info(InfoArgs),
    /// Check downloaded sets against their published SHA-256
    #[command(after_help = "\
Examples:
  cvae-gpu data verify                 all of the cache folder
  cvae-gpu data verify fashion-mnist

Downloads are checked on arrival, and again before use if a file's size or time has changed. This \
checks every file. The status is 1 if a file differs from the published one.")]
    Verify(verify::VerifyArgs),
}

#[derive(Args)]
pub struct PackArgs {
    /// A name, a folder of images, of IDX files or of CIFAR-10, a .npy file, or a packed set
    source: String,
    /// File to write; its stem becomes the name of the set
    #[arg(long)]
    out: PathBuf,
    /// Convert colour to grey and keep the grey levels: --channels 1 --binarize none
    #[arg(long, conflicts_with_all = ["channels", "binarize"])]
    grey: bool,
    /// How grey levels become 0 and 1 [default: as `train`]; `stochastic` keeps them for later draws
    #[arg(long, value_enum, help_heading = "Data")]
    binarize: Option<BinarizeArg>,
    #[command(flatten)]
    prepare: PrepareArgs,
}

#[derive(Args)]
pub struct InfoArgs {
    /// A name, a folder of images, of IDX files or of CIFAR-10, a .npy file, or a packed set
    source: String,
    #[command(flatten)]
    prepare: PrepareArgs,
    /// Print JSON on standard output
    #[arg(long)]
    json: bool,
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

/// A set known by name, for `--json`.
#[derive(Serialize)]
struct Listed {
    name: &'static str,
    about: &'static str,
    licence: &'static str,
    built_in: bool,
    found: Option<PathBuf>,
    download_to: Option<PathBuf>,
    download_bytes: Option<u64>,
}

fn list(json: bool) -> anyhow::Result<()> {
    let places = Places::of_user();
    let mut all = Vec::new();
    for set in &known::KNOWN {
        let place = set.place(&places)?;
        let (found, missing) = match &place {
            Place::BuiltIn => (None, None),
            Place::Found(path) => (Some(path.clone()), None),
            Place::Missing { folder, bytes } => (None, Some((folder.clone(), *bytes))),
        };
        all.push(Listed {
            name: set.name,
            about: set.about,
            licence: set.licence,
            built_in: place == Place::BuiltIn,
            found,
            download_bytes: missing.as_ref().map(|(_, bytes)| *bytes),
            download_to: missing.map(|(folder, _)| folder),
        });
    }
    if json {
        return print_json(&all, true);
    }
    for set in all {
        let place = match (set.found, set.download_to, set.download_bytes) {
            (Some(path), ..) => format!("found in {}", path.display()),
            (_, Some(folder), Some(bytes)) => {
                let megabytes = bytes as f64 / 1e6;
                let folder = folder.display();
                format!("would be downloaded, {megabytes:.1} MB, to {folder}")
            }
            _ => "built in".to_owned(),
        };
        print(&format!("{}: {}; {place}", set.name, set.about))?;
    }
    Ok(())
}

impl PackArgs {
    fn run(self, common: &Common) -> anyhow::Result<()> {
        let file = self
            .out
            .file_name()
            .and_then(|n| n.to_str())
            .unwrap_or_default();
        let name = file.split('.').next().filter(|n| !n.is_empty());
        let name = name.context("--out must name a file")?.to_owned();
        let source = Path::new(&self.source);
        let inputs = known::by_name(&self.source).map_or(vec![source], |_| vec![]);
        let mut output = Output::new(common, false, &[Some(&self.out)], &inputs)?;
        let mut prepare = self.prepare.over(&data::Prepare::default());
        let mut given = self.binarize.map(BinarizeArg::value);
        if self.grey {
            (prepare.channels, given) = (Some(1), Some(Binarize::None));
        }
        let (source, mut watch) = (&self.source, common.watch());
        let set = data::load_prepared(source, Binarize::None, &prepare, &mut watch)?;
        let choice = Choice::of(given, &set);
        let binarize = match choice.binarize {
            // Bits have no grey levels, which is an error now.
            Binarize::Stochastic if set.train.images.depth() == Depth::Bit => Binarize::Stochastic,
            Binarize::Stochastic => Binarize::None,
            binarize => binarize,
        };
        let set = ImageSet {
            name,
            ..set.binarized(binarize)?
        };
        let provenance = data::provenance(source, binarize, &prepare, &mut watch)?;
        output.write(&self.out, &packed::write(&set, &provenance)?)?;
        choice.say(common);
        output.finish(0)
    }
}

/// The content of a set, for `--json`.
#[derive(Serialize)]
struct Info {
    name: String,
    train_images: usize,
    test_images: usize,
    shape: [usize; 3],
    bits: u32,
    classes: Option<usize>,
    class_names: Option<Vec<String>>,
    origin: String,
    licence: String,
    sources: BTreeMap<String, String>,
}

impl InfoArgs {
    fn run(self, common: &Common) -> anyhow::Result<()> {
        let prepare = self.prepare.over(&data::Prepare::default());
        let mut watch = common.watch();
        let set = data::load_prepared(&self.source, Binarize::None, &prepare, &mut watch)?;
        let provenance = data::provenance(&self.source, Binarize::None, &prepare, &mut watch)?;
        let counted = set.largest_label().map(|most| most as usize + 1);
        let names = Some(set.classes.clone()).filter(|names| !names.is_empty());
        let info = Info {
            name: set.name.clone(),
            train_images: set.train.images.count(),
            test_images: set.test.images.count(),
            shape: set.shape(),
            bits: set.train.images.depth().bits(),
            classes: counted.map(|counted| names.as_ref().map_or(counted, Vec::len)),
            class_names: names,
            origin: provenance.origin,
            licence: provenance.licence,
            sources: provenance.sources,
        };
        if self.json {
            return print_json(&info, true);
        }
        info.print()
    }
}

impl Info {
    /// The names of the first classes, after a colon.
    fn names(&self) -> String {
        const MOST: usize = 20;
        let Some(names) = &self.class_names else {
            return String::new();
        };
        let more = if names.len() > MOST { ", …" } else { "" };
        let shown = names[..names.len().min(MOST)].join(", ");
        format!(": {shown}{more}")
    }

    fn print(&self) -> anyhow::Result<()> {
        let [h, w, c] = self.shape;
        print(&format!("name     {}", self.name))?;
        let (train, test) = (self.train_images, self.test_images);
        print(&format!("images   {train} training, {test} test"))?;
        print(&format!("shape    {h}×{w}×{c}, {} bits a value", self.bits))?;
        match self.classes {
            Some(classes) => print(&format!("labels   of {classes} classes{}", self.names()))?,
            None => print("labels   none")?,
        }
        print(&format!("origin   {}", self.origin))?;
        print(&format!("licence  {}", self.licence))?;
        for (name, hash) in &self.sources {
            print(&format!("source   {name} {hash}"))?;
        }
        Ok(())
    }
}
