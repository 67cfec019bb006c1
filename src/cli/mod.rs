//! The command line: one file per command.

mod advice;
mod arch;
mod bench;
mod check;
mod choices;
mod classes;
mod common;
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
mod logging;
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
mod subject;
mod table;
mod terminal;
mod train;
mod trained;
mod tuned;
mod weights;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use common::Common;
use terminal::{is_broken_pipe, say};

/// Train, evaluate and explore convolutional variational autoencoders on any GPU.
#[derive(Parser)]
#[command(
    version,
    arg_required_else_help = true,
    after_help = "\
Example:
  cvae-gpu train                 the tutorial's model on MNIST, built in
  cvae-gpu train --epochs 1      a first look
  cvae-gpu devices               the GPUs of this machine
  cvae-gpu check                 tests that a GPU computes correctly"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
}

#[derive(Subcommand)]
enum Command {
    Train(Box<train::TrainArgs>),
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

/// Runs the program. The status is 0 on success, 1 on an error, 2 on wrong usage, and for interrupted
/// training 130 (Ctrl-C), 143 (SIGTERM), 129 (SIGHUP) or 141 (standard output was closed).
pub fn run() -> ExitCode {
    let start = std::time::Instant::now();
    let Cli { command, common } = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => refuse(&error),
    };
    logging::start(&common);
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
        Command::Export(args) => args.run(Cli::command(), &common).map(done),
        Command::Import(args) => args.run(&common).map(done),
        Command::Check(args) => args.run(&common).map(done),
        Command::Bench(args) => args.run(&common, start).map(done),
        Command::Devices(args) => args.run(&common).map(done),
        Command::Plan(args) => args.run(&common).map(done),
        Command::Shaders(args) => args.run().map(done),
        Command::Data(command) => command.run(&common).map(done),
        Command::Completions(args) => args.run(&Cli::command()).map(done),
        Command::Man(args) => args.run(Cli::command(), &common).map(done),
    };
    match ended {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {}", advice::message(&error)));
            ExitCode::FAILURE
        }
    }
}

/// Ends the program with clap's message: help, version or wrong usage. It may quote file names, so a
/// message about arguments with control characters is escaped and has no colour.
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
