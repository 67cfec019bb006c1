//! `cvae-gpu devices`

use clap::Args;
use cvae_gpu::gpu::{self, GpuError};
use cvae_gpu::model::{self, Feed, Model};
use cvae_gpu::ops::adam::Adam;
use serde::Serialize;

use crate::cli::common::Common;
use crate::cli::terminal::{print_json, print_table};

/// List the adapters, their capabilities, and the kernels that each uses
#[derive(Args)]
#[command(after_help = "\
Examples:
  cvae-gpu devices
  cvae-gpu devices --json | jq '.[0].name'

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
        let found = pollster::block_on(gpu::adapters(&selection));
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
            return print_json(&rows, true);
        }
        let header = [
            "index",
            "name",
            "backend",
            "driver",
            "type",
            "subgroup",
            "timestamps",
            "max binding",
            "kernels",
        ];
        let cells = rows.iter().map(|Row { adapter, variants }| {
            let caps = &adapter.target.caps;
            vec![
                adapter.index.to_string(),
                adapter.name.clone(),
                adapter.backend.name().to_owned(),
                adapter.driver.clone(),
                adapter.kind.to_owned(),
                if caps.subgroup_min == 0 {
                    "-".into()
                } else {
                    format!("{}..{}", caps.subgroup_min, caps.subgroup_max)
                },
                if caps.timestamps { "yes" } else { "no" }.to_owned(),
                format!("{} MiB", caps.max_binding_bytes >> 20),
                variants.join(" "),
            ]
        });
        print_table(&header, &cells.collect::<Vec<_>>())
    }
}
