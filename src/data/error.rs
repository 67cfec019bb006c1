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
    #[error("{path}: no such file or folder", path = .0.display())]
    SourceMissing(PathBuf),
    /// A file or folder cannot be used; the text says why, and what to do.
    #[error("{path}: {1}", path = .0.display())]
    Unusable(PathBuf, String),
    /// The file has none of the known formats.
    #[error("{path}: this is neither a packed set, nor a .npy or .npz file, nor a shard (.tar, .tar.gz), nor CIFAR-10's archive", path = .0.display())]
    UnknownFormat(PathBuf),
    /// A packed set does not follow its format; the text says where.
    #[error("{path}: the {1}", path = .0.display())]
    InvalidPacked(PathBuf, String),
    /// Images of a folder cannot be decoded: each with the reason.
    #[error("{folder}: {}", broken(.1), folder = .0.display())]
    Broken(PathBuf, Vec<(PathBuf, String)>),
    /// An image of a folder has another size than the first one.
    #[error(
        "{path}: the image is {1}, but {first} is {3}, and a set has images of one size",
        path = .0.display(), first = .2.display()
    )]
    MixedSizes(PathBuf, String, PathBuf, String),
    /// An array has a row of numbers for each image, whose size is not given.
    #[error("{path}: its rows of {1} numbers are images of unknown height and width", path = .0.display())]
    Flat(PathBuf, usize),
    /// It is not clear which array of an archive holds the images: the name and shape of each.
    #[error("{path}: which array holds the images? There are {}", arrays(.1), path = .0.display())]
    Arrays(PathBuf, Vec<(String, Vec<usize>)>),
    /// An archive lacks the named array: the name, and the name and shape of each that it has.
    #[error("{path}: there is no array `{1}`. There are {all}", all = arrays(.2), path = .0.display())]
    NoArray(PathBuf, String, Vec<(String, Vec<usize>)>),
    /// Stochastic binarization needs grey levels, but the images of this set are bits.
    #[error("the images of `{0}` are stored as bits: there are no grey levels to draw by")]
    NoGrey(String),
    /// The values of the images are no brightness from 0 to 1, so they cannot become 0 or 1.
    #[error("the images hold numbers beyond 0 to 1, which are kept as they are")]
    NotLevels,
    /// A test fraction was given for a set with its own test images.
    #[error("the set `{0}` has test images of its own, so none are held out")]
    HasTestImages(String),
    /// Too few images to hold out this part of them.
    #[error(
        "{path}: there are too few images to hold out {1} of them for the test and to train on \
         the others", path = .0.display()
    )]
    TooFew(PathBuf, f64),
    /// Too few training images to hold out this part of them.
    #[error("{count} training images are too few to hold out {fraction} of them for validation")]
    TooFewToTrain {
        /// The training images.
        count: usize,
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
    /// A file in the cache differs from the published one of the named set.
    #[error("{path}: this is not the published file of the set `{1}`, by its SHA-256", path = .0.display())]
    Changed(PathBuf, &'static str),
    /// A set is missing and there is no cache folder to download it to.
    #[error("the set `{0}` is not on this machine, and there is no cache folder to download it to")]
    NoCache(&'static str),
    /// A packed set file cannot hold the named set.
    #[error("the set `{0}` cannot be packed: {1}")]
    Unpackable(String, String),
}

impl DataError {
    /// [`DataError::Unusable`] of this file or folder.
    pub(super) fn at<T: Into<String>>(path: &Path) -> impl Fn(T) -> DataError {
        move |reason| DataError::Unusable(path.to_owned(), reason.into())
    }

    /// [`DataError::Unusable`] of a file that the system cannot read.
    pub(super) fn io(path: &Path) -> impl Fn(io::Error) -> DataError {
        move |reason| DataError::at(path)(unreadable(reason))
    }

    /// The error that a folder lacks a file of any of these names.
    #[cfg(feature = "cli")]
    pub(super) fn file_missing(folder: &Path, what: &str, names: &str) -> DataError {
        DataError::at(folder)(format!(
            "no {what} file; looked for {names}; copy it there, or give the folder that holds it"
        ))
    }
}

/// Lists arrays.
fn arrays(all: &[(String, Vec<usize>)]) -> String {
    let shown = |(name, shape): &(String, Vec<usize>)| format!("`{name}` {shape:?}");
    const SHOWN: usize = 20;
    let more = match all.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    match all {
        [] => "none of numbers".into(),
        _ => {
            all.iter()
                .take(SHOWN)
                .map(shown)
                .collect::<Vec<_>>()
                .join(", ")
                + &more
        }
    }
}

/// Lists images that cannot be decoded, the first of many.
fn broken(images: &[(PathBuf, String)]) -> String {
    const SHOWN: usize = 20;
    let lines = images.iter().take(SHOWN);
    let lines = lines.map(|(path, reason)| format!("\n  {} ({reason})", path.display()));
    let more = match images.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!("\n  … and {more} more"),
    };
    let count = match images.len() {
        1 => "1 image".to_owned(),
        count => format!("{count} images"),
    };
    format!(
        "{count} cannot be decoded:{}{more}\n",
        lines.collect::<String>()
    )
}

/// Says that the content of a file cannot be read.
pub(super) fn damaged(reason: &io::Error) -> String {
    format!("its data are damaged or incomplete ({reason}): copy or make it again")
}

/// Says that the system cannot read a file.
pub(super) fn unreadable(reason: io::Error) -> String {
    format!("cannot be read: {reason}; check that it is a file you may read")
}
