//! The four IDX files of MNIST and similar sets in a folder.
//!
//! A folder is searched for `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`,
//! `t10k-images-idx3-ubyte` and `t10k-labels-idx1-ubyte`, each also with a dot before
//! `idx` (an older spelling) and with `.gz` at the end. The content decides whether a file is gzip.
//! Labels are optional.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::kind::{IMAGES, Kind, LABELS};
use crate::data::read::gzip::Content;
use crate::data::read::pixels;
use crate::data::set::Bytes;
use crate::data::{DataError, Split};
use crate::files::hash;

impl Kind {
    /// The file in `folder`, by the first of its names that exists.
    fn find(self, folder: &Path, split: &str) -> Option<PathBuf> {
        let mut paths = self.names(split).map(|name| folder.join(name)).into_iter();
        // Some archives unpack each file into a folder with its name.
        paths.find(|path| path.exists() && !path.is_dir())
    }

    /// The file names to search for, the usual one first.
    fn names(self, split: &str) -> [String; 4] {
        let Kind { name, axes } = self;
        [("-", ""), ("-", ".gz"), (".", ""), (".", ".gz")]
            .map(|(dot, gz)| format!("{split}-{name}s{dot}idx{axes}-ubyte{gz}"))
    }

    /// The lengths along three axes, 1 where a file has fewer, and the bytes.
    fn read(self, path: &Path) -> Result<([usize; 3], Bytes), DataError> {
        let content = Content::open(path);
        let parsed = content.and_then(|content| self.parse(content));
        parsed.map_err(DataError::at(path))
    }
}

/// True if any of the four files is in `folder`.
pub fn is_in(folder: &Path) -> bool {
    let names = ["train", "t10k"].map(|split| [IMAGES, LABELS].map(|kind| kind.names(split)));
    let mut names = names.as_flattened().as_flattened().iter();
    names.any(|name| folder.join(name).is_file())
}

/// The training and the test images of a folder.
pub fn read(folder: &Path) -> Result<[Split; 2], DataError> {
    let (train_path, train) = read_split(folder, "train", "train images")?;
    let (test_path, test) = read_split(folder, "t10k", "test images")?;
    let shown = |part: &Split| {
        let [rows, columns, _] = part.images.shape();
        format!("{rows}x{columns}")
    };
    if train.images.shape() != test.images.shape() {
        let reason = format!(
            "the test images are {} but the train images in {} are {}; a set has images of one \
             size: the files are of two sets",
            shown(&test),
            train_path.display(),
            shown(&train)
        );
        return Err(DataError::Unusable(test_path, reason));
    }
    Ok([train, test])
}

fn read_split(folder: &Path, split: &str, what: &str) -> Result<(PathBuf, Split), DataError> {
    let path = IMAGES.find(folder, split);
    let path = path.ok_or_else(|| {
        let names = IMAGES.names(split).join(", ");
        DataError::file_missing(folder, what, &names)
    })?;
    let ([count, rows, columns], values) = IMAGES.read(&path)?;
    let mut labels = None;
    if let Some(labels_path) = LABELS.find(folder, split) {
        let found = LABELS.read(&labels_path)?.1.to_vec()?;
        if found.len() != count {
            let reason = format!(
                "the file holds {} labels but {} holds {count} images; the two are not of one \
                 set: copy both again, or remove the labels file",
                found.len(),
                path.display()
            );
            return Err(DataError::Unusable(labels_path, reason));
        }
        labels = Some(found.into_iter().map(u32::from).collect());
    }
    Ok((path, pixels::split([rows, columns, 1], values, labels)))
}

/// The SHA-256 of each file: of the content by the name without `.gz`, and for gzip that of the file
/// by the name with `.gz`.
pub fn hashes(folder: &Path) -> Result<BTreeMap<String, String>, DataError> {
    let mut hashes = BTreeMap::new();
    let files =
        ["train", "t10k"].map(|split| [IMAGES, LABELS].map(|kind| kind.find(folder, split)));
    for path in files.into_iter().flatten().flatten() {
        let content = Content::open(&path).map_err(DataError::at(&path))?;
        let hash = hash::of_reader(content.reader).map_err(DataError::io(&path))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let plain = name.strip_suffix(".gz").unwrap_or(&name);
        hashes.insert(plain.to_owned(), hash);
        if content.is_gzip {
            let hash = hash::of_file(&path).map_err(DataError::io(&path))?;
            hashes.insert(format!("{plain}.gz"), hash);
        }
    }
    Ok(hashes)
}
