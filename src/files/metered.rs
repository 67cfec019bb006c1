//! A reader with a budget of bytes, which bounds what a parser may take for one item.

use std::cell::Cell;
use std::io::{self, Read, Seek, SeekFrom};
use std::rc::Rc;

/// The bytes that may still be read.
#[derive(Debug, Clone, Default)]
pub struct Budget(Rc<Cell<u64>>);

impl Budget {
    /// Allows so many bytes from here on.
    pub fn set(&self, bytes: u64) {
        self.0.set(bytes);
    }

    /// The bytes that may still be read.
    pub fn left(&self) -> u64 {
        self.0.get()
    }
}

/// Reads within a budget; what is beyond is an error.
#[derive(Debug)]
pub struct Metered<R> {
    inner: R,
    budget: Budget,
}

impl<R> Metered<R> {
    /// Reads `inner` within the budget, of which the caller keeps a clone.
    pub fn new(inner: R, budget: &Budget) -> Metered<R> {
        let budget = budget.clone();
        Metered { inner, budget }
    }
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.budget.left();
        if left == 0 {
            return Err(io::Error::other("it is too long"));
        }
        let most = usize::try_from(left).unwrap_or(usize::MAX);
        let length = buffer.len().min(most);
        let read = self.inner.read(&mut buffer[..length])?;
        self.budget.set(left - read as u64);
        Ok(read)
    }
}

impl<R: Seek> Seek for Metered<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}
