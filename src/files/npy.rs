//! NumPy's `.npy` files: one array of numbers with a shape.
//!
//! Written: version 1.0, little-endian `float32`, C order. Read: versions 1 to 3, C and Fortran order,
//! integers, floats and booleans of any width and byte order. Files are untrusted: no length in a header
//! is trusted before the bytes are there, and any defect is an error.

use std::io::{self, Read};
use std::path::PathBuf;

use super::tensors::Tensor;
#[cfg(feature = "cli")]
use super::{atomic, regular};

/// The first bytes of every file.
pub(crate) const MAGIC: &[u8] = b"\x93NUMPY";

/// Why an array could not be read or written. Messages are complete, so no error has a source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NpyError {
    /// The file cannot be read.
    #[error("cannot read {0}: {1}; check the path and its permissions")]
    Io(PathBuf, io::Error),
    /// The file cannot be written.
    #[error("cannot write {0}: {1}; check the path, its permissions and the free space")]
    Unwritable(PathBuf, io::Error),
    /// The content of the file is invalid.
    #[error("cannot use {0}: {1}")]
    Content(PathBuf, String),
}

/// The bytes of a file with `values`, which fill `shape`, as `float32`.
#[must_use]
pub fn to_bytes(shape: &[usize], values: &[f32]) -> Vec<u8> {
    let mut axes: Vec<String> = shape.iter().map(usize::to_string).collect();
    // A Python tuple of one element has a comma.
    if axes.len() == 1 {
        axes.push(String::new());
    }
    let tuple = axes.join(", ");
    let mut header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({tuple}), }}").into_bytes();
    // The data start at a multiple of 64 bytes, after a line break.
    let before = MAGIC.len() + 4;
    let padded = (before + header.len() + 1).next_multiple_of(64) - before;
    header.resize(padded - 1, b' ');
    header.push(b'\n');
    let mut bytes = [MAGIC, &[1, 0]].concat();
    // The header is far shorter than its limit of 65535 bytes.
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header);
    bytes.extend(values.iter().flat_map(|v| v.to_le_bytes()));
    bytes
}

/// Writes a file with the bytes of [`to_bytes`], whole or not at all.
///
/// # Errors
///
/// [`NpyError::Unwritable`].
#[cfg(feature = "cli")]
pub fn write(
    path: impl AsRef<std::path::Path>,
    shape: &[usize],
    values: &[f32],
) -> Result<(), NpyError> {
    let path = path.as_ref();
    let bytes = to_bytes(shape, values);
    atomic::write(path, &bytes).map_err(|e| NpyError::Unwritable(path.into(), e))
}

/// Reads a file like [`from_bytes`].
///
/// # Errors
///
/// [`NpyError::Io`], and [`NpyError::Content`] for wrong bytes.
#[cfg(feature = "cli")]
pub fn read(path: impl AsRef<std::path::Path>) -> Result<Tensor, NpyError> {
    let path = path.as_ref();
    let bytes = regular::read(path).map_err(|e| NpyError::Io(path.into(), e))?;
    from_bytes(&bytes).map_err(|reason| NpyError::Content(path.into(), reason))
}

/// The array in the bytes of a file; numbers of other types are rounded to `float32`.
///
/// # Errors
///
/// What is wrong with the bytes. No bytes make this function panic.
pub fn from_bytes(bytes: &[u8]) -> Result<Tensor, String> {
    let mut rest = bytes;
    let header = Header::read(&mut rest, bytes.len() as u64)?;
    // Of an array without numbers, the lengths may have any product.
    let strides: Vec<usize> = (1..=header.shape.len())
        .map(|after| {
            header.shape[after..]
                .iter()
                .fold(1, |n: usize, m| n.wrapping_mul(*m))
        })
        .collect();
    let mut values = vec![0.0; header.shape.iter().product()];
    let places = Places::new(&header, &strides);
    for (number, place) in header.dtype.numbers(rest).zip(places) {
        values[place] = number as f32;
    }
    Ok(Tensor::f32(header.shape, values))
}

/// The type of the numbers of an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dtype {
    kind: Kind,
    /// Bytes of a number.
    width: usize,
    big_endian: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bool,
    Unsigned,
    Signed,
    Float,
}

impl Dtype {
    /// The type of NumPy's name, such as `|u1` or `<f4`.
    fn of(name: &str) -> Result<Dtype, String> {
        let parts = match name.as_bytes() {
            [order, kind, width @ b'1'..=b'8'] => Some((*order, *kind, usize::from(width - b'0'))),
            _ => None,
        };
        let known = parts.and_then(|(order, kind, width)| {
            let kind = match (kind, width) {
                (b'b', 1) => Kind::Bool,
                (b'u', 1 | 2 | 4 | 8) => Kind::Unsigned,
                (b'i', 1 | 2 | 4 | 8) => Kind::Signed,
                (b'f', 2 | 4 | 8) => Kind::Float,
                _ => return None,
            };
            let big_endian = match order {
                b'>' => true,
                b'<' | b'|' => false,
                _ => return None,
            };
            Some(Dtype {
                kind,
                width,
                big_endian,
            })
        });
        known.ok_or_else(|| {
            format!("the array has the dtype `{name}`: convert it with `.astype(\"float32\")`")
        })
    }

    /// Whether the numbers are unsigned bytes.
    #[must_use]
    pub fn is_byte(self) -> bool {
        self.kind == Kind::Unsigned && self.width == 1
    }

    /// Whether the numbers are floats of four bytes, the least significant first.
    #[must_use]
    pub fn is_little_f32(self) -> bool {
        self.kind == Kind::Float && self.width == 4 && !self.big_endian
    }

    /// Whether the numbers are true or false.
    #[must_use]
    pub fn is_bool(self) -> bool {
        self.kind == Kind::Bool
    }

    /// The numbers in these bytes; true is 1.
    pub fn numbers(self, bytes: &[u8]) -> impl Iterator<Item = f64> {
        let Dtype { kind, width, .. } = self;
        bytes.chunks_exact(width).map(move |number| {
            let mut little = [0; 8];
            little[..width].copy_from_slice(number);
            if self.big_endian {
                little[..width].reverse();
            }
            let whole = u64::from_le_bytes(little);
            let unused = 64 - 8 * width as u32;
            match (kind, width) {
                (Kind::Float, 2) => half::f16::from_bits(whole as u16).to_f64(),
                (Kind::Float, 4) => f64::from(f32::from_bits(whole as u32)),
                (Kind::Float, _) => f64::from_bits(whole),
                (Kind::Signed, _) => ((whole << unused) as i64 >> unused) as f64,
                (Kind::Unsigned, _) => whole as f64,
                (Kind::Bool, _) => f64::from(u8::from(whole != 0)),
            }
        })
    }
}

/// Longest header; that of an array has some hundred bytes.
const MOST_HEADER: usize = 1 << 20;

/// What a file says of its array before the numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The type of the numbers.
    pub dtype: Dtype,
    /// Numbers along each axis.
    pub shape: Vec<usize>,
    /// The first axis varies fastest, else the last.
    pub fortran_order: bool,
    /// Bytes before the numbers.
    pub start: u64,
}

impl Header {
    /// Reads the beginning of a file of `length` bytes, up to the numbers.
    ///
    /// # Errors
    ///
    /// What is wrong with it. No bytes make this function panic.
    pub fn read(mut file: &mut dyn Read, length: u64) -> Result<Header, String> {
        let mut read = |count: usize| -> Result<Vec<u8>, String> {
            let mut bytes = Vec::new();
            let read = (&mut file).take(count as u64).read_to_end(&mut bytes);
            read.map_err(|e| format!("its header cannot be read ({e}): copy or make it again"))?;
            Ok(bytes)
        };
        if read(MAGIC.len())? != MAGIC {
            return Err("this is no .npy file: give one written by `numpy.save`".into());
        }
        let mut take = |count: usize| {
            let bytes = read(count)?;
            match bytes.len() == count {
                true => Ok(bytes),
                false => Err("the file ends within its header: copy or make it again".to_owned()),
            }
        };
        let width = match take(2)?[0] {
            1 => 2,
            2 | 3 => 4,
            other => return Err(format!("version {other} of the .npy format is not known")),
        };
        let size = take(width)?;
        let size = size.iter().rfold(0, |n, byte| n << 8 | usize::from(*byte));
        if size > MOST_HEADER {
            return Err("the file ends within its header: copy or make it again".into());
        }
        let text = String::from_utf8(take(size)?).map_err(|_| invalid("text"))?;
        let header = Header {
            dtype: Dtype::of(quoted(value(&text, "descr")?)?)?,
            shape: tuple(value(&text, "shape")?)?,
            fortran_order: value(&text, "fortran_order")?.starts_with("True"),
            start: (MAGIC.len() + 2 + width + size) as u64,
        };
        let (shape, width) = (&header.shape, header.dtype.width);
        let count = shape.iter().try_fold(1, |n: usize, &m| n.checked_mul(m));
        let bytes = count.and_then(|n| n.checked_mul(width));
        let found = length.saturating_sub(header.start);
        if bytes.map(|n| n as u64) != Some(found) {
            return Err(format!(
                "the header announces {width}-byte numbers in the shape {shape:?}, but {found} \
                 bytes follow: the file is damaged or incomplete, copy or make it again"
            ));
        }
        Ok(header)
    }

    /// The array's axes from that which varies fastest to that which varies slowest in the file.
    pub fn axes(&self) -> impl Iterator<Item = usize> {
        let (count, fortran) = (self.shape.len(), self.fortran_order);
        (0..count).map(move |i| if fortran { i } else { count - 1 - i })
    }
}

/// Counts through the numbers of a file in their order; gives the place of each in another layout.
#[derive(Debug)]
pub struct Places {
    /// Length, stride and counter of each axis, the fastest first.
    axes: Vec<[usize; 3]>,
    place: usize,
}

impl Places {
    /// The places in a layout with this stride for each axis of the array.
    pub fn new(header: &Header, strides: &[usize]) -> Places {
        let axes = header.axes();
        Places {
            axes: axes
                .map(|axis| [header.shape[axis], strides[axis], 0])
                .collect(),
            place: 0,
        }
    }
}

impl Iterator for Places {
    type Item = usize;

    /// Never ends: after the last number the first follows.
    fn next(&mut self) -> Option<usize> {
        let here = self.place;
        for [length, stride, at] in &mut self.axes {
            *at += 1;
            self.place += *stride;
            if *at < *length {
                break;
            }
            self.place -= *stride * *length;
            *at = 0;
        }
        Some(here)
    }
}

fn invalid(what: &str) -> String {
    format!("its header has no valid {what}: give a file written by `numpy.save`")
}

/// The text after a key of the header, a Python dictionary of three entries.
fn value<'a>(header: &'a str, key: &str) -> Result<&'a str, String> {
    let found = ['\'', '"'].iter().find_map(|quote| {
        let (_, rest) = header.split_once(&format!("{quote}{key}{quote}"))?;
        Some(rest.trim_start().strip_prefix(':')?.trim_start())
    });
    found.ok_or_else(|| invalid(&format!("`{key}`")))
}

fn quoted(text: &str) -> Result<&str, String> {
    let inside = ['\'', '"'].iter().find_map(|&quote| {
        let (inside, _) = text.strip_prefix(quote)?.split_once(quote)?;
        Some(inside)
    });
    inside.ok_or_else(|| invalid("`descr`"))
}

fn tuple(text: &str) -> Result<Vec<usize>, String> {
    let inside = text.strip_prefix('(').and_then(|t| t.split_once(')'));
    let (inside, _) = inside.ok_or_else(|| invalid("`shape`"))?;
    let axes = inside.split(',').map(str::trim).filter(|t| !t.is_empty());
    let parsed: Option<Vec<usize>> = axes.map(|t| t.parse().ok()).collect();
    parsed.ok_or_else(|| invalid("`shape`"))
}
