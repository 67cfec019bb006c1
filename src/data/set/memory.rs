//! Collects the bytes of images where there are no files.

use super::bytes::Bytes;
use crate::data::DataError;

/// The bytes so far.
#[derive(Default)]
pub(crate) struct Collector(Vec<u8>);

impl Collector {
    /// Adds bytes at the end.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), DataError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    /// All bytes.
    pub fn finish(self) -> Result<Bytes, DataError> {
        Ok(self.0.into())
    }
}
