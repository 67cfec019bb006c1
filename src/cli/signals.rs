//! Signals that end `train`: SIGINT (Ctrl-C), SIGTERM and SIGHUP (the terminal was closed). While data
//! are read, a signal ends the process at once. Later the first signal stops training with a
//! checkpoint, and a second SIGINT or SIGTERM ends the process.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// The effect of the signals so far.
pub struct Signals {
    at_once: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    /// Raised by SIGINT and SIGTERM only: a closing terminal may send several SIGHUPs, which must not
    /// cost the checkpoint.
    urged: Arc<AtomicBool>,
    last: Arc<AtomicUsize>,
}

impl Signals {
    /// From now on a signal ends the process at once, with the status of the signal. Writes are atomic,
    /// so no file is torn.
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
                // In this order, so that the first signal finds the flag unset.
                flag::register_conditional_shutdown(signal, status, signals.urged.clone())?;
                flag::register(signal, signals.urged.clone())?;
            }
            flag::register_usize(signal, signals.last.clone(), signal as usize)?;
            flag::register(signal, signals.stop.clone())?;
        }
        Ok(signals)
    }

    /// From now on the first signal only sets [`Signals::flag`].
    pub fn save_first(&self) {
        self.at_once.store(false, Ordering::SeqCst);
    }

    /// The flag that stops training.
    pub fn flag(&self) -> &AtomicBool {
        &self.stop
    }

    /// The exit status of the received signal, if there was one.
    pub fn status(&self) -> Option<u8> {
        match self.last.load(Ordering::SeqCst) {
            0 => None,
            signal => Some(status_of(signal as i32)),
        }
    }
}

/// The status that shells report for a process ended by a signal.
fn status_of(signal: i32) -> u8 {
    128 + signal as u8
}

/// SIGHUP, unless it is ignored, as under `nohup`.
#[cfg(unix)]
fn hangup() -> Option<i32> {
    use signal_hook::consts::SIGHUP;

    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action, `sigaction` only writes the current one to its last argument,
    // which is valid for that and, of integers and pointers, initialized by zeros.
    #[expect(unsafe_code, reason = "no safe function reads the action of a signal")]
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
