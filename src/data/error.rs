//! What can be wrong with a set, in the terms of the person who brought it.

use std::io;
use std::path::PathBuf;

/// Why a set could not be loaded or packed.
///
/// Each message says what is wrong, where, and what to try. The cause of an I/O error is
/// part of the message and not a `source`, so that printing the chain says it once.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// Nothing lies at the path given as a source.
    #[error(
        "{path}: no such file or folder; give `mnist` for the built-in set, a folder of IDX \
         files, or a packed set file", path = path.display()
    )]
    SourceMissing {
        /// The path that was given.
        path: PathBuf,
    },
    /// Images are to be drawn by their grey levels and have none.
    #[error(
        "the images of `{name}` are stored as bits, which leave --binarize stochastic nothing to draw \
         by: give their grey levels with --data, as a folder of the original IDX files or a set packed \
         with `cvae-gpu data pack --grey`"
    )]
    NoGrey {
        /// The set.
        name: String,
    },
    /// A folder was needed and a file was given.
    #[error(
        "{path}: this is not a folder; give the folder that holds the IDX files",
        path = path.display()
    )]
    NotAFolder {
        /// The path that was given.
        path: PathBuf,
    },
    /// The folder lacks an images file.
    #[error(
        "{folder}: no {what} file; looked for {looked_for}; copy it there, or give the folder \
         that holds it", folder = folder.display()
    )]
    FileMissing {
        /// The folder that was searched.
        folder: PathBuf,
        /// Which file is missing, such as `train images`.
        what: String,
        /// The file names that would have done.
        looked_for: String,
    },
    /// The operating system refused.
    #[error("{path}: cannot be read: {reason}; check that it is a file you may read",
        path = path.display()
    )]
    Io {
        /// The file being read.
        path: PathBuf,
        /// What the operating system said.
        reason: io::Error,
    },
    /// The file says it is gzip and does not decompress.
    #[error(
        "{path}: the gzip data is damaged or incomplete ({reason}); download or copy it again",
        path = path.display()
    )]
    CorruptGzip {
        /// The file being read.
        path: PathBuf,
        /// What the decompressor said.
        reason: io::Error,
    },
    /// The file ends inside its header.
    #[error(
        "{path}: the file holds {held} bytes, too few for the {needed} bytes of its header; it \
         is truncated: copy it again", path = path.display()
    )]
    HeaderTruncated {
        /// The file being read.
        path: PathBuf,
        /// Bytes that are there, decompressed.
        held: usize,
        /// Bytes that the header takes.
        needed: usize,
    },
    /// An IDX file begins with another number than its kind does.
    #[error(
        "{path}: the file begins with 0x{found:08x}, but {kind} begin with 0x{wanted:08x} \
         (0x00000803 means images: unsigned bytes in 3 dimensions; 0x00000801 means labels: \
         unsigned bytes in 1 dimension); check that this is the right IDX file and that images \
         and labels are not swapped", path = path.display()
    )]
    WrongMagic {
        /// The file being read.
        path: PathBuf,
        /// The first four bytes, big-endian.
        found: u32,
        /// What they should have been.
        wanted: u32,
        /// `image files` or `label files`.
        kind: &'static str,
    },
    /// Fewer bytes than the header announces.
    #[error(
        "{path}: the header announces {announced} ({wanted} bytes) but the file holds {held}; \
         it is truncated: copy it again", path = path.display()
    )]
    Truncated {
        /// The file being read.
        path: PathBuf,
        /// What the header announces, in words.
        announced: String,
        /// The size of such a file, decompressed.
        wanted: u128,
        /// The size it has, decompressed.
        held: usize,
    },
    /// More bytes than the header announces.
    #[error(
        "{path}: the header announces {announced} ({wanted} bytes) but the file goes on after \
         them; it is damaged or mixed with another: copy it again", path = path.display()
    )]
    Oversized {
        /// The file being read.
        path: PathBuf,
        /// What the header announces, in words.
        announced: String,
        /// The size of such a file, decompressed.
        wanted: u128,
    },
    /// The header announces no image, or images without pixels.
    #[error(
        "{path}: the header announces {announced}, which leaves nothing to train on or to test; \
         use another file", path = path.display()
    )]
    Empty {
        /// The file being read.
        path: PathBuf,
        /// What the header announces, in words.
        announced: String,
    },
    /// A split has another number of labels than of images.
    #[error(
        "{labels_path}: the file holds {labels} labels but {images_path} holds {images} images; \
         the two are not of one set: copy both again, or take the labels file away",
        labels_path = labels_path.display(), images_path = images_path.display()
    )]
    CountMismatch {
        /// The images file.
        images_path: PathBuf,
        /// How many images it holds.
        images: usize,
        /// The labels file.
        labels_path: PathBuf,
        /// How many labels it holds.
        labels: usize,
    },
    /// The splits have images of different sizes.
    #[error(
        "{test_path}: the test images are {test} but the train images in {train_path} are \
         {train}; a set has images of one size: the files are of two sets",
        test_path = test_path.display(), train_path = train_path.display()
    )]
    SizeMismatch {
        /// The train images file.
        train_path: PathBuf,
        /// Their size, such as `28x28`.
        train: String,
        /// The test images file.
        test_path: PathBuf,
        /// Their size.
        test: String,
    },
    /// The file is not a packed set at all.
    #[error(
        "{path}: this is not a packed set (a gzip-compressed safetensors file); give a file \
         written by `cvae-gpu data pack`, or, for IDX files, the folder that holds them",
        path = path.display()
    )]
    NotPacked {
        /// The file being read.
        path: PathBuf,
    },
    /// The safetensors header of a packed set is not a valid one.
    #[error(
        "{path}: the header of the packed set is invalid ({reason}); copy the file again, or \
         write it again with `cvae-gpu data pack`", path = path.display()
    )]
    InvalidHeader {
        /// The file being read.
        path: PathBuf,
        /// What is wrong with the header.
        reason: String,
    },
    /// A packed set lacks a metadata key, or its value is not one the format knows.
    #[error(
        "{path}: the packed set's metadata `{key}` is invalid ({reason}); write the file again \
         with `cvae-gpu data pack`", path = path.display()
    )]
    InvalidMetadata {
        /// The file being read.
        path: PathBuf,
        /// The metadata key.
        key: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A packed set lacks a tensor it must have.
    #[error(
        "{path}: the packed set has no tensor `{tensor}`; write the file again with `cvae-gpu \
         data pack`", path = path.display()
    )]
    MissingTensor {
        /// The file being read.
        path: PathBuf,
        /// The tensor's name.
        tensor: &'static str,
    },
    /// A packed set has a tensor that does not fit the format or its metadata.
    #[error(
        "{path}: the packed set's tensor `{tensor}` is invalid ({reason}); write the file again \
         with `cvae-gpu data pack`", path = path.display()
    )]
    InvalidTensor {
        /// The file being read.
        path: PathBuf,
        /// The tensor's name.
        tensor: String,
        /// What it is and what it should be.
        reason: String,
    },
    /// A set built in memory is not one that a packed set file can hold.
    #[error("the set `{name}` cannot be packed: {reason}")]
    Unpackable {
        /// The set's name.
        name: String,
        /// What stands in the way.
        reason: String,
    },
}
