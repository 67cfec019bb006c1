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
    let (length, rest) = match version[0] {
        1 => {
            let (length, rest) = rest.split_first_chunk().ok_or_else(truncated)?;
            (u32::from(u16::from_le_bytes(*length)), rest)
        }
        2 | 3 => {
            let (length, rest) = rest.split_first_chunk().ok_or_else(truncated)?;
            (u32::from_le_bytes(*length), rest)
        }
        other => return Err(format!("version {other} of the .npy format is not known")),
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
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

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A file of version 1.0 with this header.
    pub(crate) fn file(header: &str, data: &[u8]) -> Vec<u8> {
        let length = (header.len() as u16).to_le_bytes();
        [MAGIC, &[1, 0], &length, header.as_bytes(), data].concat()
    }

    // What `numpy.save(f, numpy.array([[1, 2, 3]], "float32"))` writes.
    #[test]
    fn the_bytes_are_numpys() {
        let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3), }";
        let padded = format!("{header:<117}\n");
        let data = [1f32, 2.0, 3.0].map(f32::to_le_bytes);
        let expected = file(&padded, data.as_flattened());
        assert_eq!(to_bytes(&[1, 3], &[1.0, 2.0, 3.0]), expected);
        assert!((expected.len() - 12).is_multiple_of(64));
    }

    #[test]
    fn arrays_survive() {
        for shape in [vec![], vec![0, 4], vec![5], vec![2, 3], vec![1, 2, 2, 1, 3]] {
            let count: usize = shape.iter().product();
            let values: Vec<f32> = (0..count).map(|i| i as f32 - 0.1).collect();
            let read = from_bytes(&to_bytes(&shape, &values)).unwrap();
            assert_eq!(read, Tensor::f32(shape, values));
        }
    }

    #[test]
    fn other_float_types_and_versions_are_read() {
        let header =
            |descr: &str| format!(r#"{{"descr":"{descr}","shape":(2,),"fortran_order":False}}"#);
        let values = [0.5, -3.0];
        let expected = Tensor::f32([2], vec![0.5, -3.0]);
        let single = values.map(|v: f64| (v as f32).to_be_bytes());
        let little = values.map(f64::to_le_bytes);
        let big = values.map(f64::to_be_bytes);
        for (descr, data) in [
            (">f4", single.as_flattened()),
            ("<f8", little.as_flattened()),
            (">f8", big.as_flattened()),
        ] {
            assert_eq!(from_bytes(&file(&header(descr), data)).unwrap(), expected);
        }
        let text = header("<f8");
        let length = (text.len() as u32).to_le_bytes();
        let long = [
            MAGIC,
            &[3, 0],
            &length,
            text.as_bytes(),
            little.as_flattened(),
        ]
        .concat();
        assert_eq!(from_bytes(&long).unwrap(), expected);
    }

    #[test]
    fn what_is_no_array_of_floats_is_refused() {
        let entries = |descr: &str, order: &str, shape: &str| {
            format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}")
        };
        let huge = format!("({}, {})", u64::MAX, u64::MAX);
        for (bytes, reason) in [
            (vec![], "no .npy file"),
            (b"PNG".to_vec(), "no .npy file"),
            (MAGIC.to_vec(), "ends within its header"),
            ([MAGIC, &[2, 0, 255, 255, 255, 255]].concat(), "ends within"),
            ([MAGIC, &[9, 0, 0, 0]].concat(), "version 9"),
            (file("{}", &[]), "`descr`"),
            (
                file(&entries("<i8", "False", "(1,)"), &[0; 8]),
                "dtype `<i8`",
            ),
            (file(&entries("|u1", "False", "(1,)"), &[0]), "dtype `|u1`"),
            (file(&entries("<f4", "True", "(1,)"), &[0; 4]), "Fortran"),
            (
                file(&entries("<f4", "False", "(2,)"), &[0; 4]),
                "incomplete",
            ),
            (file(&entries("<f4", "False", "(1,)"), &[0; 8]), "damaged"),
            (file(&entries("<f4", "False", &huge), &[0; 8]), "damaged"),
            (file(&entries("<f4", "False", "(-1,)"), &[0; 4]), "`shape`"),
            (file(&entries("<f4", "False", "7"), &[0; 4]), "`shape`"),
        ] {
            let refused = from_bytes(&bytes).unwrap_err();
            assert!(refused.contains(reason), "{refused}");
        }
    }

    #[test]
    fn every_truncation_is_refused() {
        let whole = to_bytes(&[2, 3], &[1.0; 6]);
        for length in 0..whole.len() {
            assert!(from_bytes(&whole[..length]).is_err(), "{length}");
        }
    }
}
