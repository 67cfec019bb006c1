//! Tests of the IDX reader.

use super::*;
use crate::data::read::gzip::tests::gzip;
use tempfile::TempDir;

/// An IDX images file with these lengths in its header, then `pixels`.
fn images(count: u32, rows: u32, columns: u32, pixels: &[u8]) -> Vec<u8> {
    let mut bytes = 0x0803u32.to_be_bytes().to_vec();
    for length in [count, rows, columns] {
        bytes.extend(length.to_be_bytes());
    }
    bytes.extend(pixels);
    bytes
}

fn labels(labels: &[u8]) -> Vec<u8> {
    let mut bytes = 0x0801u32.to_be_bytes().to_vec();
    bytes.extend((labels.len() as u32).to_be_bytes());
    bytes.extend(labels);
    bytes
}

const TRAIN_IMAGES: &str = "train-images-idx3-ubyte";
const TRAIN_LABELS: &str = "train-labels-idx1-ubyte";
const TEST_IMAGES: &str = "t10k-images-idx3-ubyte";
const TEST_LABELS: &str = "t10k-labels-idx1-ubyte";

/// A good folder of three train images and one test image of 1x2.
fn good() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    put(
        &folder,
        TRAIN_IMAGES,
        &images(3, 1, 2, &[0, 255, 9, 8, 200, 1]),
    );
    put(&folder, TRAIN_LABELS, &labels(&[5, 0, 4]));
    put(&folder, TEST_IMAGES, &images(1, 1, 2, &[130, 127]));
    put(&folder, TEST_LABELS, &labels(&[7]));
    folder
}

fn put(folder: &TempDir, name: &str, bytes: &[u8]) {
    fs::write(folder.path().join(name), bytes).unwrap();
}

fn set(folder: &TempDir) -> ImageSet {
    let read = IdxFolder::read(folder.path()).unwrap();
    read.into_set("x".into(), Binarize::None)
}

/// The error that a good folder gives once `name` holds `bytes`, and its message.
fn error_with(name: &str, bytes: &[u8]) -> (DataError, String) {
    let folder = good();
    put(&folder, name, bytes);
    let error = IdxFolder::read(folder.path()).unwrap_err();
    let text = error.to_string();
    assert!(text.contains(name), "{text}");
    (error, text)
}

#[test]
fn a_good_folder_gives_its_images_and_labels() {
    let set = set(&good());
    assert_eq!(set.shape(), [1, 2, 1]);
    assert_eq!(set.train.images.bytes(), [0, 255, 9, 8, 200, 1]);
    assert_eq!(set.train.labels, Some(vec![5, 0, 4]));
    assert_eq!(set.test.images.bytes(), [130, 127]);
    assert_eq!(set.test.labels, Some(vec![7]));
}

#[test]
fn gzip_and_the_older_spelling_give_the_same_set() {
    let folder = tempfile::tempdir().unwrap();
    for name in [TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS] {
        let bytes = fs::read(good().path().join(name)).unwrap();
        let older = name.replace("-idx", ".idx");
        match name {
            // Gzip with and without the ending, and the ending without gzip.
            TRAIN_IMAGES => put(&folder, &format!("{name}.gz"), &gzip(&bytes)),
            TRAIN_LABELS => put(&folder, &older, &gzip(&bytes)),
            TEST_IMAGES => put(&folder, &format!("{older}.gz"), &bytes),
            _ => put(&folder, &older, &bytes),
        }
    }
    assert_eq!(set(&folder), set(&good()));
}

#[test]
fn labels_may_be_absent() {
    let folder = good();
    fs::remove_file(folder.path().join(TRAIN_LABELS)).unwrap();
    assert_eq!(set(&folder).train.labels, None);
    assert_eq!(set(&folder).test.labels, Some(vec![7]));
}

#[test]
fn a_missing_images_file_is_named_in_every_spelling() {
    let folder = good();
    fs::remove_file(folder.path().join(TEST_IMAGES)).unwrap();
    let error = IdxFolder::read(folder.path()).unwrap_err();
    assert!(matches!(error, DataError::FileMissing { .. }));
    let text = error.to_string();
    for name in [
        TEST_IMAGES,
        "t10k-images-idx3-ubyte.gz",
        "t10k-images.idx3-ubyte",
    ] {
        assert!(text.contains(name), "{text}");
    }
    assert!(text.contains("test images"), "{text}");
}

#[test]
fn a_missing_folder_and_a_file_in_its_place_are_told_apart() {
    let folder = good();
    let missing = IdxFolder::read(&folder.path().join("none")).unwrap_err();
    assert!(matches!(missing, DataError::SourceMissing { .. }));
    let file = IdxFolder::read(&folder.path().join(TRAIN_IMAGES)).unwrap_err();
    assert!(matches!(file, DataError::NotAFolder { .. }));
}

#[test]
fn a_wrong_magic_is_shown_with_what_was_expected() {
    let (error, text) = error_with(TRAIN_IMAGES, &labels(&[1, 2, 3]));
    assert!(matches!(error, DataError::WrongMagic { found: 0x0801, .. }));
    assert!(text.contains("begins with 0x00000801, but image files begin with 0x00000803"));
    let (_, text) = error_with(TEST_LABELS, b"<html>");
    assert!(text.contains("begins with 0x3c68746d, but label files begin with 0x00000801"));
}

#[test]
fn a_truncated_file_is_named() {
    let (_, text) = error_with(TRAIN_IMAGES, &images(60000, 28, 28, &[0; 984]));
    assert!(
        text.ends_with(
            "train-images-idx3-ubyte: the header announces 60000 images of 28x28 (47040016 \
             bytes) but the file holds 1000; it is truncated: copy it again"
        ),
        "{text}"
    );
    for length in 0..16 {
        let (error, _) = error_with(TEST_IMAGES, &images(1, 1, 2, &[])[..length]);
        assert!(matches!(error, DataError::HeaderTruncated { held, .. } if held == length));
    }
}

#[test]
fn trailing_bytes_are_refused() {
    let (error, text) = error_with(TRAIN_IMAGES, &images(1, 1, 2, &[0; 3]));
    assert!(matches!(error, DataError::Oversized { .. }));
    assert!(text.contains("1 images of 1x2 (18 bytes)"), "{text}");
}

#[test]
fn a_header_that_announces_billions_in_a_short_file_costs_no_memory() {
    for (count, rows, columns) in [(u32::MAX, 28, 28), (u32::MAX, u32::MAX, u32::MAX)] {
        let bytes = images(count, rows, columns, &[0; 4]);
        for bytes in [gzip(&bytes), bytes] {
            let (error, _) = error_with(TRAIN_IMAGES, &bytes);
            assert!(matches!(error, DataError::Truncated { held: 20, .. }));
        }
    }
}

#[test]
fn a_gzip_bomb_is_refused_as_oversized() {
    let (error, _) = error_with(TRAIN_IMAGES, &gzip(&images(1, 1, 2, &[0; 1 << 20])));
    assert!(matches!(error, DataError::Oversized { .. }));
}

#[test]
fn a_damaged_gzip_file_is_named() {
    let mut bytes = gzip(&images(1, 1, 2, &[1, 2]));
    bytes.truncate(bytes.len() - 3);
    let (error, _) = error_with(TEST_IMAGES, &bytes);
    assert!(matches!(error, DataError::CorruptGzip { .. }));
}

#[test]
fn labels_that_do_not_match_the_images_are_refused() {
    let (error, text) = error_with(TRAIN_LABELS, &labels(&[1, 2]));
    assert!(matches!(error, DataError::CountMismatch { .. }));
    assert!(
        text.contains("2 labels") && text.contains("3 images"),
        "{text}"
    );
}

#[test]
fn train_and_test_images_of_two_sizes_are_refused() {
    let (error, text) = error_with(TEST_IMAGES, &images(1, 2, 1, &[1, 2]));
    assert!(matches!(error, DataError::SizeMismatch { .. }));
    assert!(text.contains("2x1") && text.contains("1x2"), "{text}");
}

#[test]
fn a_file_without_images_or_pixels_is_refused() {
    for (count, rows, columns) in [(0, 28, 28), (5, 0, 28), (5, 28, 0)] {
        let (error, _) = error_with(TRAIN_IMAGES, &images(count, rows, columns, &[]));
        assert!(matches!(error, DataError::Empty { .. }));
    }
}
