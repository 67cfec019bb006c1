//! Work that goes on beside the caller's.

use std::thread::{self, JoinHandle};

/// A computation on a thread of its own.
pub struct Ahead<T>(JoinHandle<T>);

impl<T: Send + 'static> Ahead<T> {
    /// Starts a computation; `None` where the system has no thread left.
    pub fn start(work: impl FnOnce() -> T + Send + 'static) -> Option<Self> {
        let thread = thread::Builder::new().name("read ahead".into());
        Some(Ahead(thread.spawn(work).ok()?))
    }

    /// Waits for the result; `None` if the computation panicked.
    pub fn result(self) -> Option<T> {
        self.0.join().ok()
    }
}
