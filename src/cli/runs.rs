//! `cvae-gpu runs`

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueHint};
use cvae_gpu::run::overview::{self, Overview};

use super::advice;
use super::common::Common;
use super::terminal::{Column, print_list, print_table};

/// List run folders: data, model, epochs, ELBO, and where each stands
#[derive(Args)]
#[command(after_help = "\
Examples:
  cvae-gpu runs
  cvae-gpu runs runs/mnist-1 --json

A run is running, finished, interrupted (`train --resume` goes on), or begun, without a checkpoint \
yet. `best` is the best test ELBO of an epoch.")]
pub struct RunsArgs {
    /// Folder of run folders, or one of them
    #[arg(value_name = "FOLDER", default_value = "runs", value_hint = ValueHint::DirPath)]
    folder: PathBuf,
    /// Print JSON on standard output
    #[arg(long)]
    json: bool,
}

impl RunsArgs {
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        let mut rows = Vec::new();
        for folder in self.folders()? {
            match overview::of(&folder) {
                Ok(found) => rows.extend(found),
                Err(error) => common.warn(&advice::message(&error.into())),
            }
        }
        if self.json {
            return print_list("runs", &rows);
        }
        if rows.is_empty() {
            common.say(&format!(
                "There are no runs in {}: `cvae-gpu train` makes one",
                self.folder.display()
            ));
            return Ok(());
        }
        let elbo = |value: Option<f64>| value.map_or("-".into(), |v| format!("{v:.2}"));
        let columns: [Column<(Overview, [String; 2])>; 7] = [
            ("run", |(run, _)| run.folder.clone()),
            ("state", |(run, _)| run.state.name().to_owned()),
            ("data", |(run, _)| run.data.clone()),
            ("image", |(run, _)| {
                let [height, width, channels] = run.image;
                format!("{height}×{width}×{channels}")
            }),
            ("epochs", |(run, _)| {
                format!("{}/{}", run.epoch.unwrap_or(0), run.epochs)
            }),
            ("ELBO", |(_, [last, _])| last.clone()),
            ("best", |(_, [_, best])| best.clone()),
        ];
        let texts = |run: Overview| {
            let both = [elbo(run.elbo), elbo(run.best_elbo)];
            (run, both)
        };
        let rows: Vec<_> = rows.into_iter().map(texts).collect();
        print_table(&rows, &columns)
    }

    /// The folder itself if it holds a run, else its subfolders in natural order.
    fn folders(&self) -> anyhow::Result<Vec<PathBuf>> {
        let folder = &self.folder;
        if !folder.exists() && folder.as_os_str() == "runs" {
            return Ok(Vec::new());
        }
        let read = fs::read_dir(folder);
        let read = read.with_context(|| {
            let folder = folder.display();
            format!("cannot list {folder}; give a run folder, or the folder of several")
        })?;
        if folder.join("config.json").is_file() {
            return Ok(vec![folder.clone()]);
        }
        let mut folders: Vec<PathBuf> = read.filter_map(|e| Some(e.ok()?.path())).collect();
        cvae_gpu::data::Order::Natural.sort(&mut folders);
        Ok(folders)
    }
}
