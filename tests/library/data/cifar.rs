//! The binary files of CIFAR-10.

use std::fs;
use std::path::Path;

use super::{load, refused};
use crate::sets::gzip;

/// The folder in the published archive.
const FOLDER: &str = "cifar-10-batches-bin";
const TEST: &str = "test_batch.bin";
/// Bytes of a colour of an image.
const PLANE: usize = 32 * 32;

/// A record of that label, whose values count on from it.
fn record(label: u8) -> Vec<u8> {
    let values = (0..3 * PLANE).map(|i| (i + usize::from(label)) as u8);
    std::iter::once(label).chain(values).collect()
}

/// The six files, of one record each but for a test file of two.
fn batches() -> Vec<(String, Vec<u8>)> {
    let train = (0..5).map(|i| (format!("data_batch_{}.bin", i + 1), record(i)));
    let test = (TEST.to_owned(), [record(9), record(8)].concat());
    train.chain([test]).collect()
}

fn check(place: &Path) {
    let set = load(place).unwrap();
    assert_eq!(set.shape(), [32, 32, 3]);
    assert_eq!(set.train.labels, Some(vec![0, 1, 2, 3, 4]));
    assert_eq!(set.test.labels, Some(vec![9, 8]));
    assert_eq!(set.classes[..2], ["airplane", "automobile"]);
    let values = set.train.images.bytes().unwrap();
    // Red, green and blue of the first pixel and of the last one of the second record.
    let (first, last) = (&values[..3], &values[2 * 3 * PLANE - 3..][..3]);
    assert_eq!(first, [0, 1024, 2048].map(|i: usize| i as u8));
    assert_eq!(last, [1024, 2048, 3072].map(|i: usize| i as u8));
    assert_eq!(&values[3..6], [1, 1025, 2049].map(|i: usize| i as u8));
}

#[test]
fn a_folder_and_an_archive_give_the_same_images() {
    let folder = tempfile::tempdir().unwrap();
    let mut archive = tar::Builder::new(Vec::new());
    fs::create_dir(folder.path().join(FOLDER)).unwrap();
    for (name, bytes) in batches() {
        fs::write(folder.path().join(FOLDER).join(&name), &bytes).unwrap();
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        let path = Path::new(FOLDER).join(name);
        archive.append_data(&mut header, path, &bytes[..]).unwrap();
    }
    check(folder.path());
    let path = folder.path().join("any name");
    fs::write(&path, gzip(&archive.into_inner().unwrap())).unwrap();
    check(&path);

    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let text = refused(&path);
    assert!(
        text.contains("any name") && text.contains("again"),
        "{text}"
    );
}

#[test]
fn a_file_that_is_missing_or_wrong_is_named() {
    for (name, bytes, words) in [
        ("data_batch_3.bin", None, "looked for data_batch_3.bin"),
        (TEST, Some(record(3)[1..].to_vec()), "3072 bytes"),
        ("data_batch_5.bin", Some(vec![]), "0 bytes"),
        ("data_batch_2.bin", Some(record(10)), "the label 10"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in batches() {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        match bytes {
            Some(bytes) => fs::write(folder.path().join(name), bytes).unwrap(),
            None => fs::remove_file(folder.path().join(name)).unwrap(),
        }
        let text = refused(folder.path());
        assert!(text.contains(words) && text.contains(name), "{text}");
    }
}
