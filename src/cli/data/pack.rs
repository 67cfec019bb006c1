//! `cvae-gpu data pack`

use std::io;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueHint};
use cvae_gpu::data::{self, Binarize, Depth, packed};

use crate::cli::choices;
use crate::cli::common::Common;
use crate::cli::images::{Choice, KEEP, PrepareArgs, as_path, sources};
use crate::cli::output::Output;
use crate::cli::paths;

#[derive(Args)]
pub struct PackArgs {
    #[arg(help = concat!("Images: ", sources!()))]
    source: String,
    /// File to write; its stem becomes the name of the set; `-` is standard output
    #[arg(long, value_hint = ValueHint::FilePath)]
    out: PathBuf,
    /// Convert colour to grey and keep the grey levels: --channels 1 --binarize none
    #[arg(long, conflicts_with_all = ["channels", "binarize"])]
    grey: bool,
    /// How grey levels become 0 and 1 [default: as `train`]; `stochastic` keeps them for later draws
    #[arg(long, value_parser = choices::binarize(), help_heading = "Data")]
    binarize: Option<Binarize>,
    #[command(flatten)]
    prepare: PrepareArgs,
}

impl PackArgs {
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        let file = self.out.file_name().and_then(|n| n.to_str());
        let name = file
            .and_then(|n| n.split('.').next())
            .filter(|n| !n.is_empty());
        let name = name.context("--out must name a file")?.to_owned();
        let name = (!paths::is_standard(&self.out)).then_some(name);
        let mut output = Output::new(
            common,
            false,
            [&*self.out],
            as_path(&self.source).as_slice(),
        )?;
        let mut prepare = self.prepare.over(&data::Prepare::default());
        let mut given = self.binarize;
        if self.grey {
            (prepare.channels, given) = (Some(1), Some(Binarize::None));
        }
        let (source, mut watch) = (&self.source, common.watch(&self.prepare));
        let set = data::load_prepared(source, Binarize::None, &prepare, &mut watch)?;
        let choice = Choice::of(given, None, &set)?;
        let binarize = match choice.binarize {
            // Bits have no grey levels, which is an error now.
            Binarize::Stochastic if set.train.images.depth() == Depth::Bit => Binarize::Stochastic,
            Binarize::Stochastic => Binarize::None,
            binarize => binarize,
        };
        let mut set = set.binarized(binarize)?;
        set.name = name.unwrap_or(set.name);
        let provenance = data::provenance(source, binarize, &prepare, &mut watch)?;
        let mut failed = None;
        let written = output.write_with(&self.out, |file| {
            let written = packed::write_to(&set, &provenance, file);
            written.map_err(|e| io::Error::other(failed.insert(e).to_string()))
        });
        match failed {
            Some(reason) => return Err(reason.into()),
            None => written?,
        }
        let flag = if self.grey { "--grey" } else { KEEP };
        choice.say_unused(flag, common);
        choice.say(common);
        output.finish(None)
    }
}
