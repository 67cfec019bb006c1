//! Arrays of images and labels in an `.npz` archive of NumPy.
//!
//! Images of a training and a test split are found by the usual pairs of names, such as `x_train` and
//! `x_test`, and a single set by `x` or `images`, or because it is the only array that could be images.
//! `y` in place of `x`, or `labels` in place of `images`, are their labels. Upper and lower case are
//! the same.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use zip::ZipArchive;

use super::array::{self, Take};
use super::pixels::Parts;
use crate::data::{DataError, Listener, Prepare, Split};
use crate::files::npy::Header;
use crate::files::regular;

/// The first bytes of every archive.
pub const MAGIC: &[u8] = b"PK\x03\x04";

/// Names of images and labels, of the training and of the test split.
const PAIRS: [[[&str; 2]; 2]; 3] = [
    [["x_train", "y_train"], ["x_test", "y_test"]],
    [
        ["train_images", "train_labels"],
        ["test_images", "test_labels"],
    ],
    [["train_x", "train_y"], ["test_x", "test_y"]],
];
/// Names of images and labels of a set that is not split.
const SINGLES: [[&str; 2]; 4] = [
    ["x", "y"],
    ["images", "labels"],
    ["data", "labels"],
    ["data", "target"],
];

type Archive = ZipArchive<BufReader<File>>;

/// An array of the archive.
struct Entry {
    /// Its name without `.npy`.
    name: String,
    header: Header,
}

/// Reads the images of an archive, and their labels.
pub fn read(
    path: &Path,
    prepare: &Prepare,
    listener: &mut Listener<'_>,
) -> Result<Parts, DataError> {
    let mut archive = open(path)?;
    let entries = entries(&mut archive, path)?;
    let find = |name: &str| {
        let same = |entry: &&Entry| entry.name.eq_ignore_ascii_case(name);
        entries.iter().find(same)
    };
    let mut part = |images: &Entry, labels: Option<&Entry>| {
        let mut visit = |take: &mut Take<'_>| {
            let name = format!("{}.npy", images.name);
            let mut file = archive.by_name(&name).map_err(|e| broken(path, e))?;
            let length = file.size();
            take(&mut file, length)
        };
        let mut split = array::images(&mut visit, prepare.image_size, path, listener)?;
        if let Some(labels) = labels {
            let name = format!("{}.npy", labels.name);
            let mut file = archive.by_name(&name).map_err(|e| broken(path, e))?;
            let length = file.size();
            let header = Header::read(&mut file, length).map_err(|e| broken(path, e))?;
            let found = array::labels(&mut file, &header, path)?;
            if found.len() == split.images.count() {
                split.labels = Some(found);
            } else {
                return Err(DataError::at(path)(format!(
                    "`{}` holds {} labels, but `{}` {} images",
                    labels.name,
                    found.len(),
                    images.name,
                    split.images.count()
                )));
            }
        }
        Ok(split)
    };
    if prepare.array.is_none() {
        for [train, test] in PAIRS {
            if let (Some(first), Some(second)) = (find(train[0]), find(test[0])) {
                let train = part(first, find(train[1]))?;
                let test = part(second, find(test[1]))?;
                return two(path, train, test);
            }
        }
    }
    let (images, names) = single(&entries, prepare, path)?;
    let labels = names.iter().find_map(|name| find(name));
    Ok(Parts::One(part(images, labels)?))
}

fn two(path: &Path, train: Split, test: Split) -> Result<Parts, DataError> {
    if train.images.shape() != test.images.shape() {
        let [a, b] = [&train, &test].map(|part| format!("{:?}", part.images.shape()));
        return Err(DataError::at(path)(format!(
            "the training images are {a}, the test images {b}; a set has images of one size"
        )));
    }
    Ok(Parts::Two([train, test]))
}

/// The array of images of a set that is not split, and names of their labels.
fn single<'e>(
    entries: &'e [Entry],
    prepare: &Prepare,
    path: &Path,
) -> Result<(&'e Entry, Vec<&'static str>), DataError> {
    let labels = SINGLES.map(|[_, labels]| labels).to_vec();
    let named = |name: &str| {
        let same = |entry: &&Entry| entry.name.eq_ignore_ascii_case(name);
        entries.iter().find(same)
    };
    let list = || {
        let each = |e: &Entry| (e.name.clone(), e.header.shape.clone());
        entries.iter().map(each).collect()
    };
    if let Some(name) = &prepare.array {
        let found = named(name).map(|entry| (entry, labels));
        return found.ok_or_else(|| DataError::NoArray(path.into(), name.clone(), list()));
    }
    for [images, labels] in SINGLES {
        if let Some(entry) = named(images) {
            return Ok((entry, vec![labels]));
        }
    }
    let mut candidates = entries.iter().filter(|entry| entry.header.shape.len() > 1);
    match (candidates.next(), candidates.next()) {
        (Some(only), None) => Ok((only, labels)),
        _ => Err(DataError::Arrays(path.into(), list())),
    }
}

fn open(path: &Path) -> Result<Archive, DataError> {
    let file = regular::open(path)
        .map_err(DataError::io(path))?
        .into_inner();
    ZipArchive::new(BufReader::new(file)).map_err(|e| broken(path, e))
}

fn broken(path: &Path, reason: impl std::fmt::Display) -> DataError {
    DataError::at(path)(format!(
        "the archive cannot be read ({reason}): copy it again, or write it again with `numpy.savez`"
    ))
}

/// The arrays of an archive.
fn entries(archive: &mut Archive, path: &Path) -> Result<Vec<Entry>, DataError> {
    let mut names = Vec::new();
    for name in archive.file_names() {
        let name = name.map_err(|e| broken(path, e))?;
        names.extend(name.strip_suffix(".npy").map(str::to_owned));
    }
    names.sort_unstable();
    let mut entries = Vec::new();
    for name in names {
        let mut file = archive
            .by_name(&format!("{name}.npy"))
            .map_err(|e| broken(path, e))?;
        let length = file.size();
        // Arrays of text or objects are no images.
        if let Ok(header) = Header::read(&mut file, length) {
            entries.push(Entry { name, header });
        }
    }
    Ok(entries)
}
