//! The binary version of CIFAR-10: `data_batch_1.bin` to `data_batch_5.bin` and `test_batch.bin`,
//! in a folder or in the archive `cifar-10-binary.tar.gz`.
//!
//! A file consists of records of 3073 bytes: a label from 0 to 9, then the red, the green and the
//! blue values of 32×32 pixels in row-major order.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::gzip::Source;
use super::pixels::Pixels;
use crate::data::DataError;

/// Names of the published archive and of the folder in it.
pub const ARCHIVE: &str = "cifar-10-binary.tar.gz";
const FOLDER: &str = "cifar-10-batches-bin";

const TRAIN: [&str; 5] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
];
const TEST: &str = "test_batch.bin";

const SIDE: usize = 32;
const PLANE: usize = SIDE * SIDE;
const RECORD: usize = 1 + 3 * PLANE;
/// The names of the classes in `batches.meta.txt`.
pub const CLASSES: [&str; 10] = [
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
];
/// Most records of a published file; it bounds the memory that a damaged archive takes.
const MOST: usize = 10_000;

/// The folder or archive of the set in `folder`, if any of its files is there.
pub fn find(folder: &Path) -> Option<PathBuf> {
    let unpacked = [folder.to_owned(), folder.join(FOLDER)];
    let any = |folder: &PathBuf| {
        TRAIN
            .iter()
            .chain([&TEST])
            .any(|f| folder.join(f).is_file())
    };
    let archive = folder.join(ARCHIVE);
    let archive = archive.is_file().then_some(archive);
    unpacked.into_iter().find(any).or(archive)
}

/// The files of a folder, or the archive itself.
pub fn files(place: &Path) -> Vec<PathBuf> {
    if place.is_file() {
        return vec![place.into()];
    }
    let names = TRAIN.into_iter().chain([TEST]);
    names.map(|name| place.join(name)).collect()
}

/// True if the file, decompressed where it is gzip, begins as a tape archive does.
pub fn is_archive(path: &Path) -> Result<bool, DataError> {
    // Reading the content reports damaged gzip data.
    let start = Source::open(path)?.read_up_to(262).unwrap_or_default();
    Ok(start.get(257..) == Some(b"ustar"))
}

/// Reads the training and the test images of a folder, or of an archive.
pub fn read(place: &Path) -> Result<[Pixels; 2], DataError> {
    let mut batches = if place.is_dir() {
        read_folder(place)?
    } else {
        read_archive(place)?
    };
    let mut take = |name: &str| {
        batches.remove(name).ok_or_else(|| DataError::FileMissing {
            folder: place.into(),
            what: "CIFAR-10".into(),
            looked_for: name.into(),
        })
    };
    let train = TRAIN.iter().map(|name| take(name));
    let train = train.collect::<Result<Vec<_>, _>>()?.concat();
    Ok([pixels(&train), pixels(&take(TEST)?)])
}

fn read_folder(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>, DataError> {
    let mut batches = BTreeMap::new();
    for name in TRAIN.into_iter().chain([TEST]) {
        let path = folder.join(name);
        if path.is_file() {
            let bytes = Source::open(&path)?.read_up_to(LIMIT)?;
            batches.insert(name.to_owned(), checked(bytes, &path)?);
        }
    }
    Ok(batches)
}

/// One byte more than the largest file.
const LIMIT: u64 = (MOST * RECORD) as u64 + 1;

/// Bytes of an archive, decompressed; the published one has 184 million.
const LARGEST_ARCHIVE: u64 = 1 << 30;

fn read_archive(path: &Path) -> Result<BTreeMap<String, Vec<u8>>, DataError> {
    let damaged = |reason: std::io::Error| DataError::Archive {
        path: path.into(),
        reason,
    };
    let mut batches = BTreeMap::new();
    let mut archive = tar::Archive::new(Source::open(path)?.take(LARGEST_ARCHIVE));
    for entry in archive.entries().map_err(damaged)? {
        let entry = entry.map_err(damaged)?;
        let name = entry.path().map_err(damaged)?;
        let name = name.file_name().unwrap_or_default().to_string_lossy();
        let name = name.into_owned();
        if TRAIN.contains(&name.as_str()) || name == TEST {
            let mut bytes = Vec::new();
            let read = entry.take(LIMIT).read_to_end(&mut bytes);
            read.map_err(damaged)?;
            let bytes = checked(bytes, &path.join(&name))?;
            batches.insert(name, bytes);
        }
    }
    Ok(batches)
}

/// The content of a file, if it is whole records with labels of ten classes.
fn checked(bytes: Vec<u8>, path: &Path) -> Result<Vec<u8>, DataError> {
    let wrong = |reason: String| DataError::Cifar {
        path: path.into(),
        reason,
    };
    if bytes.is_empty() || bytes.len() > MOST * RECORD || !bytes.len().is_multiple_of(RECORD) {
        let size = match bytes.len() {
            n if n > MOST * RECORD => format!("more than {} bytes", MOST * RECORD),
            n => format!("{n} bytes"),
        };
        return Err(wrong(format!(
            "it holds {size}, which are not 1 to {MOST} records of {RECORD}"
        )));
    }
    let labels = bytes.iter().step_by(RECORD).enumerate();
    if let Some((record, label)) = labels
        .into_iter()
        .find(|(_, label)| usize::from(**label) >= CLASSES.len())
    {
        return Err(wrong(format!(
            "record {record} has the label {label}, and there are {} classes",
            CLASSES.len()
        )));
    }
    Ok(bytes)
}

/// The images of records, colours of a pixel side by side.
fn pixels(records: &[u8]) -> Pixels {
    let (records, _) = records.as_chunks::<RECORD>();
    let mut values = Vec::with_capacity(records.len() * 3 * PLANE);
    for [_, planes @ ..] in records {
        values.extend((0..3 * PLANE).map(|i| planes[i % 3 * PLANE + i / 3]));
    }
    Pixels {
        shape: [SIDE, SIDE, 3],
        values,
        labels: Some(records.iter().map(|record| record[0].into()).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::read::gzip::tests::gzip;
    use std::fs;

    /// A record of that label, whose values count on from it.
    fn record(label: u8) -> Vec<u8> {
        let values = (0..3 * PLANE).map(|i| (i + usize::from(label)) as u8);
        std::iter::once(label).chain(values).collect()
    }

    /// The six files, of one record each but for a test file of two.
    fn batches() -> Vec<(&'static str, Vec<u8>)> {
        let train = TRAIN
            .into_iter()
            .zip(0..)
            .map(|(name, i)| (name, record(i)));
        let test = (TEST, [record(9), record(8)].concat());
        train.chain([test]).collect()
    }

    fn check(place: &Path) {
        let [train, test] = read(place).unwrap();
        assert_eq!((train.shape, test.shape), ([32, 32, 3], [32, 32, 3]));
        assert_eq!(train.labels, Some(vec![0, 1, 2, 3, 4]));
        assert_eq!(test.labels, Some(vec![9, 8]));
        // Red, green and blue of the first pixel and of the last one of the second record.
        let (first, last) = (&train.values[..3], &train.values[2 * 3 * PLANE - 3..][..3]);
        assert_eq!(first, [0, 1024, 2048].map(|i: usize| i as u8));
        assert_eq!(last, [1024, 2048, 3072].map(|i: usize| i as u8));
        assert_eq!(&train.values[3..6], [1, 1025, 2049].map(|i: usize| i as u8));
    }

    #[test]
    fn a_folder_and_an_archive_give_the_same_images() {
        let folder = tempfile::tempdir().unwrap();
        let mut archive = tar::Builder::new(Vec::new());
        fs::create_dir(folder.path().join(FOLDER)).unwrap();
        for (name, bytes) in batches() {
            fs::write(folder.path().join(FOLDER).join(name), &bytes).unwrap();
            let mut header = tar::Header::new_ustar();
            header.set_size(bytes.len() as u64);
            let path = Path::new(FOLDER).join(name);
            archive.append_data(&mut header, path, &bytes[..]).unwrap();
        }
        check(&find(folder.path()).unwrap());
        let path = folder.path().join("any name");
        fs::write(&path, gzip(&archive.into_inner().unwrap())).unwrap();
        assert!(is_archive(&path).unwrap());
        check(&path);

        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        let text = read(&path).unwrap_err().to_string();
        assert!(
            text.contains("any name") && text.contains("again"),
            "{text}"
        );
    }

    #[test]
    fn a_file_that_is_missing_or_wrong_is_named() {
        for (name, bytes, words) in [
            (TRAIN[2], None, "looked for data_batch_3.bin"),
            (TEST, Some(record(3)[1..].to_vec()), "3072 bytes"),
            (TRAIN[4], Some(vec![]), "0 bytes"),
            (TRAIN[1], Some(record(10)), "the label 10"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            for (name, bytes) in batches() {
                fs::write(folder.path().join(name), bytes).unwrap();
            }
            match bytes {
                Some(bytes) => fs::write(folder.path().join(name), bytes).unwrap(),
                None => fs::remove_file(folder.path().join(name)).unwrap(),
            }
            let text = read(folder.path()).unwrap_err().to_string();
            assert!(text.contains(words) && text.contains(name), "{text}");
        }
    }
}
