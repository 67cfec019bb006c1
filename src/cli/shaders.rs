//! `cvae-gpu shaders`

use anyhow::anyhow;
use clap::Args;
use cvae_gpu::ops;
use cvae_gpu::plan::Source;
use serde::Serialize;

use super::terminal::{self, print_json, print_list, print_table};

/// List the shader modules, or print the WGSL of one
#[derive(Args)]
#[command(after_help = "\
Examples:
  cvae-gpu shaders                            every module and its entry points
  cvae-gpu shaders --print adam               WGSL
  cvae-gpu shaders --print adam | naga --stdin-file-path adam.wgsl

A module is a concatenation of files. The kernels of a plan set its `override` constants.")]
pub struct ShadersArgs {
    /// Print the WGSL of this module
    #[arg(long, value_name = "NAME")]
    print: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A module.
#[derive(Serialize)]
struct Row {
    name: &'static str,
    entries: Vec<&'static str>,
    /// Files in `shaders/`, in the order of concatenation.
    files: Vec<String>,
    subgroups: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    wgsl: Option<String>,
}

impl ShadersArgs {
    pub fn run(self) -> anyhow::Result<()> {
        let row = |source: &'static Source| {
            let files = source.files().into_iter();
            anyhow::Ok(Row {
                name: source.name,
                entries: source.entry_points().map_err(|fault| anyhow!(fault))?,
                files: files.map(|stem| format!("{stem}.wgsl")).collect(),
                subgroups: source.subgroups,
                wgsl: None,
            })
        };
        if let Some(name) = &self.print {
            let source = ops::source(name).ok_or_else(|| {
                let names: Vec<_> = ops::sources().iter().map(|s| s.name).collect();
                anyhow!(
                    "there is no module `{name}`. There are: {}",
                    names.join(", ")
                )
            })?;
            let wgsl = source.module();
            if self.json {
                let wgsl = Some(wgsl);
                return print_json(&Row {
                    wgsl,
                    ..row(source)?
                });
            }
            return Ok(terminal::write_bytes(
                format!("{}\n", wgsl.trim_end()).as_bytes(),
            )?);
        }
        let rows = ops::sources().into_iter().map(row);
        let rows: Vec<Row> = rows.collect::<Result<_, _>>()?;
        if self.json {
            return print_list("modules", &rows);
        }
        print_table(
            &rows,
            &[
                ("module", |row| row.name.to_owned()),
                ("entry points", |row| row.entries.join(" ")),
                ("made of", |row| row.files.join(" + ")),
            ],
        )
    }
}
