//! Reading files that may be gzip; the content decides, not the name.

use std::io::{self, BufRead, Cursor, ErrorKind, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use crate::data::DataError;
#[cfg(feature = "cli")]
use crate::files::regular;

/// The two bytes that every gzip file begins with.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// A file or buffer that is read, and decompressed where it is gzip.
pub struct Source<'a> {
    pub path: PathBuf,
    pub is_gzip: bool,
    reader: Box<dyn Read + 'a>,
}

impl<'a> Source<'a> {
    /// Opens the file at `path`.
    #[cfg(feature = "cli")]
    pub fn open(path: &Path) -> Result<Source<'a>, DataError> {
        let file = regular::open(path).map_err(DataError::io(path))?;
        Source::new(path, io::BufReader::new(file))
    }

    /// Reads from `reader`; errors name it `path`.
    pub fn new(path: &Path, mut reader: impl BufRead + 'a) -> Result<Source<'a>, DataError> {
        let mut start = Vec::new();
        let sniffed = (&mut reader).take(2).read_to_end(&mut start);
        sniffed.map_err(DataError::io(path))?;
        let is_gzip = start == GZIP_MAGIC;
        let whole = Cursor::new(start).chain(reader);
        Ok(Source {
            path: path.into(),
            is_gzip,
            // Reading to the end verifies the checksum of each member and that only gzip follows.
            reader: if is_gzip {
                Box::new(MultiGzDecoder::new(whole))
            } else {
                Box::new(whole)
            },
        })
    }

    /// Reads `limit` bytes, or fewer where the file ends.
    ///
    /// The buffer grows with the bytes read, so a large `limit` from a header takes no memory.
    pub fn read_up_to(&mut self, limit: u64) -> Result<Vec<u8>, DataError> {
        let mut bytes = Vec::new();
        match (&mut self.reader).take(limit).read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(reason) => Err(self.error(reason)),
        }
    }

    /// Reads the last `length` bytes of the file; fewer or more bytes are an error.
    ///
    /// `header` bytes were read before; `announced` describes the content that the header promises.
    /// At most `length + 1` bytes are decompressed, which bounds a gzip bomb.
    pub fn read_rest(
        &mut self,
        header: usize,
        length: u128,
        announced: &str,
    ) -> Result<Vec<u8>, DataError> {
        let limit = u64::try_from(length).unwrap_or(u64::MAX).saturating_add(1);
        let bytes = self.read_up_to(limit)?;
        let wanted = length.saturating_add(header as u128);
        match (bytes.len() as u128).cmp(&length) {
            std::cmp::Ordering::Equal => Ok(bytes),
            std::cmp::Ordering::Less => Err(DataError::Truncated {
                path: self.path.clone(),
                announced: announced.into(),
                wanted,
                held: header + bytes.len(),
            }),
            std::cmp::Ordering::Greater => Err(DataError::Oversized {
                path: self.path.clone(),
                announced: announced.into(),
                wanted,
            }),
        }
    }

    /// Separates damaged gzip data from errors of reading the file.
    fn error(&self, reason: io::Error) -> DataError {
        let path = self.path.clone();
        match reason.kind() {
            ErrorKind::InvalidInput | ErrorKind::InvalidData | ErrorKind::UnexpectedEof
                if self.is_gzip =>
            {
                DataError::CorruptGzip { path, reason }
            }
            _ => DataError::Io { path, reason },
        }
    }
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use std::io::Write;

    /// `bytes` as a gzip file.
    pub fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn read_rest(bytes: &[u8], length: u128) -> Result<Vec<u8>, DataError> {
        Source::new(Path::new("f"), bytes)?.read_rest(0, length, "something")
    }

    #[test]
    fn gzip_is_told_by_content() {
        for (bytes, is_gzip) in [
            (gzip(b"hello"), true),
            (b"hello".to_vec(), false),
            (vec![], false),
            (vec![0x1f], false),
        ] {
            let mut source = Source::new(Path::new("f"), bytes.as_slice()).unwrap();
            assert_eq!(source.is_gzip, is_gzip);
            let content = source.read_up_to(100).unwrap();
            let expected: &[u8] = if is_gzip { b"hello" } else { &bytes };
            assert_eq!(content, expected);
        }
    }

    #[test]
    fn an_endless_file_is_read_to_one_byte_past_what_was_announced() {
        let endless = io::BufReader::new(io::repeat(0));
        let mut source = Source::new(Path::new("endless"), endless).unwrap();
        let error = source.read_rest(16, 10, "10 bytes").unwrap_err();
        assert!(matches!(error, DataError::Oversized { wanted: 26, .. }));
    }

    #[test]
    fn an_announced_length_beyond_any_memory_is_only_a_truncated_file() {
        for length in [1 << 50, u128::from(u64::MAX), u128::MAX] {
            let error = read_rest(b"little", length).unwrap_err();
            assert!(matches!(error, DataError::Truncated { held: 6, .. }));
        }
    }

    #[test]
    fn gzip_files_joined_into_one_are_read_as_one() {
        let joined = [gzip(b"one"), gzip(b"two")].concat();
        assert_eq!(read_rest(&joined, 6).unwrap(), b"onetwo");
    }

    #[test]
    fn damaged_cut_and_followed_gzip_data_is_called_corrupt() {
        let good = gzip(b"some bytes that are long enough to damage");
        let cut = good[..good.len() - 5].to_vec();
        let mut checksum = good.clone();
        let at = checksum.len() - 6;
        checksum[at] ^= 1;
        let mut body = good.clone();
        body[10] = 0xff;
        let followed = [good.as_slice(), b"junk"].concat();
        for bytes in [cut, checksum, body, followed, good[..2].to_vec()] {
            let error = read_rest(&bytes, 41).unwrap_err();
            assert!(matches!(error, DataError::CorruptGzip { .. }), "{error}");
        }
    }
}
