//! A single IDX file.

use crate::data::read::gzip::{Content, short_header};
use crate::data::set::Bytes;

/// What an IDX file holds: unsigned bytes along this many axes.
#[derive(Clone, Copy)]
pub struct Kind {
    pub name: &'static str,
    pub axes: u32,
}

pub const IMAGES: Kind = Kind {
    name: "image",
    axes: 3,
};
pub const LABELS: Kind = Kind {
    name: "label",
    axes: 1,
};

impl Kind {
    /// The lengths along three axes, 1 where a file has fewer, and the bytes.
    pub fn parse(self, mut content: Content<'_>) -> Result<([usize; 3], Bytes), String> {
        let Kind { name, axes } = self;
        let needed = 4 + 4 * axes as usize;
        let header = content.read_up_to(needed as u64)?;
        let words = header.as_chunks().0.iter();
        let words: Vec<u32> = words.map(|word| u32::from_be_bytes(*word)).collect();
        // A file of the wrong kind is reported as such even where it is truncated.
        let magic = 0x0800 + axes;
        if let Some(found) = words.first().filter(|found| **found != magic) {
            return Err(format!(
                "the file begins with 0x{found:08x}, but {name} files begin with 0x{magic:08x} \
                 (0x00000803 means images: unsigned bytes in 3 dimensions; 0x00000801 means \
                 labels: unsigned bytes in 1 dimension); check that this is the right IDX file \
                 and that images and labels are not swapped"
            ));
        }
        if header.len() < needed {
            return Err(short_header(header.len(), needed));
        }
        let lengths @ [count, rows, columns] = match words[..] {
            [_, count, rows, columns] => [count, rows, columns],
            _ => [words[1], 1, 1],
        };
        let announced = match axes {
            3 => format!("{count} images of {rows}x{columns}"),
            _ => format!("{count} labels"),
        };
        // Three 32-bit factors always fit.
        let total = lengths.map(u128::from).iter().product();
        if axes == 3 && total == 0 {
            return Err(format!(
                "the header announces {announced}: there are no pixels to train or test on; use \
                 another file"
            ));
        }
        let body = content.read_rest(needed, total, &announced)?;
        Ok((lengths.map(|n| n as usize), body))
    }
}
