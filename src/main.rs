//! The program `cvae-gpu`: runs the command line and returns its exit code.

// Not `forbid`, because of `silence_device_select` and cli/signals.rs.
#![deny(unsafe_code)]
// Output goes through `cli::terminal`.
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod cli;

use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    silence_device_select();
    cli::run()
}

/// Without a display session, Mesa's device-select layer prints an error. This program selects the
/// adapter itself, so it disables the layer there.
#[expect(
    unsafe_code,
    reason = "the environment may be changed while there is one thread"
)]
fn silence_device_select() {
    let unset = |name| env::var_os(name).is_none();
    if unset("XDG_RUNTIME_DIR") && unset("MESA_VK_DEVICE_SELECT") {
        // SAFETY: no other thread runs yet.
        unsafe { env::set_var("NODEVICE_SELECT", "1") };
    }
}
