//! The bytes of images one after another, in memory or in a file.

use std::sync::Arc;

use crate::data::DataError;
#[cfg(feature = "cli")]
use crate::files::extent::Extent;

/// Bytes that are read by position. A clone shares them.
#[derive(Clone)]
pub(crate) enum Bytes {
    Memory(Arc<Vec<u8>>),
    #[cfg(feature = "cli")]
    File(Extent),
}

impl Bytes {
    pub fn length(&self) -> u64 {
        match self {
            Bytes::Memory(bytes) => bytes.len() as u64,
            #[cfg(feature = "cli")]
            Bytes::File(extent) => extent.length(),
        }
    }

    /// A range, which must be in range.
    pub fn part(&self, start: u64, length: u64) -> Bytes {
        match self {
            Bytes::Memory(bytes) => bytes[start as usize..][..length as usize].to_vec().into(),
            #[cfg(feature = "cli")]
            Bytes::File(extent) => Bytes::File(extent.part(start, length)),
        }
    }

    /// All bytes, in memory.
    pub fn to_vec(&self) -> Result<Vec<u8>, DataError> {
        let mut all = vec![0; self.length() as usize];
        self.read_at(0, &mut all).map(|()| all)
    }

    /// Fills `into` from this position, which must be in range.
    pub fn read_at(&self, position: u64, into: &mut [u8]) -> Result<(), DataError> {
        match self {
            Bytes::Memory(bytes) => {
                into.copy_from_slice(&bytes[position as usize..][..into.len()]);
                Ok(())
            }
            #[cfg(feature = "cli")]
            Bytes::File(extent) => {
                let read = extent.read_at(position, into);
                read.map_err(DataError::io(extent.path()))
            }
        }
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::Memory(Arc::new(bytes))
    }
}
