//! `cvae-gpu bench`

mod show;

use std::path::PathBuf;
use std::time::Instant;

use clap::{Args, ValueHint};
use cvae_gpu::bench::{self, Images, Options, Past};
use cvae_gpu::gpu::Gpu;

use super::choices::count;
use super::subject::SubjectArgs;
use super::tuned;
use crate::cli::common::Common;
use crate::cli::terminal::print_json;

/// Measure the train step: milliseconds, images per second, and where the time goes
#[derive(Args)]
#[command(after_help = "\
Examples:
  cvae-gpu bench                              the tutorial's step
  cvae-gpu bench --profile                    and each of its kernels
  cvae-gpu bench --sweep 8,32,128             several batch sizes
  cvae-gpu bench --json > before.json         … change something, then
  cvae-gpu bench --compare before.json        compare each figure with before
  cvae-gpu bench --tune                       find and keep the fastest kernels

After a warm-up the step runs in repeats of about a second. The median repeat counts; the fastest \
and the slowest follow it. If they differ much, something else used the machine.

The peaks are measured by a kernel of multiply-adds in registers and by one that copies. With \
--profile, a timestamp follows each kernel: `GFLOP/s` counts useful arithmetic, `GB/s` counts each \
tensor once, and `of peak` is the part of the nearer peak. Rows add up to the step. Kernels that \
read from a cache may exceed the peak of the copy.

--tune first tries the choices of kernels: the variant, images from textures or from buffers, the \
tile size, the split of weight gradients, and fusion. The fastest with correct gradients is kept \
per adapter, driver, model and batch, and `train` and `bench` use it from then on. A resumed run \
keeps its kernels.

The status is 0 even if --compare finds the step slower.")]
pub struct BenchArgs {
    /// Images of an optimizer step
    #[arg(long, default_value_t = 32, value_parser = count(1..=MOST))]
    batch: usize,
    /// Steps of one repeat [default: as many as take about a second]
    #[arg(long, value_name = "N", value_parser = count(1..=100_000))]
    steps: Option<usize>,
    /// Number of repeats; the median counts
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = count(1..=1000))]
    repeats: usize,
    /// Time each kernel
    #[arg(long)]
    profile: bool,
    /// Also measure these batch sizes
    #[arg(long, value_name = "B,…", value_delimiter = ',', value_parser = count(1..=MOST))]
    sweep: Vec<usize>,
    /// Compare the figures with those of an earlier `bench --json`
    #[arg(long, value_name = "OLD.json", value_hint = ValueHint::FilePath)]
    compare: Option<PathBuf>,
    /// First find the fastest kernels for this adapter, and keep them for `train`
    #[arg(long, conflicts_with_all = ["variant", "fuse", "untuned"])]
    tune: bool,
    #[command(flatten)]
    subject: SubjectArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// As many images as MNIST has.
const MOST: i64 = 60_000;

impl BenchArgs {
    pub fn run(self, common: &Common, start: Instant) -> anyhow::Result<()> {
        let selection = common.selection();
        // The file is checked before any work.
        let past = self.compare.as_deref().map(Past::read).transpose()?;
        common.on_adapter(&selection, |first| {
            let gpu = pollster::block_on(Gpu::open_from(&selection, first))?;
            self.run_on(gpu, common, past.as_ref(), start)
        })
    }

    fn run_on(
        &self,
        mut gpu: Gpu,
        common: &Common,
        past: Option<&Past>,
        mut start: Instant,
    ) -> anyhow::Result<()> {
        let subject = self.subject.load(common)?;
        let most = self.sweep.iter().fold(self.batch, |a, b| a.max(*b));
        let images = &Images::new(&subject.images(most)?, subject.packed.drawn)?;
        let options = Options {
            model: subject.model,
            batch: self.batch,
            steps: self.steps,
            repeats: self.repeats,
            profile: self.profile,
            sweep: self.sweep.clone(),
        };
        let (model, batch) = (&options.model, options.batch);
        let mut search = None;
        if self.tune {
            let mut listen = common.spinner();
            let tune = bench::tune(&gpu, images, &options, &mut listen);
            let found = pollster::block_on(tune)?;
            drop(listen);
            tuned::keep(&mut gpu, common, model, batch, &found);
            search = Some(found);
            start = Instant::now();
        } else {
            tuned::choose(&mut gpu, common, model, batch);
        }
        let mut listen = common.spinner();
        let run = bench::run(&gpu, images, &options, start, &mut listen);
        let mut report = pollster::block_on(run)?;
        drop(listen);
        report.tuning = search;
        if let Some(past) = past {
            report.compare = Some(past.compare(&report)?);
        }
        if self.json {
            print_json(&report)?;
        } else {
            show::report(&report)?;
        }
        if let Some(note) = show::note(&report, self.profile) {
            common.say(&format!("note: {note}"));
        }
        let doubts = show::doubts(&report);
        doubts.iter().for_each(|doubt| common.warn(doubt));
        Ok(())
    }
}
