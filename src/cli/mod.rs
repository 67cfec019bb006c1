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
mod misplaced;
mod output;
mod paths;
mod pictures;
mod plan;
mod progress;
mod reconstruct;
mod report;
mod runs;
mod sample;
mod score;
mod shaders;
mod signals;
mod subject;
mod system;
mod table;
mod terminal;
mod train;
mod trained;
mod tuned;
mod weights;

use std::env;
use std::ffi::OsStr;
use std::process::ExitCode;

use clap::builder::Resettable;
use clap::{Arg, CommandFactory, FromArgMatches, Parser, Subcommand};
use common::{AdapterFlags, Common, On, Talk};
use output::Usage;
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
    talk: Talk,
}

#[derive(Subcommand)]
enum Command {
    Train(Box<On<train::TrainArgs>>),
    Eval(On<eval::EvalArgs>),
    Sample(On<sample::SampleArgs>),
    Reconstruct(On<reconstruct::ReconstructArgs>),
    Manifold(On<manifold::ManifoldArgs>),
    Interpolate(On<interpolate::InterpolateArgs>),
    Encode(On<encode::EncodeArgs>),
    Decode(On<decode::DecodeArgs>),
    Score(On<score::ScoreArgs>),
    Latent(On<latent::LatentArgs>),
    Export(export::ExportArgs),
    Import(import::ImportArgs),
    Check(On<check::CheckArgs>),
    Bench(On<bench::BenchArgs>),
    Devices(On<devices::DevicesArgs>),
    Plan(On<plan::PlanArgs>),
    Shaders(shaders::ShadersArgs),
    Runs(runs::RunsArgs),
    #[command(subcommand)]
    Data(data::DataCommand),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

/// Runs the program. The status is 0 on success, 1 on an error, 2 on wrong usage, and for interrupted
/// training 130 (Ctrl-C), 143 (SIGTERM), 129 (SIGHUP) or 141 (standard output was closed).
pub fn run() -> ExitCode {
    let start = std::time::Instant::now();
    let Cli { command, talk } = parse().unwrap_or_else(|error| refuse(&error));
    logging::start(&talk);
    let with = |adapter| Common { talk, adapter };
    let none = AdapterFlags::default;
    let done = |()| ExitCode::SUCCESS;
    let ended = match command {
        Command::Train(on) => {
            let On { args, adapter } = *on;
            args.run(&with(adapter))
        }
        Command::Eval(on) => on.args.run(&with(on.adapter)).map(done),
        Command::Sample(on) => on.args.run(&with(on.adapter)).map(done),
        Command::Reconstruct(on) => on.args.run(&with(on.adapter)).map(done),
        Command::Manifold(on) => on.args.run(&with(on.adapter)).map(done),
        Command::Interpolate(on) => on.args.run(&with(on.adapter)).map(done),
        Command::Encode(on) => on.args.run(&with(on.adapter)).map(done),
        Command::Decode(on) => on.args.run(&with(on.adapter)).map(done),
        Command::Score(on) => on.args.run(&with(on.adapter)).map(done),
        Command::Latent(on) => on.args.run(&with(on.adapter)).map(done),
        Command::Export(args) => args.run(Cli::command(), &with(none())).map(done),
        Command::Import(args) => args.run(&with(none())).map(done),
        Command::Check(on) => on.args.run(&with(on.adapter)).map(done),
        Command::Bench(on) => on.args.run(&with(on.adapter), start).map(done),
        Command::Devices(on) => on.args.run(&with(on.adapter)).map(done),
        Command::Plan(on) => on.args.run(&with(on.adapter)).map(done),
        Command::Shaders(args) => args.run().map(done),
        Command::Runs(args) => args.run(&with(none())).map(done),
        Command::Data(command) => command.run(&with(none())).map(done),
        Command::Completions(args) => args.run(&Cli::command()).map(done),
        Command::Man(args) => args.run(Cli::command(), &with(none())).map(done),
    };
    match ended {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {}", advice::message(&error)));
            match error.downcast_ref() {
                Some(Usage(_)) => ExitCode::from(2),
                None => ExitCode::FAILURE,
            }
        }
    }
}

fn parse() -> Result<Cli, clap::Error> {
    let mut program = without_empty(Cli::command());
    let args: Vec<_> = env::args_os().collect();
    let matches = program.try_get_matches_from_mut(&args);
    let matches = matches.map_err(|error| misplaced::explained(error, &program, &args))?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut program))
}

/// The command, for which an empty environment variable counts as not set.
fn without_empty(command: clap::Command) -> clap::Command {
    let is_empty = |name: &OsStr| env::var_os(name).is_some_and(|value| value.is_empty());
    let without = |arg: Arg| match arg.get_env() {
        Some(name) if is_empty(name) => arg.env(Resettable::Reset),
        _ => arg,
    };
    command.mut_args(without).mut_subcommands(without_empty)
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
