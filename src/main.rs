//! `cvae-gpu`: parse, dispatch, exit code; nothing else.

// Not `forbid`, which cli/signals.rs could not lift.
#![deny(unsafe_code)]

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
