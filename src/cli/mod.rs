//! The command line: one file per command.

mod adapter;
mod bench;
mod check;
mod choices;
mod completions;
mod data;
mod decode;
mod devices;
mod encode;
mod eval;
mod export;
mod images;
mod import;
mod interpolate;
mod latent;
mod man;
mod manifold;
mod output;
mod pictures;
mod plan;
mod progress;
mod reconstruct;
mod sample;
mod score;
mod shaders;
mod signals;
mod table;
mod train;
mod trained;
mod tuned;
mod weights;

use std::io;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use cvae_gpu::gpu::{Backend, Feature, Selection};
use cvae_gpu::plan::{Tuning, Variant};
use cvae_gpu::terminal::{self, print, say};
use serde::Serialize;

/// Train, evaluate and explore convolutional variational autoencoders on any GPU.
#[derive(Parser)]
#[command(
    version,
    arg_required_else_help = true,
    after_help = "\
Example:
  cvae-gpu train                 the tutorial's model on MNIST, built in
  cvae-gpu train --epochs 1      a first look
  cvae-gpu devices               which GPUs there are
  cvae-gpu check                 do they compute what they should?"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
}

#[derive(Subcommand)]
enum Command {
    Train(train::TrainArgs),
    Eval(eval::EvalArgs),
    Sample(sample::SampleArgs),
    Reconstruct(reconstruct::ReconstructArgs),
    Manifold(manifold::ManifoldArgs),
    Interpolate(interpolate::InterpolateArgs),
    Encode(encode::EncodeArgs),
    Decode(decode::DecodeArgs),
    Score(score::ScoreArgs),
    Latent(latent::LatentArgs),
    Export(export::ExportArgs),
    Import(import::ImportArgs),
    Check(check::CheckArgs),
    Bench(bench::BenchArgs),
    Devices(devices::DevicesArgs),
    Plan(plan::PlanArgs),
    Shaders(shaders::ShadersArgs),
    #[command(subcommand)]
    Data(data::DataCommand),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

/// Flags of every command.
#[derive(Args)]
struct Common {
    /// Adapter to use: its index in `cvae-gpu devices`, or part of its name
    #[arg(
        long,
        global = true,
        value_name = "NAME|INDEX",
        help_heading = "Adapter"
    )]
    adapter: Option<String>,
    /// Only adapters of this backend: vulkan, metal, dx12 or gl
    #[arg(long, global = true, help_heading = "Adapter")]
    backend: Option<Backend>,
    /// Leave features unused, to try a fallback: subgroups, texels, timestamps,
    /// fusion, pinning, aliasing
    #[arg(
        long,
        global = true,
        value_name = "FEATURE,…",
        value_delimiter = ',',
        help_heading = "Adapter"
    )]
    disable: Vec<Feature>,
    /// Keep bounds checks in the shaders, and name an access that is out of bounds
    #[arg(long, global = true, help_heading = "Adapter")]
    checked: bool,
    /// Pin the convolution kernels: plain, thin, tile, broadcast or workgroup
    #[arg(long, global = true, value_name = "NAME", help_heading = "Adapter")]
    variant: Option<Variant>,
    /// Run the step in few dispatches, as GPUs do anyway
    #[arg(long, global = true, help_heading = "Adapter")]
    fuse: bool,
    /// Leave aside what `bench --tune` found, and with --resume which kernels the run had
    #[arg(long, global = true, help_heading = "Adapter")]
    untuned: bool,
    /// Say nothing but errors
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Say more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

impl Common {
    fn selection(&self) -> Selection {
        Selection {
            adapter: self.adapter.clone(),
            backend: self.backend,
            disable: self.disable.clone(),
            checked: self.checked,
            named: self.checked,
            tuning: Tuning {
                variant: self.variant,
                fuse: self.fuse.then_some(true),
                ..Tuning::default()
            },
        }
    }
}

/// Runs the program; the status is 0 when done, 1 when refused or failed, 2 on wrong usage, and
/// when training was interrupted 130 (Ctrl-C), 143 (SIGTERM), 129 (SIGHUP) or 141 (standard output
/// was closed).
pub fn run() -> ExitCode {
    let start = std::time::Instant::now();
    let Cli { command, common } = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => refuse(&error),
    };
    let done = |()| ExitCode::SUCCESS;
    let ended = match command {
        Command::Train(args) => args.run(&common),
        Command::Eval(args) => args.run(&common).map(done),
        Command::Sample(args) => args.run(&common).map(done),
        Command::Reconstruct(args) => args.run(&common).map(done),
        Command::Manifold(args) => args.run(&common).map(done),
        Command::Interpolate(args) => args.run(&common).map(done),
        Command::Encode(args) => args.run(&common).map(done),
        Command::Decode(args) => args.run(&common).map(done),
        Command::Score(args) => args.run(&common).map(done),
        Command::Latent(args) => args.run(&common).map(done),
        Command::Export(args) => args.run(&common).map(done),
        Command::Import(args) => args.run(&common).map(done),
        Command::Check(args) => args.run(&common).map(done),
        Command::Bench(args) => args.run(&common, start).map(done),
        Command::Devices(args) => args.run(&common).map(done),
        Command::Plan(args) => args.run(&common).map(done),
        Command::Shaders(args) => args.run(&common).map(done),
        Command::Data(command) => command.run(&common).map(done),
        Command::Completions(args) => args.run().map(done),
        Command::Man(args) => args.run(&common).map(done),
    };
    match ended {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Whoever reads our output, `head` say, has seen enough.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |e: &io::Error| e.kind() == io::ErrorKind::BrokenPipe;
    error.chain().any(|e| e.downcast_ref().is_some_and(broken))
}

/// Ends the program with clap's message: help, version or wrong usage. It quotes arguments, which
/// may be names of files that a shell has put in; only one without control characters is coloured.
fn refuse(error: &clap::Error) -> ! {
    let hides = |arg: std::ffi::OsString| {
        let arg = arg.to_string_lossy();
        terminal::line(&arg) != arg
    };
    if std::env::args_os().any(hides) && error.use_stderr() {
        say(error.to_string().trim_end());
        std::process::exit(error.exit_code());
    }
    error.exit()
}

/// Prints one JSON document, or one line of a stream of them.
fn print_json(value: &impl Serialize, pretty: bool) -> anyhow::Result<()> {
    Ok(terminal::print_json(value, pretty)?)
}

/// A text table: a header, then rows; numbers to the right.
fn print_table(header: &[&str], rows: &[Vec<String>]) -> anyhow::Result<()> {
    let cells = |row: &Vec<String>| row.iter().map(|c| terminal::line(c).into_owned()).collect();
    let all = || {
        std::iter::once(header.iter().map(|h| (*h).to_owned()).collect())
            .chain(rows.iter().map(cells))
    };
    let width = |column: usize| {
        all()
            .map(|row: Vec<String>| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let numeric = |text: &str| text.chars().next().is_some_and(|c| c.is_ascii_digit());
    for row in all() {
        let mut line = String::new();
        for (i, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let right = rows.first().is_some_and(|r| numeric(&r[i]));
            let cell = if right {
                format!("{cell:>width$}")
            } else {
                format!("{cell:<width$}")
            };
            line = line + &cell + "  ";
        }
        print(line.trim_end())?;
    }
    Ok(())
}
