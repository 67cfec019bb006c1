//! `cvae-gpu`: parse, dispatch, exit code; nothing else.

// Not `forbid`: see `silence_device_select` and cli/signals.rs.
#![deny(unsafe_code)]
// Text goes out through `cli::terminal`.
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod cli;

use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    silence_device_select();
    cli::run()
}

/// Mesa's Vulkan layer that prefers the GPU of the display prints an error of its own where there is
/// no display session. This program chooses by itself, so the layer is left out there.
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
