//! The replacement of a thread where there are none.

/// A computation that runs when its result is taken.
pub struct Ahead<T>(Box<dyn FnOnce() -> T + Send>);

impl<T: Send + 'static> Ahead<T> {
    /// Keeps a computation for later.
    pub fn start(work: impl FnOnce() -> T + Send + 'static) -> Option<Self> {
        Some(Ahead(Box::new(work)))
    }

    /// Computes the result.
    pub fn result(self) -> Option<T> {
        Some((self.0)())
    }
}
