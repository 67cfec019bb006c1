//! Signals that end `train`: SIGINT (Ctrl-C), SIGTERM and SIGHUP (the terminal is gone). While data
//! are read they end the process at once. Then the first asks training to save a checkpoint and
//! stop, and a second SIGINT or SIGTERM ends the process.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// What the signals so far have asked for.
pub struct Signals {
    at_once: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    /// Raised by SIGINT and SIGTERM alone. A closing terminal may send several SIGHUPs, and SIGTERM
    /// as well, none of which must cost the checkpoint.
    urged: Arc<AtomicBool>,
    last: Arc<AtomicUsize>,
}

impl Signals {
    /// From now on, a signal ends the process at once, with the status of that signal. Files are
    /// written whole or not at all, so none is torn.
    pub fn listen() -> io::Result<Self> {
        let signals = Signals {
            at_once: Arc::new(AtomicBool::new(true)),
            stop: Arc::default(),
            urged: Arc::default(),
            last: Arc::default(),
        };
        let hangup = hangup();
        for signal in [SIGINT, SIGTERM].into_iter().chain(hangup) {
            let status = i32::from(status_of(signal));
            flag::register_conditional_shutdown(signal, status, signals.at_once.clone())?;
            if Some(signal) != hangup {
                // The order matters: the first signal must find the flag down.
                flag::register_conditional_shutdown(signal, status, signals.urged.clone())?;
                flag::register(signal, signals.urged.clone())?;
            }
            flag::register_usize(signal, signals.last.clone(), signal as usize)?;
            flag::register(signal, signals.stop.clone())?;
        }
        Ok(signals)
    }

    /// From now on, the first signal only raises [`Signals::flag`].
    pub fn save_first(&self) {
        self.at_once.store(false, Ordering::SeqCst);
    }

    /// The flag that asks training to stop.
    pub fn flag(&self) -> &AtomicBool {
        &self.stop
    }

    /// The exit status for the signal that came, if one did.
    pub fn status(&self) -> Option<u8> {
        match self.last.load(Ordering::SeqCst) {
            0 => None,
            signal => Some(status_of(signal as i32)),
        }
    }
}

/// The status that shells report for a process that a signal ended.
fn status_of(signal: i32) -> u8 {
    128 + signal as u8
}

/// SIGHUP, unless the program is to survive its terminal: `nohup` has it ignored.
#[cfg(unix)]
fn hangup() -> Option<i32> {
    use signal_hook::consts::SIGHUP;

    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action, `sigaction` only writes the current one to its last argument,
    // which is valid for that and, of integers and pointers, initialized by zeros.
    #[expect(
        unsafe_code,
        reason = "no safe function tells what becomes of a signal"
    )]
    let (known, action) = unsafe {
        let known = libc::sigaction(SIGHUP, std::ptr::null(), action.as_mut_ptr()) == 0;
        (known, action.assume_init())
    };
    (!known || action.sa_sigaction != libc::SIG_IGN).then_some(SIGHUP)
}

#[cfg(not(unix))]
fn hangup() -> Option<i32> {
    None
}
