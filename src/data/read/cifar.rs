//! The binary version of CIFAR-10: `data_batch_1.bin` to `data_batch_5.bin` and `test_batch.bin`,
//! in a folder or in the archive `cifar-10-binary.tar.gz`.
//!
//! A file consists of records of 3073 bytes: a label from 0 to 9, then the red, the green and the
//! blue values of 32×32 pixels in row-major order.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::gzip::Content;
use super::{pixels, tape};
use crate::data::{DataError, Split};

/// Names of the published archive and of the folder in it.
pub const ARCHIVE: &str = "cifar-10-binary.tar.gz";
const FOLDER: &str = "cifar-10-batches-bin";
/// The training files and the test file.
const FILES: [&str; 6] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
    "test_batch.bin",
];
/// The names of the classes in `batches.meta.txt`.
pub const CLASSES: &str = "airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck";
const CLASS_COUNT: u8 = 10;

const SIDE: usize = 32;
const PLANE: usize = SIDE * SIDE;
const RECORD: usize = 1 + 3 * PLANE;
/// Most records of a published file; it bounds the memory that a damaged archive takes.
const MOST: usize = 10_000;
/// One byte more than the largest file.
const LIMIT: u64 = (MOST * RECORD) as u64 + 1;

/// The folder or archive of the set in `folder`, if any of its files is there.
pub fn find(folder: &Path) -> Option<PathBuf> {
    let has_any = |folder: &PathBuf| FILES.iter().any(|name| folder.join(name).is_file());
    let archive = Some(folder.join(ARCHIVE)).filter(|path| path.is_file());
    let folders = [folder.to_owned(), folder.join(FOLDER)];
    folders.into_iter().find(has_any).or(archive)
}

/// The files of a folder, or the archive itself.
pub fn files(place: &Path) -> Vec<PathBuf> {
    if place.is_file() {
        return vec![place.into()];
    }
    FILES.map(|name| place.join(name)).to_vec()
}

/// True if the file, decompressed where it is gzip, begins as a tape archive does.
pub fn is_archive(path: &Path) -> Result<bool, DataError> {
    // Reading the content reports damaged gzip data.
    let mut content = Content::open(path).map_err(DataError::at(path))?;
    let start = content.read_up_to(262).unwrap_or_default();
    Ok(start.get(257..) == Some(b"ustar"))
}

/// True if one of the first files of a tape archive is the set's.
pub fn is_own(archive: &Path) -> bool {
    const FIRST: usize = 16;
    let (mut seen, mut is_own) = (0, false);
    // The reader of the set says what is wrong with a damaged archive.
    let _ = tape::visit(archive, &mut |name, _, _| {
        seen += 1;
        is_own = FILES.contains(&last(name));
        match is_own || seen == FIRST {
            true => Err(io::Error::other("the others do not matter")),
            false => Ok(Ok(())),
        }
    });
    is_own
}

/// The file name of a path in an archive.
fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or_default()
}

/// Reads the training and the test images of a folder, or of an archive.
pub fn read(place: &Path) -> Result<[Split; 2], DataError> {
    let mut files = if place.is_dir() {
        read_folder(place)?
    } else {
        read_archive(place)?
    };
    let mut batches = Vec::new();
    for name in FILES {
        let bytes = files.remove(name);
        let bytes = bytes.ok_or_else(|| DataError::file_missing(place, "CIFAR-10", name))?;
        check(&bytes).map_err(DataError::at(&place.join(name)))?;
        batches.push(bytes);
    }
    let test = batches.pop().unwrap_or_default();
    Ok([split(&batches.concat()), split(&test)])
}

fn read_folder(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>, DataError> {
    let mut files = BTreeMap::new();
    for (name, path) in FILES.map(|name| (name, folder.join(name))) {
        if path.is_file() {
            let content = Content::open(&path);
            let bytes = content.and_then(|mut content| content.read_up_to(LIMIT));
            files.insert(name.into(), bytes.map_err(DataError::at(&path))?);
        }
    }
    Ok(files)
}

fn read_archive(path: &Path) -> Result<BTreeMap<String, Vec<u8>>, DataError> {
    let mut files = BTreeMap::new();
    tape::visit(path, &mut |name, _, file| {
        if FILES.contains(&last(name)) {
            let mut bytes = Vec::new();
            file.take(LIMIT).read_to_end(&mut bytes)?;
            files.insert(last(name).to_owned(), bytes);
        }
        Ok(Ok(()))
    })?;
    Ok(files)
}

/// Checks that the content of a file is whole records with labels of ten classes.
fn check(bytes: &[u8]) -> Result<(), String> {
    let most = MOST * RECORD;
    let labels = bytes.iter().step_by(RECORD).enumerate();
    let reason = if bytes.is_empty() || bytes.len() > most || !bytes.len().is_multiple_of(RECORD) {
        let size = match bytes.len() {
            n if n > most => format!("more than {most} bytes"),
            n => format!("{n} bytes"),
        };
        format!("it holds {size}, which are not 1 to {MOST} records of {RECORD}")
    } else if let Some((record, label)) = labels.into_iter().find(|(_, l)| **l >= CLASS_COUNT) {
        format!("record {record} has the label {label}, and there are {CLASS_COUNT} classes")
    } else {
        return Ok(());
    };
    Err(format!(
        "this is no file of the binary version of CIFAR-10: {reason}; copy it again"
    ))
}

/// The images of records, colours of a pixel side by side.
fn split(records: &[u8]) -> Split {
    let (records, _) = records.as_chunks::<RECORD>();
    let mut values = Vec::with_capacity(records.len() * 3 * PLANE);
    for [_, planes @ ..] in records {
        values.extend((0..3 * PLANE).map(|i| planes[i % 3 * PLANE + i / 3]));
    }
    let labels = records.iter().map(|record| record[0].into()).collect();
    pixels::split([SIDE, SIDE, 3], values, Some(labels))
}
