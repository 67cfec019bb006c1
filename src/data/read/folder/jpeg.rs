//! Faults of JPEG files that the decoder hides, or describes by their consequences.

use std::io::{self, BufRead, ErrorKind, Seek};

/// What to do with a JPEG of four inks that does not say how they are meant.
const PLAIN_CMYK: &str = "it is CMYK without Adobe's marker, which is not read: convert it to RGB, as \
                          `magick mogrify -colorspace sRGB` does";

/// Why the file is not taken, if it has one of these faults.
pub fn fault(mut file: impl BufRead + Seek) -> io::Result<Option<String>> {
    match find(&mut file) {
        // The decoder says what a header lacks. A position past the end is invalid.
        Err(e) if matches!(e.kind(), ErrorKind::UnexpectedEof | ErrorKind::InvalidInput) => {
            Ok(None)
        }
        fault => fault,
    }
}

fn find(file: &mut (impl BufRead + Seek)) -> io::Result<Option<String>> {
    let not_read = |form: &str| {
        let reason =
            format!("a {form} is not read: convert it, as `magick mogrify -format png` does");
        Ok(Some(reason))
    };
    let (mut is_cmyk, mut is_adobe) = (false, false);
    loop {
        let marker = marker(file)?;
        match marker {
            // Markers without a segment.
            0x00 | 0x01 | 0xd0..=0xd8 => continue,
            0xd9 => return Ok(None),
            0xc3 => return not_read("lossless JPEG"),
            0xc5..=0xc7 => return not_read("hierarchical JPEG"),
            0xc9..=0xcb | 0xcd..=0xcf => return not_read("JPEG with arithmetic coding"),
            _ => {}
        }
        let mut rest = i64::from(u16::from_be_bytes(bytes(file)?)) - 2;
        match marker {
            0xc0..=0xc2 => {
                let [bits, .., components]: [u8; 6] = bytes(file)?;
                if bits != 8 {
                    return not_read(&format!("JPEG of {bits} bits"));
                }
                is_cmyk = components == 4;
                rest -= 6;
            }
            0xee if rest >= 5 => {
                is_adobe |= bytes(file)? == *b"Adobe";
                rest -= 5;
            }
            _ => {}
        }
        // A length that is too small leads back, at most to the length itself.
        file.seek_relative(rest)?;
        if marker == 0xda {
            break;
        }
    }
    // The decoder takes all inks for inverted ones, as Adobe's are, and would give a negative.
    if is_cmyk && !is_adobe {
        return Ok(Some(PLAIN_CMYK.into()));
    }
    // The decoder fills what is missing with grey.
    let ends_early = "the file ends before its image does: copy or make it again";
    Ok((!has_end(file)?).then(|| ends_early.into()))
}

fn bytes<const N: usize>(file: &mut impl BufRead) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// The next marker; what comes before it is skipped.
fn marker(file: &mut impl BufRead) -> io::Result<u8> {
    while bytes(file)? != [0xff] {}
    loop {
        let [marker] = bytes(file)?;
        if marker != 0xff {
            return Ok(marker);
        }
    }
}

/// True if the marker of the end follows. Data of the image never contain it.
fn has_end(file: &mut impl BufRead) -> io::Result<bool> {
    let mut before = 0;
    loop {
        let some = file.fill_buf()?;
        if some.is_empty() {
            return Ok(false);
        }
        for byte in some {
            if [before, *byte] == [0xff, 0xd9] {
                return Ok(true);
            }
            before = *byte;
        }
        let length = some.len();
        file.consume(length);
    }
}
