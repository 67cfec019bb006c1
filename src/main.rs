//! `cvae-gpu`: parse, dispatch, exit code; nothing else.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
