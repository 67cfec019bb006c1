//! NumPy's `.npy` files: one array of numbers with a shape.
//!
//! Written: version 1.0, little-endian `float32`, C order. Read: versions 1 to 3, C order, `float32`
//! and `float64` of either byte order; [`Raw`] reads bytes and booleans too. Files are untrusted: no
//! length in a header is trusted before the bytes are there, and any defect is an error.

use std::io;
use std::path::PathBuf;

use super::tensors::{Tensor, numbers};
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

/// The array in the bytes of a file; `float64` is rounded to `float32`.
///
/// # Errors
///
/// What is wrong with the bytes. No bytes make this function panic.
pub fn from_bytes(bytes: &[u8]) -> Result<Tensor, String> {
    let raw = Raw::parse(bytes)?;
    let values = raw.floats()?;
    Ok(Tensor::f32(raw.shape, values))
}

/// An array in the bytes of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw<'a> {
    /// NumPy's name of the type: `|u1`, `|b1`, or a float such as `<f4`.
    pub dtype: &'a str,
    /// Numbers along each axis.
    pub shape: Vec<usize>,
    /// The numbers in C order; they fill the shape.
    pub data: &'a [u8],
}

impl<'a> Raw<'a> {
    /// Finds the array in the bytes of a file.
    ///
    /// # Errors
    ///
    /// What is wrong with the bytes. No bytes make this function panic.
    pub fn parse(bytes: &'a [u8]) -> Result<Raw<'a>, String> {
        let (header, data) = split(bytes)?;
        let dtype = quoted(value(header, "descr")?)?;
        if value(header, "fortran_order")?.starts_with("True") {
            let save = "save `numpy.ascontiguousarray` of it";
            return Err(format!("the array is in Fortran order: {save}"));
        }
        let shape = tuple(value(header, "shape")?)?;
        let width = match dtype {
            "|u1" | "|b1" => 1,
            "<f4" | ">f4" => 4,
            "<f8" | ">f8" => 8,
            _ => return Err(wrong_dtype(dtype)),
        };
        let count = shape.iter().try_fold(1, |n: usize, &m| n.checked_mul(m));
        if count.and_then(|n| n.checked_mul(width)) != Some(data.len()) {
            return Err(format!(
                "the header announces an array of shape {shape:?}, but {} bytes of {width} each \
                 follow: the file is damaged or incomplete, copy or make it again",
                data.len()
            ));
        }
        Ok(Raw { dtype, shape, data })
    }

    /// The numbers, if they are floats; `float64` is rounded to `float32`.
    ///
    /// # Errors
    ///
    /// The type, and how to convert it.
    pub fn floats(&self) -> Result<Vec<f32>, String> {
        match self.dtype {
            "<f4" => Ok(numbers(self.data, f32::from_le_bytes)),
            ">f4" => Ok(numbers(self.data, f32::from_be_bytes)),
            "<f8" => Ok(numbers(self.data, |b| f64::from_le_bytes(b) as f32)),
            ">f8" => Ok(numbers(self.data, |b| f64::from_be_bytes(b) as f32)),
            _ => Err(wrong_dtype(self.dtype)),
        }
    }
}

fn wrong_dtype(dtype: &str) -> String {
    format!("the array has the dtype `{dtype}`: convert it with `.astype(\"float32\")`")
}

/// The text of the header, and the data.
fn split(bytes: &[u8]) -> Result<(&str, &[u8]), String> {
    let truncated = || "the file ends within its header: copy or make it again".to_owned();
    let Some(rest) = bytes.strip_prefix(MAGIC) else {
        return Err("this is no .npy file: give one written by `numpy.save`".into());
    };
    let (version, rest) = rest.split_first_chunk::<2>().ok_or_else(truncated)?;
    let width = match version[0] {
        1 => 2,
        2 | 3 => 4,
        other => return Err(format!("version {other} of the .npy format is not known")),
    };
    let (length, rest) = rest.split_at_checked(width).ok_or_else(truncated)?;
    let length = length
        .iter()
        .rfold(0, |n, byte| n << 8 | usize::from(*byte));
    let (header, data) = rest.split_at_checked(length).ok_or_else(truncated)?;
    let header = str::from_utf8(header).map_err(|_| invalid("text"))?;
    Ok((header, data))
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
