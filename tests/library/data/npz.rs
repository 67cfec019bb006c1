//! Archives of arrays.

use std::io::{Cursor, Write};

use cvae_gpu::data::{ImageSet, Prepare};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::{load_prepared, load_with_notes};
use crate::sets::npy;

/// An archive of these files; every other one is compressed.
fn archive(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (i, (name, bytes)) in files.iter().enumerate() {
        let method = match i % 2 {
            0 => CompressionMethod::Deflated,
            _ => CompressionMethod::Stored,
        };
        let options = SimpleFileOptions::default().compression_method(method);
        zip.start_file(*name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn read_with(bytes: &[u8], prepare: &Prepare) -> Result<ImageSet, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("digits.npz");
    std::fs::write(&path, bytes).unwrap();
    load_prepared(&path, prepare).map_err(|e| e.to_string())
}

fn read(files: &[(&str, Vec<u8>)]) -> Result<ImageSet, String> {
    read_with(&archive(files), &Prepare::default())
}

/// `count` images of 1×2, counted up from `first`.
fn images(count: u8, first: u8) -> Vec<u8> {
    let values: Vec<u8> = (0..2 * count).map(|i| first + i).collect();
    npy("|u1", &format!("({count}, 1, 2)"), &values)
}

fn labels(all: &[i64], shape: &str) -> Vec<u8> {
    let bytes: Vec<u8> = all.iter().flat_map(|v| v.to_le_bytes()).collect();
    npy("<i8", shape, &bytes)
}

#[test]
fn splits_and_labels_are_found_by_their_usual_names() {
    for names in [
        ["x_train.npy", "y_train.npy", "x_test.npy", "y_test.npy"],
        ["X_train.npy", "Y_train.npy", "X_test.npy", "Y_test.npy"],
        [
            "train_images.npy",
            "train_labels.npy",
            "test_images.npy",
            "test_labels.npy",
        ],
    ] {
        let set = read(&[
            (names[0], images(3, 10)),
            (names[1], labels(&[0, 2, 1], "(3, 1)")),
            (names[2], images(1, 90)),
            (names[3], labels(&[2], "(1,)")),
            ("val_images.npy", images(2, 50)),
        ]);
        let set = set.unwrap();
        assert_eq!((set.name.as_str(), set.shape()), ("digits", [1, 2, 1]));
        assert_eq!(set.train.images.bytes().unwrap(), [10, 11, 12, 13, 14, 15]);
        assert_eq!(set.test.images.bytes().unwrap(), [90, 91]);
        assert_eq!(set.train.labels, Some(vec![0, 2, 1]));
        assert_eq!(set.test.labels, Some(vec![2]));
    }
}

#[test]
fn a_single_array_is_taken_whatever_its_name() {
    for (name, label) in [
        ("x.npy", "y.npy"),
        ("images.npy", "labels.npy"),
        ("faces.npy", "y.npy"),
    ] {
        let files = [(name, images(2, 7)), (label, labels(&[4, 5], "(2,)"))];
        let set = read(&files).unwrap();
        assert_eq!(set.train.images.bytes().unwrap(), [7, 8], "{name}");
        let found = [&set.train, &set.test].map(|split| split.labels.clone());
        assert_eq!(found, [Some(vec![4]), Some(vec![5])]);
    }
    let two = [("a.npy", images(2, 7)), ("b.npy", images(2, 9))];
    let refused = read(&two).unwrap_err();
    for word in ["which array", "`a` [2, 1, 2]", "`b` [2, 1, 2]"] {
        assert!(refused.contains(word), "{refused}");
    }
    let names: Vec<String> = (0..50).map(|i| format!("{i}.npy")).collect();
    let many: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), images(2, 7)))
        .collect();
    let refused = read(&many).unwrap_err();
    assert!(
        refused.contains("and 30 more") && refused.len() < 800,
        "{refused}"
    );
    let named = |name: &str| Prepare {
        array: Some(name.into()),
        ..Prepare::default()
    };
    let set = read_with(&archive(&two), &named("b")).unwrap();
    assert_eq!(set.train.images.bytes().unwrap(), [9, 10]);
    let refused = read_with(&archive(&two), &named("c")).unwrap_err();
    assert!(refused.contains("no array `c`. There are `a`"), "{refused}");
}

#[test]
fn what_does_not_fit_is_refused() {
    let x = || ("x.npy", images(2, 7));
    for (y, reason) in [
        (labels(&[1], "(1,)"), "1 labels"),
        (labels(&[1, -1], "(2,)"), "number 1 is -1"),
        (labels(&[1, 0, 0, 1], "(2, 2)"), "one for each image"),
    ] {
        let refused = read(&[x(), ("y.npy", y)]).unwrap_err();
        assert!(refused.contains(reason), "{refused}");
    }
    let other = npy("|u1", "(1, 2, 1)", &[1, 2]);
    let refused = read(&[("x_train.npy", images(2, 7)), ("x_test.npy", other)]).unwrap_err();
    assert!(refused.contains("one size"), "{refused}");
    assert!(read(&[("readme.txt", b"hello".to_vec())]).is_err());
    let whole = archive(&[x()]);
    for length in [4, 30, whole.len() / 2, whole.len() - 1] {
        let prepare = Prepare::default();
        let refused = read_with(&whole[..length], &prepare).unwrap_err();
        assert!(refused.contains("archive"), "{refused}");
    }
}

/// The archive with a field of the first entry of its central directory replaced.
fn with_field(archive: &[u8], offset: usize, bytes: &[u8]) -> Vec<u8> {
    let mut archive = archive.to_vec();
    let mark = b"PK\x01\x02";
    let start = archive.windows(4).position(|found| found == mark).unwrap();
    archive[start + offset..start + offset + bytes.len()].copy_from_slice(bytes);
    archive
}

#[test]
fn a_damaged_entry_is_named_with_what_is_wrong_and_what_to_try() {
    let absurd = npy("|u1", "(1099511627776, 28, 28)", &[1, 2, 3]);
    let x = |bytes: Vec<u8>| archive(&[("x.npy", bytes)]);
    let faces = archive(&[("faces.npy", absurd.clone()), ("notes.txt", b"hi".to_vec())]);
    let stored = archive(&[("y.npy", labels(&[4, 5], "(2,)")), ("x.npy", images(2, 7))]);
    let mut flipped = stored.clone();
    let header = stored.windows(10).position(|found| found == b"(2, 1, 2),");
    flipped[header.unwrap() + 14] ^= 1;
    let cases: [(Vec<u8>, &[&str]); 8] = [
        (
            x(absurd),
            &[
                "npz/x.npy: ",
                "[1099511627776, 28, 28]",
                "3 bytes follow",
                "again",
            ],
        ),
        (
            faces,
            &[
                "npz/faces.npy: ",
                "[1099511627776, 28, 28]",
                "3 bytes follow",
                "again",
            ],
        ),
        (
            x(b"hello there".to_vec()),
            &["npz/x.npy: ", "no .npy file", "numpy.save"],
        ),
        (
            archive(&[("notes.txt", b"hi".to_vec()), ("a/b.png", vec![1])]),
            &[
                "npz: ",
                "no array",
                "`a/b.png`, `notes.txt`",
                "`numpy.savez`",
            ],
        ),
        (
            x(npy("|O", "(2,)", &[0; 16])),
            &["npz/x.npy: ", "dtype `|O`"],
        ),
        (flipped, &["npz/x.npy: ", "damaged", "again"]),
        // A method of compression that is not known, and another length.
        (
            with_field(&x(images(2, 7)), 10, &[99, 0]),
            &["npz/x.npy: ", "header cannot be read", "again"],
        ),
        (
            with_field(&x(images(2, 7)), 24, &[255; 3]),
            &["npz/x.npy: ", "bytes follow", "again"],
        ),
    ];
    for (bytes, words) in cases {
        let refused = read_with(&bytes, &Prepare::default()).unwrap_err();
        for word in words {
            assert!(refused.contains(word), "no {word:?} in {refused}");
        }
    }
    let whole = x(images(2, 7));
    for length in [whole.len() - 1, whole.len() - 30, whole.len() / 2] {
        let refused = read_with(&whole[..length], &Prepare::default()).unwrap_err();
        for word in [
            "npz: ",
            "the list of its entries",
            "incomplete",
            "copy it again",
        ] {
            assert!(refused.contains(word), "no {word:?} in {refused}");
        }
    }
    // A named array, too.
    let named = Prepare {
        array: Some("y".into()),
        ..Prepare::default()
    };
    let bytes = archive(&[("x.npy", images(2, 7)), ("y.npy", b"text".to_vec())]);
    let refused = read_with(&bytes, &named).unwrap_err();
    assert!(refused.contains("npz/y.npy: "), "{refused}");
}

#[test]
fn labels_that_are_no_numbers_are_left_out_with_a_note() {
    let names = npy("<U1", "(2,)", &[0; 8]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("digits.npz");
    std::fs::write(&path, archive(&[("x.npy", images(2, 7)), ("y.npy", names)])).unwrap();
    let (set, notes) = load_with_notes(&path, &Prepare::default());
    assert_eq!(set.unwrap().train.labels, None);
    let [note] = &notes[..] else {
        panic!("{notes:?}");
    };
    for word in ["no labels", "digits.npz/y.npy", "`<U1`"] {
        assert!(note.contains(word), "{note}");
    }
}
