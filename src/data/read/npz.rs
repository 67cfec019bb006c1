//! Arrays of images and labels in an `.npz` archive of NumPy.
//!
//! Images of a training and a test split are found by the usual pairs of names, such as `x_train` and
//! `x_test`, and a single set by `x` or `images`, or because it is the only array that could be images.
//! `y` in place of `x`, or `labels` in place of `images`, are their labels. Upper and lower case are
//! the same.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use zip::ZipArchive;

use super::array::{self, Take};
use super::pixels::Parts;
use crate::data::{DataError, Listener, Prepare, Progress, Split};
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

/// Most names in a message.
const SHOWN: usize = 10;

type Archive = ZipArchive<BufReader<File>>;

/// An array of the archive.
struct Entry {
    /// Its name without `.npy`.
    name: String,
    /// What its header says, or why it cannot be used.
    header: Result<Header, String>,
}

impl Entry {
    /// Its name in the archive.
    fn file(&self) -> String {
        format!("{}.npy", self.name)
    }

    /// Its path in messages.
    fn path(&self, archive: &Path) -> PathBuf {
        archive.join(self.file())
    }

    /// The lengths of its axes, where it is an array of numbers.
    fn shape(&self) -> Option<&[usize]> {
        Some(&self.header.as_ref().ok()?.shape)
    }
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
        let at = images.path(path);
        let mut visit = |take: &mut Take<'_>| {
            let mut file = archive
                .by_name(&images.file())
                .map_err(|e| broken(&at, e))?;
            let length = file.size();
            take(&mut file, length)
        };
        let mut split = array::images(&mut visit, prepare.image_size, &at, listener)?;
        let Some(labels) = labels else {
            return Ok(split);
        };
        let at = labels.path(path);
        let header = match &labels.header {
            Ok(header) => header,
            // Such as an array of names.
            Err(reason) => {
                let at = at.display();
                listener(Progress::Note(&format!(
                    "the images get no labels: {at}: {reason}"
                )));
                return Ok(split);
            }
        };
        let mut file = archive
            .by_name(&labels.file())
            .map_err(|e| broken(&at, e))?;
        let length = file.size();
        Header::read(&mut file, length).map_err(DataError::at(&at))?;
        let found = array::labels(&mut file, header, &at)?;
        if found.len() != split.images.count() {
            return Err(DataError::at(path)(format!(
                "`{}` holds {} labels, but `{}` {} images",
                labels.name,
                found.len(),
                images.name,
                split.images.count()
            )));
        }
        split.labels = Some(found);
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
        let each = |e: &Entry| Some((e.name.clone(), e.shape()?.to_vec()));
        entries.iter().filter_map(each).collect()
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
    let is_images = |entry: &&Entry| entry.shape().is_some_and(|shape| shape.len() > 1);
    let mut candidates = entries.iter().filter(is_images);
    match (candidates.next(), candidates.next()) {
        (Some(only), None) => Ok((only, labels)),
        (None, None) => {
            let unusable = entries
                .iter()
                .find_map(|e| Some((e, e.header.as_ref().err()?)));
            Err(match unusable {
                Some((entry, reason)) => DataError::at(&entry.path(path))(reason.as_str()),
                None => DataError::Arrays(path.into(), list()),
            })
        }
        _ => Err(DataError::Arrays(path.into(), list())),
    }
}

fn open(path: &Path) -> Result<Archive, DataError> {
    let file = regular::open(path)
        .map_err(DataError::io(path))?
        .into_inner();
    ZipArchive::new(BufReader::new(file)).map_err(|reason| {
        DataError::at(path)(format!(
            "the list of its entries, at the end of the archive, is missing or damaged ({reason}): \
             the file is incomplete; copy it again, or write it again with `numpy.savez`"
        ))
    })
}

/// An entry that cannot be opened.
fn broken(entry: &Path, reason: impl std::fmt::Display) -> DataError {
    DataError::at(entry)(format!(
        "the entry cannot be read ({reason}): copy the archive again, or write it again with \
         `numpy.savez`"
    ))
}

/// The arrays of an archive.
fn entries(archive: &mut Archive, path: &Path) -> Result<Vec<Entry>, DataError> {
    let (mut arrays, mut others) = (Vec::new(), Vec::new());
    for name in archive.file_names() {
        let name = name.map_err(|e| broken(path, e))?;
        match name.strip_suffix(".npy") {
            Some(array) => arrays.push(array.to_owned()),
            None => others.push(format!("`{name}`")),
        }
    }
    if arrays.is_empty() && !others.is_empty() {
        others.sort_unstable();
        let more = if others.len() > SHOWN { ", …" } else { "" };
        others.truncate(SHOWN);
        return Err(DataError::at(path)(format!(
            "there is no array in it, whose name would end in .npy, only {}{more}: write the arrays \
             with `numpy.savez`, or unpack the archive and give the folder",
            others.join(", ")
        )));
    }
    arrays.sort_unstable();
    let mut entries = Vec::new();
    for name in arrays {
        let entry = format!("{name}.npy");
        let file = archive.by_name(&entry);
        let mut file = file.map_err(|e| broken(&path.join(&entry), e))?;
        let length = file.size();
        // Arrays of text or objects are no images.
        let header = Header::read(&mut file, length);
        entries.push(Entry { name, header });
    }
    Ok(entries)
}
