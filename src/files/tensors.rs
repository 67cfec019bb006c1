//! Files of named tensors: models, checkpoints and recorded cases.
//!
//! The format is [safetensors](https://huggingface.co/docs/safetensors), which Python reads too.
//! Equal content gives equal bytes, and files are written whole or not at all.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use serde_json::{Value, json};

#[cfg(feature = "cli")]
use super::{atomic, regular};

/// Longest header in bytes; the safetensors libraries refuse longer ones.
const MAX_HEADER: u64 = 100_000_000;

/// Why tensors could not be read, written or used. Messages are complete, so no error has a source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TensorFileError {
    /// The bytes are in another format or inconsistent.
    #[error("this is no valid safetensors file ({0}): give one written by this program or Python")]
    NotSafetensors(String),
    /// The file has fewer bytes (second) than the header announces (first).
    #[error("the file ends after {1} of at least {0} bytes: copy or make it again")]
    Truncated(u64, u64),
    /// The tensor has a dtype that is not supported.
    #[error("tensor `{0}` has the dtype {1}: convert it to F32, F64 or U32")]
    UnsupportedDtype(String, String),
    /// There is no tensor of this name; the second text lists the others.
    #[error("there is no tensor `{0}` among [{1}]: check that this is the right file")]
    MissingTensor(String, String),
    /// The tensor has another shape (second) than expected (first).
    #[error("tensor `{0}` has shape {2:?}, but {1:?} was expected: use a file made for this model")]
    WrongShape(String, Vec<usize>, Vec<usize>),
    /// The tensor holds integers instead of floats.
    #[error("tensor `{0}` holds U32 values, but F32 was expected: check that the file is right")]
    WrongDtype(String),
    /// A note in the metadata is missing or invalid.
    #[error(
        "the note `{0}` in the metadata cannot be used: {1}; check that this is the right file"
    )]
    WrongNote(String, String),
    /// The tensors or the metadata do not fit the format.
    #[error("the tensors cannot be written as safetensors: {0}")]
    Unwritable(String),
    /// The file cannot be read or written (first text).
    #[error("cannot {0} {1}: {2}; {hint}", hint = hint(.0))]
    Io(&'static str, PathBuf, io::Error),
    /// The content of the file is invalid.
    #[error("cannot use {0}: {1}")]
    Content(PathBuf, Box<TensorFileError>),
}

/// What to check where a file cannot be read or written.
fn hint(verb: &str) -> &'static str {
    match verb {
        "read" => "check the path and its permissions",
        _ => "check the path, its permissions and the free space",
    }
}

/// The values of a tensor, in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub enum TensorData {
    /// 32-bit floating-point numbers.
    F32(Vec<f32>),
    /// Unsigned 32-bit integers.
    U32(Vec<u32>),
    /// 32-bit integers.
    I32(Vec<i32>),
}

/// An array of numbers with a shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// The size along each axis, the slowest first; empty for a scalar.
    pub shape: Vec<usize>,
    /// The values, as many as the product of the shape.
    pub data: TensorData,
}

impl Tensor {
    /// A tensor of floats; [`TensorFile::to_bytes`] checks that `data` fills `shape`.
    pub fn f32(shape: impl Into<Vec<usize>>, data: Vec<f32>) -> Self {
        let (shape, data) = (shape.into(), TensorData::F32(data));
        Self { shape, data }
    }

    /// The values, if they are floats.
    #[must_use]
    pub fn as_f32(&self) -> Option<&[f32]> {
        match &self.data {
            TensorData::F32(values) => Some(values),
            TensorData::U32(_) | TensorData::I32(_) => None,
        }
    }

    /// The values, if they are integers from 0 up.
    #[must_use]
    pub fn to_u32(&self) -> Option<Vec<u32>> {
        match &self.data {
            TensorData::F32(_) => None,
            TensorData::U32(values) => Some(values.clone()),
            TensorData::I32(values) => values.iter().map(|&v| v.try_into().ok()).collect(),
        }
    }

    /// Decodes `bytes`, whose length was checked against the header.
    fn decode(name: &str, info: &TensorInfo, bytes: &[u8]) -> Result<Self, TensorFileError> {
        let data = match info.dtype {
            Dtype::F32 => TensorData::F32(numbers(bytes, f32::from_le_bytes)),
            Dtype::F64 => TensorData::F32(numbers(bytes, |b| f64::from_le_bytes(b) as f32)),
            Dtype::I32 => TensorData::I32(numbers(bytes, i32::from_le_bytes)),
            Dtype::U32 => TensorData::U32(numbers(bytes, u32::from_le_bytes)),
            dtype => {
                let (name, dtype) = (name.to_owned(), dtype.to_string());
                return Err(TensorFileError::UnsupportedDtype(name, dtype));
            }
        };
        let shape = info.shape.clone();
        Ok(Self { shape, data })
    }
}

/// The content of a file: named tensors and named notes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TensorFile {
    /// The tensors by name. The name `__metadata__` is reserved.
    pub tensors: BTreeMap<String, Tensor>,
    /// Free text by name.
    pub metadata: BTreeMap<String, String>,
}

impl TensorFile {
    /// Reads the bytes of a safetensors file, of any alignment. F64 tensors are rounded to F32.
    ///
    /// # Errors
    ///
    /// [`TensorFileError::NotSafetensors`], [`TensorFileError::Truncated`] and
    /// [`TensorFileError::UnsupportedDtype`]. No bytes make this function panic.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TensorFileError> {
        // `SafeTensors::deserialize` does not report truncation and sums sizes unchecked. Only the
        // header type of the crate, which checks the offsets, is used here.
        let truncated = |size| TensorFileError::Truncated(size, bytes.len() as u64);
        let invalid = |reason: &str| TensorFileError::NotSafetensors(reason.to_owned());
        let (length, rest) = bytes.split_first_chunk().ok_or_else(|| truncated(8))?;
        let length = u64::from_le_bytes(*length);
        if length > MAX_HEADER || !matches!(rest.first(), None | Some(b'{')) {
            return Err(invalid("it does not start with a header"));
        }
        // The limit above makes the cast exact.
        let Some((header, data)) = rest.split_at_checked(length as usize) else {
            return Err(truncated(8 + length));
        };
        let header: Metadata =
            serde_json::from_slice(header).map_err(|e| invalid(&e.to_string()))?;
        let size = header.data_len();
        if size > data.len() {
            return Err(truncated((size as u64).saturating_add(8 + length)));
        }
        if size < data.len() {
            return Err(invalid("bytes follow the last tensor"));
        }
        let decode = |(name, info): (String, &TensorInfo)| {
            let (start, end) = info.data_offsets;
            // The offsets are in order and cover the data, so the range is inside it.
            Tensor::decode(&name, info, &data[start..end]).map(|tensor| (name, tensor))
        };
        let tensors = header.tensors().into_iter().map(decode);
        Ok(Self {
            tensors: tensors.collect::<Result<_, _>>()?,
            metadata: header.metadata().clone().into_iter().flatten().collect(),
        })
    }

    /// The bytes of a safetensors file; equal content gives equal bytes.
    ///
    /// # Errors
    ///
    /// [`TensorFileError::Unwritable`] where values do not fill their shape, a tensor has the
    /// reserved name `__metadata__`, or the names and metadata exceed 100 MB.
    pub fn to_bytes(&self) -> Result<Vec<u8>, TensorFileError> {
        let refuse = |reason: &str| TensorFileError::Unwritable(reason.to_owned());
        if self.tensors.contains_key("__metadata__") {
            return Err(refuse("the name `__metadata__` is reserved"));
        }
        let mut tensors = Vec::new();
        for (name, tensor) in &self.tensors {
            let (dtype, bytes): (_, Vec<u8>) = match &tensor.data {
                TensorData::F32(v) => ("F32", v.iter().flat_map(|x| x.to_le_bytes()).collect()),
                TensorData::U32(v) => ("U32", v.iter().flat_map(|x| x.to_le_bytes()).collect()),
                TensorData::I32(v) => ("I32", v.iter().flat_map(|x| x.to_le_bytes()).collect()),
            };
            let (shape, values) = (tensor.shape.clone(), bytes.len() / 4);
            let mut axes = shape.iter().copied();
            if axes.try_fold(1, usize::checked_mul) != Some(values) {
                let reason = format!("`{name}` has {values} values for the shape {shape:?}");
                return Err(refuse(&reason));
            }
            tensors.push(Encoded {
                name,
                dtype,
                shape,
                bytes: Cow::Owned(bytes),
            });
        }
        let bytes = encode(json!(self.metadata), &tensors, MAX_HEADER);
        bytes.ok_or_else(|| refuse("the names and metadata exceed 100 MB"))
    }

    /// Reads a file like [`TensorFile::from_bytes`].
    ///
    /// # Errors
    ///
    /// [`TensorFileError::Io`], and [`TensorFileError::Content`] for wrong bytes.
    #[cfg(feature = "cli")]
    pub fn read(path: impl AsRef<std::path::Path>) -> Result<Self, TensorFileError> {
        let path = path.as_ref();
        let bytes = regular::read(path).map_err(|e| TensorFileError::Io("read", path.into(), e))?;
        Self::from_bytes(&bytes).map_err(|e| TensorFileError::Content(path.into(), e.into()))
    }

    /// Writes the bytes of [`TensorFile::to_bytes`], whole or not at all.
    ///
    /// # Errors
    ///
    /// [`TensorFileError::Unwritable`] and [`TensorFileError::Io`]; the old file stays.
    #[cfg(feature = "cli")]
    pub fn write(&self, path: impl AsRef<std::path::Path>) -> Result<(), TensorFileError> {
        let (path, bytes) = (path.as_ref(), self.to_bytes()?);
        atomic::write(path, &bytes).map_err(|e| TensorFileError::Io("write", path.into(), e))
    }

    /// The tensor of this name.
    ///
    /// # Errors
    ///
    /// [`TensorFileError::MissingTensor`].
    pub fn get(&self, name: &str) -> Result<&Tensor, TensorFileError> {
        self.tensors.get(name).ok_or_else(|| {
            let names: Vec<&str> = self.tensors.keys().map(String::as_str).collect();
            TensorFileError::MissingTensor(name.to_owned(), names.join(", "))
        })
    }

    /// The values of the float tensor of this name and shape.
    ///
    /// # Errors
    ///
    /// [`TensorFileError::MissingTensor`], [`TensorFileError::WrongDtype`] and
    /// [`TensorFileError::WrongShape`].
    pub fn get_f32(&self, name: &str, shape: &[usize]) -> Result<&[f32], TensorFileError> {
        let tensor = self.get(name)?;
        let wrong_dtype = || TensorFileError::WrongDtype(name.to_owned());
        let values = tensor.as_f32().ok_or_else(wrong_dtype)?;
        if tensor.shape != shape {
            let (name, found) = (name.to_owned(), tensor.shape.clone());
            return Err(TensorFileError::WrongShape(name, shape.to_vec(), found));
        }
        Ok(values)
    }
}

/// A tensor in the bytes of a file.
pub(crate) struct Encoded<'a> {
    pub name: &'a str,
    pub dtype: &'static str,
    pub shape: Vec<usize>,
    pub bytes: Cow<'a, [u8]>,
}

/// What the header of a safetensors file says of a tensor.
pub(crate) struct About<'a> {
    pub name: &'a str,
    pub dtype: &'a str,
    pub shape: Vec<usize>,
    /// Its size in bytes.
    pub length: usize,
}

/// The beginning of a safetensors file, up to the bytes of its tensors, which follow in this order.
/// `None` where the header is longer than `most` bytes. The safetensors crate writes metadata in random
/// order.
pub(crate) fn header<'a>(
    metadata: Value,
    tensors: impl IntoIterator<Item = About<'a>>,
    most: u64,
) -> Option<Vec<u8>> {
    let (mut header, mut end) = (json!({}), 0);
    if metadata != header {
        header["__metadata__"] = metadata;
    }
    for About {
        name,
        dtype,
        shape,
        length,
    } in tensors
    {
        let start = end;
        end += length;
        header[name] = json!({"dtype": dtype, "shape": shape, "data_offsets": [start, end]});
    }
    let mut header = header.to_string().into_bytes();
    // The data start at a multiple of 8 bytes.
    header.resize(header.len().next_multiple_of(8), b' ');
    let length = Some(header.len() as u64).filter(|length| *length <= most)?;
    Some([&length.to_le_bytes(), &header[..]].concat())
}

/// The bytes of a safetensors file of these tensors, in this order; `None` as for [`header`].
pub(crate) fn encode(metadata: Value, tensors: &[Encoded<'_>], most: u64) -> Option<Vec<u8>> {
    let about = tensors.iter().map(|tensor| About {
        name: tensor.name,
        dtype: tensor.dtype,
        shape: tensor.shape.clone(),
        length: tensor.bytes.len(),
    });
    let mut bytes = header(metadata, about, most)?;
    tensors.iter().for_each(|t| bytes.extend(&*t.bytes));
    Some(bytes)
}

/// The index along each axis of the value at a linear index.
pub(crate) fn coordinates(mut at: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (along, &size) in index.iter_mut().zip(shape).rev() {
        let size = size.max(1);
        (*along, at) = (at % size, at / size);
    }
    index
}

/// The numbers in `bytes`, each of `N` bytes; `bytes` may have any alignment.
pub(crate) fn numbers<const N: usize, T>(bytes: &[u8], number: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks().0.iter().map(|b| number(*b)).collect()
}
