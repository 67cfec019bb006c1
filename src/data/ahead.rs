//! Work that goes on beside the caller's.

#[cfg(feature = "cli")]
use std::thread::{self, JoinHandle};

/// A computation on a thread of its own; without the feature `cli` it runs when its result is taken.
pub struct Ahead<T> {
    #[cfg(feature = "cli")]
    thread: JoinHandle<T>,
    #[cfg(not(feature = "cli"))]
    work: Box<dyn FnOnce() -> T + Send>,
}

#[cfg(feature = "cli")]
impl<T: Send + 'static> Ahead<T> {
    /// Starts a computation; `None` where the system has no thread left.
    pub fn start(work: impl FnOnce() -> T + Send + 'static) -> Option<Self> {
        let thread = thread::Builder::new().name("read ahead".into());
        let thread = thread.spawn(work).ok()?;
        Some(Ahead { thread })
    }

    /// Waits for the result; `None` if the computation panicked.
    pub fn result(self) -> Option<T> {
        self.thread.join().ok()
    }
}

#[cfg(not(feature = "cli"))]
impl<T: Send + 'static> Ahead<T> {
    /// Keeps a computation for later.
    pub fn start(work: impl FnOnce() -> T + Send + 'static) -> Option<Self> {
        let work = Box::new(work);
        Some(Ahead { work })
    }

    /// Computes the result.
    pub fn result(self) -> Option<T> {
        Some((self.work)())
    }
}
