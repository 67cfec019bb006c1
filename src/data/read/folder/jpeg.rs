//! JPEGs whose colours the decoder gets wrong.

use std::io::{self, ErrorKind, Read, Seek};

/// What to do with a JPEG of that kind.
pub const PLAIN_CMYK: &str = "it is CMYK without Adobe's marker, which is not read: convert it to RGB, as \
                              `magick mogrify -colorspace sRGB` does";

/// True if a JPEG has four components and no marker of Adobe's. Its inks are not inverted, but the decoder
/// takes all inks for inverted ones and would give a negative.
pub fn is_plain_cmyk(file: impl Read + Seek) -> io::Result<bool> {
    match scan(file) {
        // The decoder says what is wrong with it.
        Err(e) if e.kind() == ErrorKind::UnexpectedEof => Ok(false),
        outcome => outcome,
    }
}

/// Reads the segments before the first scan.
fn scan(mut file: impl Read + Seek) -> io::Result<bool> {
    let mut is_cmyk = false;
    // The mark of the start has no length.
    file.seek_relative(2)?;
    loop {
        let [mark, kind, high, low] = take(&mut file)?;
        if mark != 0xff {
            return Ok(false);
        }
        let mut rest = u16::from_be_bytes([high, low]).saturating_sub(2);
        match kind {
            0xee if rest >= 5 => {
                if take(&mut file)? == *b"Adobe" {
                    return Ok(false);
                }
                rest -= 5;
            }
            // Starts of a frame; the others are tables.
            0xc0..=0xcf if ![0xc4, 0xc8, 0xcc].contains(&kind) && rest >= 6 => {
                let [.., components]: [u8; 6] = take(&mut file)?;
                is_cmyk = components == 4;
                rest -= 6;
            }
            0xda => return Ok(is_cmyk),
            _ => {}
        }
        file.seek_relative(rest.into())?;
    }
}

fn take<const N: usize>(file: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}
