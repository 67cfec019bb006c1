//! `cvae-gpu data verify`

use std::path::Path;

use anyhow::{anyhow, bail};
use clap::Args;
use clap::builder::PossibleValuesParser;
use cvae_gpu::data::known::{self, Checked, Known, Places, State};
use serde::Serialize;

use crate::cli::terminal::{print, print_list};

#[derive(Args)]
pub struct VerifyArgs {
    /// Sets to check [default: all]
    #[arg(value_name = "NAME", value_parser = PossibleValuesParser::new(known::KNOWN.each_ref().map(|set| set.name)))]
    sets: Vec<String>,
    /// Print JSON on standard output
    #[arg(long)]
    json: bool,
}

/// A file, for `--json`.
#[derive(Serialize)]
struct Row {
    set: &'static str,
    #[serde(flatten)]
    checked: Checked,
}

impl VerifyArgs {
    pub fn run(self) -> anyhow::Result<()> {
        let places = Places::of_user();
        let cache = (places.cache.as_ref())
            .ok_or_else(|| anyhow!("there is no cache folder: name it in CVAE_GPU_CACHE"))?;
        let is_chosen =
            |set: &&Known| self.sets.is_empty() || self.sets.iter().any(|name| name == set.name);
        let mut rows = Vec::new();
        for known in known::KNOWN.iter().filter(is_chosen) {
            let checked = known.verify(&places)?.into_iter();
            let set = known.name;
            rows.extend(checked.map(|checked| Row { set, checked }));
        }
        let shown = if self.json {
            print_list("files", &rows)
        } else {
            show(&rows, cache)
        };
        let changed = |row: &&Row| row.checked.state == State::Changed;
        match rows.iter().filter(changed).count() {
            0 => shown,
            1 => bail!("a file is not as it was published: delete it, and it is downloaded again"),
            n => bail!(
                "{n} files are not as they were published: delete them, and they are downloaded again"
            ),
        }
    }
}

/// Prints the state of each file.
fn show(rows: &[Row], cache: &Path) -> anyhow::Result<()> {
    if rows.is_empty() {
        let cache = cache.display();
        print(&format!("there is no downloaded set in {cache}"))?;
    }
    for Row { checked, .. } in rows {
        let state = match checked.state {
            State::Published => "as published",
            State::Changed => "NOT as published",
            State::Unpacked => "unpacked by hand, which cannot be checked",
            _ => "of an unknown state",
        };
        print(&format!("{}: {state}", checked.path.display()))?;
    }
    Ok(())
}
