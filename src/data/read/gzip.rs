//! Reading files that may be gzip; the content decides, not the name.

use std::cmp::Ordering;
#[cfg(feature = "cli")]
use std::io::BufReader;
use std::io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
use std::io::{BufRead, Cursor, Read};
#[cfg(feature = "cli")]
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use crate::data::error::unreadable;
use crate::data::set::{Bytes, Collector};
#[cfg(feature = "cli")]
use crate::files::regular;

/// The two bytes that every gzip file begins with.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Whether a file that begins with these bytes is gzip.
pub fn begins(start: &[u8]) -> bool {
    start.starts_with(&GZIP_MAGIC)
}

/// A file or buffer that is read, and decompressed where it is gzip. Errors do not name the file.
pub struct Content<'a> {
    pub is_gzip: bool,
    pub reader: Box<dyn Read + 'a>,
}

impl<'a> Content<'a> {
    /// Opens the file at `path`.
    #[cfg(feature = "cli")]
    pub fn open(path: &Path) -> Result<Content<'a>, String> {
        Content::new(BufReader::new(regular::open(path).map_err(unreadable)?))
    }

    pub fn new(mut reader: impl BufRead + 'a) -> Result<Content<'a>, String> {
        let mut start = Vec::new();
        let sniffed = (&mut reader).take(2).read_to_end(&mut start);
        sniffed.map_err(unreadable)?;
        let is_gzip = begins(&start);
        let whole = Cursor::new(start).chain(reader);
        // Reading gzip to the end verifies the checksum of each member and that only gzip follows.
        let reader: Box<dyn Read + 'a> = match is_gzip {
            true => Box::new(MultiGzDecoder::new(whole)),
            false => Box::new(whole),
        };
        Ok(Content { is_gzip, reader })
    }

    /// Reads `limit` bytes, or fewer where the file ends.
    ///
    /// The buffer grows with the bytes read, so a large `limit` from a header takes no memory.
    pub fn read_up_to(&mut self, limit: u64) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        let read = (&mut self.reader).take(limit).read_to_end(&mut bytes);
        let damaged = [InvalidInput, InvalidData, UnexpectedEof];
        match read {
            Ok(_) => Ok(bytes),
            Err(e) if self.is_gzip && damaged.contains(&e.kind()) => Err(format!(
                "the gzip data is damaged or incomplete ({e}); download or copy it again"
            )),
            Err(e) => Err(unreadable(e)),
        }
    }

    /// Reads the last `length` bytes of the file, into a file if they are many; fewer or more bytes are
    /// an error.
    ///
    /// `header` bytes were read before; `announced` describes the content that the header promises.
    /// At most `length + 1` bytes are decompressed, which bounds a gzip bomb.
    pub fn read_rest(
        &mut self,
        header: usize,
        length: u128,
        announced: &str,
    ) -> Result<Bytes, String> {
        const PIECE: u64 = 1 << 20;
        let limit = u64::try_from(length).unwrap_or(u64::MAX).saturating_add(1);
        let (mut read, mut bytes) = (0, Collector::default());
        while read < limit {
            let piece = self.read_up_to(PIECE.min(limit - read))?;
            if piece.is_empty() {
                break;
            }
            read += piece.len() as u64;
            bytes.push(&piece).map_err(|e| e.to_string())?;
        }
        let problem = match u128::from(read).cmp(&length) {
            Ordering::Equal => return bytes.finish().map_err(|e| e.to_string()),
            Ordering::Less => format!(
                "the file holds {}; it is truncated: copy it again",
                header as u64 + read
            ),
            Ordering::Greater => {
                "more bytes follow; the file is damaged or mixed with another: copy it again".into()
            }
        };
        let wanted = length.saturating_add(header as u128);
        Err(format!(
            "the header announces {announced} ({wanted} bytes) but {problem}"
        ))
    }
}

/// Says that a file of `held` bytes ends within its header.
pub fn short_header(held: usize, needed: usize) -> String {
    format!(
        "the file holds {held} bytes, too few for the {needed} bytes of its header; it is \
         truncated: copy it again"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endless_file_is_read_to_one_byte_past_what_was_announced() {
        let endless = std::io::BufReader::new(std::io::repeat(0));
        let mut content = Content::new(endless).unwrap();
        let error = content.read_rest(16, 10, "10 bytes").err().unwrap();
        assert!(
            error.contains("10 bytes (26 bytes) but more bytes follow"),
            "{error}"
        );
    }
}
