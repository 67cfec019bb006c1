//! Ctrl-C and SIGTERM: the first asks training to stop, the second stops the process.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// Exit status of an interrupted program.
pub const INTERRUPTED: u8 = 130;

/// A flag that the first signal raises. With the flag up, the next one ends the process there
/// and then: files are written whole or not at all, so none is torn.
pub fn stop_flag() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // The order matters: the first signal must find the flag down.
        flag::register_conditional_shutdown(signal, i32::from(INTERRUPTED), stop.clone())?;
        flag::register(signal, stop.clone())?;
    }
    Ok(stop)
}
