//! `cvae-gpu`: parse, dispatch, exit code; nothing else.

#![forbid(unsafe_code)]

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
