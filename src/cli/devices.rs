//! `cvae-gpu devices`

use clap::Args;
use cvae_gpu::gpu::{self, GpuError};
use serde::Serialize;

use crate::cli::common::Common;
use crate::cli::report::{self, variants};
use crate::cli::terminal::{print_list, print_table};

/// List the adapters, their capabilities, and the kernels that each uses
#[derive(Args)]
#[command(after_help = "\
Examples:
  cvae-gpu devices
  cvae-gpu devices --json | jq '.adapters[0].name'
  cvae-gpu devices --report

The best adapter comes first and is the default; --adapter selects another by its index or a part \
of its name. `subgroup` is the number of lanes of a subgroup, `max binding` the largest buffer that \
a kernel can bind. Without `timestamps`, `bench --profile` times kernels one by one.

--report prints what a bug report needs, to paste: version, system, drivers, limits, features, \
kernels, tuned choices, and the result of a short check on each adapter, which takes seconds. It \
has no paths and no names of users or machines. The status is 1 if there is no adapter or a check \
fails; the report is complete in any case.")]
pub struct DevicesArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Print a report as Markdown, for an issue, with a short check of each adapter
    #[arg(long, conflicts_with = "json")]
    report: bool,
}

#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    adapter: gpu::AdapterReport,
    variants: Vec<&'static str>,
}

impl DevicesArgs {
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        let selection = common.selection();
        let found = match &selection.adapter {
            Some(_) => vec![pollster::block_on(gpu::adapter(&selection))?],
            None => pollster::block_on(gpu::adapters(&selection)),
        };
        if self.report {
            return report::print_report(&found, common);
        }
        if found.is_empty() {
            let backend = selection.backend;
            return Err(GpuError::NoAdapter { backend }.into());
        }
        let row = |adapter: gpu::AdapterReport| {
            let variants = variants(&adapter.target);
            Row { adapter, variants }
        };
        let rows: Vec<Row> = found.into_iter().map(row).collect();
        if self.json {
            return print_list("adapters", &rows);
        }
        print_table(
            &rows,
            &[
                ("index", |row| row.adapter.index.to_string()),
                ("name", |row| row.adapter.name.clone()),
                ("backend", |row| row.adapter.backend.name().to_owned()),
                ("driver", |row| row.adapter.driver.clone()),
                ("type", |row| row.adapter.kind.to_owned()),
                ("subgroup", |row| {
                    let caps = &row.adapter.target.caps;
                    match caps.subgroup_min {
                        0 => "-".into(),
                        min => format!("{min}..{}", caps.subgroup_max),
                    }
                }),
                ("timestamps", |row| {
                    if row.adapter.target.caps.timestamps {
                        "yes"
                    } else {
                        "no"
                    }
                    .to_owned()
                }),
                ("max binding", |row| {
                    format!("{} MiB", row.adapter.target.caps.max_binding_bytes >> 20)
                }),
                ("kernels", |row| row.variants.join(" ")),
            ],
        )
    }
}
