//! `cvae-gpu data`

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};
use cvae_gpu::data::known::{self, Place, Places};
use cvae_gpu::data::{self, Binarize, ImageSet, packed};
use cvae_gpu::tensor_file;
use serde::Serialize;

use super::images::PrepareArgs;
use super::{Common, print, print_json, say};

/// Image sets: list those known by name, look into one, pack one into a file
#[derive(Subcommand)]
#[command(after_help = "\
Example:
  cvae-gpu data list
  cvae-gpu data pack photos/ --size 64 --grey --out photos.safetensors.gz
  cvae-gpu data info photos.safetensors.gz
  cvae-gpu train --data photos.safetensors.gz")]
pub enum DataCommand {
    /// List the data sets known by name, and where each was found
    #[command(after_help = "\
Example:
  cvae-gpu data list

Sets are looked for in the cache folder, which CVAE_GPU_CACHE names if it is another than the \
system's, and in /usr/share/datasets. One that is asked for and is missing is downloaded to the \
cache, from CVAE_GPU_MIRROR if that is set, and checked.")]
    List {
        /// Print JSON on standard output
        #[arg(long)]
        json: bool,
    },
    /// Make a packed set, one small file, of any other source
    #[command(after_help = "\
Examples:
  cvae-gpu data pack mnist-idx/ --out assets/mnist.safetensors.gz
  cvae-gpu data pack photos/ --size 64 --grey --out photos.safetensors.gz")]
    Pack(PackArgs),
    /// Say what a set holds
    #[command(after_help = "\
Examples:
  cvae-gpu data info assets/mnist.safetensors.gz
  cvae-gpu data info photos/ --size 64")]
    Info(InfoArgs),
}

#[derive(Args)]
pub struct PackArgs {
    /// A name, a folder of images, of IDX files or of CIFAR-10, a .npy file, or a packed set
    source: String,
    /// File to write; its stem becomes the name of the set
    #[arg(long)]
    out: PathBuf,
    /// Keep grey levels and colours instead of 0 and 1
    #[arg(long)]
    grey: bool,
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
        let binarize = if self.grey {
            Binarize::None
        } else {
            Binarize::Threshold
        };
        let prepare = self.prepare.over(&data::Prepare::default());
        let (set, provenance) =
            data::load_with_provenance(&self.source, binarize, &prepare, &mut common.watch())?;
        let bytes = packed::write(&ImageSet { name, ..set }, &provenance)?;
        tensor_file::write_atomically(&self.out, &bytes)?;
        if !common.quiet {
            let (out, bytes) = (self.out.display(), bytes.len());
            say(&format!("Wrote {out} ({bytes} bytes)"));
        }
        Ok(())
    }
}

/// What a set holds, for `--json`.
#[derive(Serialize)]
struct Info {
    name: String,
    train_images: usize,
    test_images: usize,
    shape: [usize; 3],
    bits: u32,
    classes: Option<usize>,
    origin: String,
    licence: String,
    sources: BTreeMap<String, String>,
}

impl InfoArgs {
    fn run(self, common: &Common) -> anyhow::Result<()> {
        let prepare = self.prepare.over(&data::Prepare::default());
        let mut watch = common.watch();
        let (set, provenance) =
            data::load_with_provenance(&self.source, Binarize::None, &prepare, &mut watch)?;
        let labels = [&set.train, &set.test].map(|part| part.labels.as_ref());
        let most = labels.into_iter().flatten().flatten().max();
        let info = Info {
            name: set.name.clone(),
            train_images: set.train.images.count(),
            test_images: set.test.images.count(),
            shape: set.shape(),
            bits: set.train.images.depth().bits(),
            classes: most.map(|most| usize::from(*most) + 1),
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
    fn print(&self) -> anyhow::Result<()> {
        let [h, w, c] = self.shape;
        print(&format!("name     {}", self.name))?;
        let (train, test) = (self.train_images, self.test_images);
        print(&format!("images   {train} training, {test} test"))?;
        print(&format!("shape    {h}×{w}×{c}, {} bits a value", self.bits))?;
        match self.classes {
            Some(classes) => print(&format!("labels   of {classes} classes"))?,
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
