//! What can be wrong with an image set.

use std::io;
use std::path::{Path, PathBuf};

/// Why a set could not be loaded or packed.
///
/// Each message says what is wrong and where. An I/O error is part of the message and no `source`,
/// so that printing the chain shows it once.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// There is no file or folder at the path.
    #[error("{path}: no such file or folder", path = path.display())]
    SourceMissing {
        /// The given path.
        path: PathBuf,
    },
    /// Stochastic binarization needs grey levels, but the images are bits.
    #[error("the images of `{name}` are stored as bits: there are no grey levels to draw by")]
    NoGrey {
        /// The set.
        name: String,
    },
    /// The path is a file instead of a folder.
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
        /// The searched folder.
        folder: PathBuf,
        /// Which file is missing, such as `train images`.
        what: String,
        /// The accepted file names.
        looked_for: String,
    },
    /// The operating system reported an error.
    #[error("{path}: cannot be read: {reason}; check that it is a file you may read",
        path = path.display()
    )]
    Io {
        /// The file being read.
        path: PathBuf,
        /// What the operating system said.
        reason: io::Error,
    },
    /// A gzip file does not decompress.
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
        /// Bytes in the file, decompressed.
        held: usize,
        /// Bytes of the header.
        needed: usize,
    },
    /// An IDX file begins with the wrong number for its kind.
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
        /// The expected value.
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
        "{path}: the header announces {announced} ({wanted} bytes) but more bytes follow; the \
         file is damaged or mixed with another: copy it again", path = path.display()
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
        "{path}: the header announces {announced}: there are no pixels to train or test on; use \
         another file", path = path.display()
    )]
    Empty {
        /// The file being read.
        path: PathBuf,
        /// What the header announces, in words.
        announced: String,
    },
    /// A split has different numbers of labels and images.
    #[error(
        "{labels_path}: the file holds {labels} labels but {images_path} holds {images} images; \
         the two are not of one set: copy both again, or remove the labels file",
        labels_path = labels_path.display(), images_path = images_path.display()
    )]
    CountMismatch {
        /// The images file.
        images_path: PathBuf,
        /// Images in it.
        images: usize,
        /// The labels file.
        labels_path: PathBuf,
        /// Labels in it.
        labels: usize,
    },
    /// The splits differ in image size.
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
    /// The file is no packed set.
    #[error(
        "{path}: this is neither a packed set, nor a .npy file, nor CIFAR-10's archive",
        path = path.display()
    )]
    NotPacked {
        /// The file being read.
        path: PathBuf,
    },
    /// The safetensors header of a packed set is invalid.
    #[error("{path}: the header of the packed set is invalid ({reason})", path = path.display())]
    InvalidHeader {
        /// The file being read.
        path: PathBuf,
        /// What is wrong with the header.
        reason: String,
    },
    /// A metadata key of a packed set is missing, or its value is invalid.
    #[error(
        "{path}: the packed set's metadata `{key}` is invalid ({reason})", path = path.display()
    )]
    InvalidMetadata {
        /// The file being read.
        path: PathBuf,
        /// The metadata key.
        key: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A packed set lacks a required tensor.
    #[error("{path}: the packed set has no tensor `{tensor}`", path = path.display())]
    MissingTensor {
        /// The file being read.
        path: PathBuf,
        /// The tensor's name.
        tensor: &'static str,
    },
    /// A packed set has a tensor that does not fit the format or its metadata.
    #[error(
        "{path}: the packed set's tensor `{tensor}` is invalid ({reason})", path = path.display()
    )]
    InvalidTensor {
        /// The file being read.
        path: PathBuf,
        /// The tensor's name.
        tensor: String,
        /// What was found and what was expected.
        reason: String,
    },
    /// A folder holds no images.
    #[error(
        "{folder}: there are no images in it, nor IDX or CIFAR-10 files; give the folder that \
         holds them", folder = folder.display()
    )]
    NoImages {
        /// The folder.
        folder: PathBuf,
    },
    /// Folders are nested too deeply.
    #[error(
        "{folder}: too many nested folders, perhaps by a link that leads back; remove it, or move \
         the images up", folder = folder.display()
    )]
    TooDeep {
        /// The innermost folder.
        folder: PathBuf,
    },
    /// A file among the images is no image.
    #[error(
        "{path}: this is no image of a known kind (BMP, GIF, JPEG, PNG, PNM, QOI, TGA, TIFF, \
         WebP); remove it from the folder, or convert it", path = path.display()
    )]
    NotAnImage {
        /// The file.
        path: PathBuf,
    },
    /// An image is damaged, too large, or of an unsupported kind.
    #[error(
        "{path}: the image cannot be decoded ({reason}); repair or remove it",
        path = path.display()
    )]
    BrokenImage {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        reason: String,
    },
    /// The images of a folder differ in size.
    #[error(
        "{path}: the image is {size}, but {first_path} is {first}, and a set has images of one \
         size",
        path = path.display(), first_path = first_path.display()
    )]
    MixedSizes {
        /// The image.
        path: PathBuf,
        /// Its size, such as `28×28`.
        size: String,
        /// The first image of the folder.
        first_path: PathBuf,
        /// Its size.
        first: String,
    },
    /// A `.npy` file does not hold images.
    #[error("{path}: cannot be used as images: {reason}", path = path.display())]
    Array {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to try.
        reason: String,
    },
    /// A file of CIFAR-10 is not one of its binary version.
    #[error(
        "{path}: this is no file of the binary version of CIFAR-10: {reason}; copy it again",
        path = path.display()
    )]
    Cifar {
        /// The file; the path of one in an archive starts with that of the archive.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A tape archive is damaged.
    #[error(
        "{path}: the archive is damaged or incomplete ({reason}); download or copy it again",
        path = path.display()
    )]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What its reader said.
        reason: io::Error,
    },
    /// The images have an unsupported number of channels.
    #[error(
        "{path}: the images have {channels} channels; give images of 1 (grey) or 3 (colour)",
        path = path.display()
    )]
    Channels {
        /// The source.
        path: PathBuf,
        /// Channels of an image.
        channels: usize,
    },
    /// A test fraction was given for a set with its own test images.
    #[error("the set `{name}` has test images of its own, so none are held out")]
    HasTestImages {
        /// The set's name.
        name: String,
    },
    /// Too few images for a training and a test part.
    #[error(
        "{path}: there are too few images to hold out {fraction} of them for the test and to \
         train on the others", path = path.display()
    )]
    TooFew {
        /// The source.
        path: PathBuf,
        /// The part to hold out.
        fraction: f64,
    },
    /// A set known by name is missing and its download failed.
    #[error("the set `{name}` is not on this machine and could not be downloaded ({reason})")]
    Download {
        /// The set's name.
        name: &'static str,
        /// What was tried, and why it failed.
        reason: String,
        /// The names of the files of the set.
        files: String,
        /// The cache folder of the set.
        folder: PathBuf,
    },
    /// A file in the cache differs from the published one.
    #[error(
        "{path}: this is not the published file of the set `{name}`, by its SHA-256",
        path = path.display()
    )]
    Changed {
        /// The set's name.
        name: &'static str,
        /// The file.
        path: PathBuf,
        /// The folder of the file.
        folder: PathBuf,
    },
    /// A set is missing and there is no cache folder to download it to.
    #[error(
        "the set `{name}` is not on this machine, and there is no cache folder to download it to"
    )]
    NoCache {
        /// The set's name.
        name: &'static str,
    },
    /// A packed set file cannot hold the set.
    #[error("the set `{name}` cannot be packed: {reason}")]
    Unpackable {
        /// The set's name.
        name: String,
        /// Why.
        reason: String,
    },
}

impl DataError {
    /// [`DataError::Io`] of this file.
    pub(super) fn io(path: &Path) -> impl Fn(io::Error) -> DataError {
        move |reason| {
            let path = path.to_owned();
            DataError::Io { path, reason }
        }
    }
}
