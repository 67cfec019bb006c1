//! `cvae-gpu`: parse, dispatch, exit code; nothing else.

#![forbid(unsafe_code)]
// Text goes out through `cvae_gpu::terminal`.
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
