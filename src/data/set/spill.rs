//! Collects the bytes of images in memory, or beyond a bound in a file.

use std::io;
use std::path::Path;

use super::bytes::Bytes;
use crate::data::DataError;
use crate::files::extent::Scratch;

/// The bytes so far.
pub(crate) struct Collector {
    memory: Vec<u8>,
    most: usize,
    file: Option<Scratch>,
}

impl Default for Collector {
    fn default() -> Self {
        Collector::keeping(Collector::MOST)
    }
}

impl Collector {
    /// Most bytes that are kept in memory.
    pub const MOST: usize = 256 << 20;

    /// At most so many bytes in memory.
    fn keeping(most: usize) -> Self {
        Collector {
            memory: Vec::new(),
            most,
            file: None,
        }
    }

    /// Adds bytes at the end.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), DataError> {
        if self.file.is_none() && self.memory.len() + bytes.len() <= self.most {
            self.memory.extend_from_slice(bytes);
            return Ok(());
        }
        if self.file.is_none() {
            let mut file = Scratch::new().map_err(|e| no_room(&std::env::temp_dir(), e))?;
            let moved = std::mem::take(&mut self.memory);
            file.push(&moved).map_err(|e| no_room(file.folder(), e))?;
            self.file = Some(file);
        }
        match &mut self.file {
            Some(file) => file.push(bytes).map_err(|e| no_room(file.folder(), e)),
            None => Ok(()),
        }
    }

    /// All bytes.
    pub fn finish(self) -> Result<Bytes, DataError> {
        match self.file {
            Some(file) => {
                let folder = file.folder().to_owned();
                let extent = file.finish().map_err(|e| no_room(&folder, e))?;
                Ok(Bytes::File(extent))
            }
            None => Ok(self.memory.into()),
        }
    }
}

fn no_room(folder: &Path, reason: io::Error) -> DataError {
    DataError::at(folder)(format!(
        "the images do not fit into memory and cannot be kept here: {reason}; make room, or set \
         CVAE_GPU_CACHE to a folder with room"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_beyond_the_bound_lie_in_a_file() {
        for (most, in_file) in [(0, true), (4, true), (9, true), (10, false), (99, false)] {
            let mut collector = Collector::keeping(most);
            for part in [&b"abc"[..], b"defg", b"", b"hij"] {
                collector.push(part).unwrap();
            }
            let bytes = collector.finish().unwrap();
            assert_eq!(matches!(bytes, Bytes::File(_)), in_file, "{most}");
            assert_eq!(bytes.length(), 10);
            let mut some = [0; 5];
            bytes.read_at(2, &mut some).unwrap();
            assert_eq!(&some, b"cdefg");
        }
    }

    #[test]
    fn a_file_that_ends_early_is_an_error() {
        let mut file = Scratch::new().unwrap();
        file.push(b"abc").unwrap();
        let bytes = Bytes::File(file.finish().unwrap());
        let error = bytes.read_at(2, &mut [0; 2]).unwrap_err().to_string();
        assert!(error.contains("cannot be read"), "{error}");
    }
}
