//! `cvae-gpu score`

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::choices::{caution, count};
use super::common::Common;
use super::paths;
use super::table;
use super::trained::ImageFlags;

/// Write the ELBO of each image, to find likely and unlikely ones
#[derive(Args)]
#[command(after_help = "\
Examples:
  cvae-gpu score --model runs/mnist-1 --out scores.csv
  cvae-gpu score --model runs/mnist-1 --data parts/ --worst 20 --out odd.csv
  cvae-gpu score --model runs/mnist-1 --worst 5 --out - | cut -d, -f1,3

A line per image: index,label,elbo,reconstruction,kl in nats, where classes have names class, and for a \
folder file, the path in it. Lines are in file order; with --worst by ascending ELBO. An index counts the images of the split from \
0. For images of real values (--binarize none) the ELBO is no bound on log p(x).")]
pub struct ScoreArgs {
    #[command(flatten)]
    input: ImageFlags,
    /// Only the N images of the lowest ELBO, the worst first
    #[arg(long, value_name = "N", value_parser = count(1..))]
    worst: Option<usize>,
    /// Table to write; `-` is standard output
    #[arg(long, value_name = "FILE.csv", value_parser = paths::file(&["csv"]), value_hint = ValueHint::FilePath)]
    out: PathBuf,
}

impl ScoreArgs {
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        let (trained, images) = self.input.open(common)?;
        let mut output = self.input.output(common, &self.out, &images)?;
        let seed = self.input.model.seed;
        let terms = self.input.explore(common, &trained, async |explorer| {
            let mut meter = common.meter("Evaluating");
            explorer.terms(images.labelled(), seed, &mut meter).await
        })?;
        let loss = trained.model.loss;
        let mut order: Vec<usize> = (0..images.count()).collect();
        if let Some(worst) = self.worst {
            // A stable sort keeps equal images in file order.
            order.sort_by(|&a, &b| terms[a].elbo(loss).total_cmp(&terms[b].elbo(loss)));
            order.truncate(worst);
        }
        let text = table::terms(&images, &terms, None, loss, order.into_iter());
        output.write(&self.out, text.as_bytes())?;
        if let Some(caution) = caution(&trained.model, &images.images)? {
            common.say(caution);
        }
        output.finish(Some(images.count()))
    }
}
