//! Folders of IDX files.

use std::fs;

use cvae_gpu::data::ImageSet;
use tempfile::TempDir;

use super::{load, refused};
use crate::sets::{TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS, gzip, idx};

/// An images file with these lengths in its header, then `pixels`.
fn images(count: u32, rows: u32, columns: u32, pixels: &[u8]) -> Vec<u8> {
    idx(&[count, rows, columns], pixels)
}

fn labels(labels: &[u8]) -> Vec<u8> {
    idx(&[labels.len() as u32], labels)
}

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

/// The set in the folder, under a name of its own.
fn set(folder: &TempDir) -> ImageSet {
    let name = "x".into();
    let set = load(folder.path()).unwrap();
    ImageSet { name, ..set }
}

/// The message of the error that a good folder gives once `name` holds `bytes`.
fn error_with(name: &str, bytes: &[u8]) -> String {
    let folder = good();
    put(&folder, name, bytes);
    let text = refused(folder.path());
    assert!(text.contains(name), "{text}");
    text
}

#[test]
fn a_good_folder_gives_its_images_and_labels() {
    let set = set(&good());
    assert_eq!(set.shape(), [1, 2, 1]);
    assert_eq!(set.train.images.bytes().unwrap(), [0, 255, 9, 8, 200, 1]);
    assert_eq!(set.train.labels, Some(vec![5, 0, 4]));
    assert_eq!(set.test.images.bytes().unwrap(), [130, 127]);
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
    let text = refused(folder.path());
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
fn a_wrong_magic_is_shown_with_what_was_expected() {
    let text = error_with(TRAIN_IMAGES, &labels(&[1, 2, 3]));
    assert!(text.contains("begins with 0x00000801, but image files begin with 0x00000803"));
    let text = error_with(TEST_LABELS, b"<html>");
    assert!(text.contains("begins with 0x3c68746d, but label files begin with 0x00000801"));
}

#[test]
fn a_truncated_file_is_named() {
    let text = error_with(TRAIN_IMAGES, &images(60000, 28, 28, &[0; 984]));
    assert!(
        text.ends_with(
            "train-images-idx3-ubyte: the header announces 60000 images of 28x28 (47040016 \
             bytes) but the file holds 1000; it is truncated: copy it again"
        ),
        "{text}"
    );
    for length in 0..16 {
        let text = error_with(TEST_IMAGES, &images(1, 1, 2, &[])[..length]);
        let words = format!("holds {length} bytes, too few for the 16 bytes of its header");
        assert!(text.contains(&words), "{text}");
    }
}

#[test]
fn trailing_bytes_are_refused() {
    let text = error_with(TRAIN_IMAGES, &images(1, 1, 2, &[0; 3]));
    let words = "1 images of 1x2 (18 bytes) but more bytes follow";
    assert!(text.contains(words), "{text}");
}

#[test]
fn a_header_that_announces_billions_in_a_short_file_costs_no_memory() {
    for (count, rows, columns) in [(u32::MAX, 28, 28), (u32::MAX, u32::MAX, u32::MAX)] {
        let bytes = images(count, rows, columns, &[0; 4]);
        for bytes in [gzip(&bytes), bytes] {
            let text = error_with(TRAIN_IMAGES, &bytes);
            assert!(
                text.contains("but the file holds 20; it is truncated"),
                "{text}"
            );
        }
    }
}

#[test]
fn a_gzip_bomb_is_refused_as_oversized() {
    let text = error_with(TRAIN_IMAGES, &gzip(&images(1, 1, 2, &[0; 1 << 20])));
    assert!(text.contains("more bytes follow"), "{text}");
}

#[test]
fn gzip_files_joined_into_one_are_read_as_one() {
    let folder = good();
    let whole = fs::read(folder.path().join(TRAIN_IMAGES)).unwrap();
    put(
        &folder,
        TRAIN_IMAGES,
        &[gzip(&whole[..18]), gzip(&whole[18..])].concat(),
    );
    assert_eq!(set(&folder), set(&good()));
}

#[test]
fn damaged_cut_and_followed_gzip_data_is_called_damaged() {
    let good = gzip(&images(1, 1, 2, &[1, 2]));
    let cut = good[..good.len() - 3].to_vec();
    let mut checksum = good.clone();
    let at = checksum.len() - 6;
    checksum[at] ^= 1;
    let mut body = good.clone();
    body[10] = 0xff;
    let followed = [good.as_slice(), b"junk"].concat();
    for bytes in [cut, checksum, body, followed, good[..2].to_vec()] {
        let text = error_with(TEST_IMAGES, &bytes);
        assert!(
            text.contains("the gzip data is damaged or incomplete"),
            "{text}"
        );
    }
}

#[test]
fn files_that_are_not_of_one_set_are_refused() {
    for (name, bytes, words) in [
        (TRAIN_LABELS, labels(&[1, 2]), ["2 labels", "3 images"]),
        (TEST_IMAGES, images(1, 2, 1, &[1, 2]), ["2x1", "1x2"]),
    ] {
        let text = error_with(name, &bytes);
        assert!(words.iter().all(|words| text.contains(words)), "{text}");
    }
}

#[test]
fn a_file_without_images_or_pixels_is_refused() {
    for (count, rows, columns) in [(0, 28, 28), (5, 0, 28), (5, 28, 0)] {
        let text = error_with(TRAIN_IMAGES, &images(count, rows, columns, &[]));
        assert!(text.contains("there are no pixels"), "{text}");
    }
}
