//! `cvae-gpu devices`

use clap::Args;
use cvae_gpu::gpu::{self, GpuError};
use cvae_gpu::model::{self, Feed, Model};
use cvae_gpu::ops::adam::Adam;
use serde::Serialize;

use crate::cli::common::Common;
use crate::cli::terminal::{print_list, print_table};

/// List the adapters, their capabilities, and the kernels that each uses
#[derive(Args)]
#[command(after_help = "\
Examples:
  cvae-gpu devices
  cvae-gpu devices --json | jq '.adapters[0].name'

The best adapter comes first and is the default; --adapter selects another by its index or a part \
of its name. `subgroup` is the number of lanes of a subgroup, `max binding` the largest buffer that \
a kernel can bind. Without `timestamps`, `bench --profile` times kernels one by one.")]
pub struct DevicesArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
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
        if found.is_empty() {
            let backend = selection.backend;
            return Err(GpuError::NoAdapter { backend }.into());
        }
        let row = |adapter: gpu::AdapterReport| {
            let plan = model::train_step(
                &Model::default(),
                Feed::Injected,
                Adam::default(),
                32,
                &adapter.target,
            );
            let variants = plan.variants();
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
