//! Shards of WebDataset.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use cvae_gpu::data::{self, Binarize, ImageSet, Prepare, Progress};
use image::{GrayImage, ImageFormat, Luma};

use super::{load, load_prepared, refused};

/// A grey PNG of this level.
fn png(level: u8) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let image = GrayImage::from_pixel(8, 8, Luma([level]));
    image.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

fn shard(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        archive.append_data(&mut header, name, *bytes).unwrap();
    }
    archive.into_inner().unwrap()
}

/// The levels of the images, the held out ones last, and their labels.
fn found(set: &ImageSet) -> (Vec<u8>, Vec<u32>) {
    let splits = [&set.train, &set.test];
    let bytes = splits.iter().flat_map(|s| s.images.bytes().unwrap());
    let labels = splits.iter().filter_map(|s| s.labels.clone()).flatten();
    (bytes.step_by(64).collect(), labels.collect())
}

fn notes(path: &Path, prepare: &Prepare) -> Vec<String> {
    let mut notes = Vec::new();
    let mut listener = |progress: Progress<'_>| {
        if let Progress::Note(text) = progress {
            notes.push(text.to_owned());
        }
    };
    let source = path.to_str().unwrap();
    data::load_prepared(source, Binarize::None, prepare, &mut listener).unwrap();
    notes
}

#[test]
fn images_and_labels_of_a_shard_meet_by_their_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("some.tar");
    let bytes = shard(&[
        ("a/000012.cls", b"7\n"),
        ("a/000012.png", &png(1)),
        ("a/000012.json", b"{}"),
        ("a/._000012.png", b"of a file manager"),
        ("000013.seg.png", &png(2)),
        ("000013.cls", b"300"),
        ("a.b/000014.png", &png(3)),
        ("a.b/000014.cls", b"0"),
    ]);
    fs::write(&path, bytes).unwrap();
    let set = load(&path).unwrap();
    assert_eq!(set.name, "some");
    assert_eq!(found(&set), (vec![1, 2, 3], vec![7, 300, 0]));
    let names = set.train.names.unwrap();
    assert_eq!(names, ["a/000012.png", "000013.seg.png"]);
    let [note] = &notes(&path, &Prepare::default())[..] else {
        panic!("more or fewer notes than one");
    };
    assert!(
        note.contains("1 file is no image and is left out"),
        "{note}"
    );
    assert!(note.ends_with("000012.json"), "{note}");
}

// More images than are decoded at a time, of which each shard has its own keys.
#[test]
fn shards_of_a_folder_come_in_natural_order() {
    let folder = tempfile::tempdir().unwrap();
    for (name, first) in [("s-2.tar", 0), ("s-10.tar", 140)] {
        let images: Vec<_> = (first..first + 140u8.min(255 - first)).map(png).collect();
        let names: Vec<_> = (0..images.len()).map(|i| format!("{i}")).collect();
        let files: Vec<_> = names
            .iter()
            .map(|n| [format!("{n}.png"), format!("{n}.cls")])
            .collect();
        let labels: Vec<_> = names
            .iter()
            .map(|n| format!("{name} {}", n.len()))
            .collect();
        let members: Vec<(&str, &[u8])> = (0..images.len())
            .flat_map(|i| {
                let [image, label] = &files[i];
                [(&**image, &*images[i]), (&**label, labels[i].as_bytes())]
            })
            .collect();
        fs::write(folder.path().join(name), shard(&members)).unwrap();
    }
    fs::write(folder.path().join("sizes.json"), "{}").unwrap();
    let set = load(folder.path()).unwrap();
    let (mut levels, labels) = found(&set);
    let train = set.train.images.count();
    assert!(levels[..train].is_sorted(), "{levels:?}");
    levels.sort_unstable();
    assert_eq!(levels, Vec::from_iter(0..255));
    assert_eq!(set.classes[..2], ["s-2.tar 1", "s-2.tar 2"]);
    assert_eq!((labels[0], labels[train - 1]), (0, 5));
    assert_eq!(set.train.names.unwrap()[0], "s-2.tar/0.png");
    // Beside images, an archive is a file that is no image.
    fs::write(folder.path().join("1.png"), png(5)).unwrap();
    assert_eq!(found(&load(folder.path()).unwrap()).0, [5, 5]);
}

#[test]
fn broken_images_and_missing_labels_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.tar");
    let members: [(&str, &[u8]); 4] = [
        ("1.png", &png(1)),
        ("2.png", b"\x89PNG\r\n\x1a\n broken"),
        ("3.png", &png(3)),
        ("1.cls", b"4"),
    ];
    fs::write(&path, shard(&members)).unwrap();
    let text = refused(&path);
    assert!(text.contains("1 image cannot be decoded"), "{text}");
    assert!(text.contains("x.tar/2.png"), "{text}");
    let prepare = Prepare {
        skip_broken: true,
        ..Prepare::default()
    };
    let set = load_prepared(&path, &prepare).unwrap();
    assert_eq!(found(&set), (vec![1, 3], vec![]));
    let notes = notes(&path, &prepare);
    assert!(
        notes[0].contains("1 file is broken and is left out"),
        "{notes:?}"
    );
    assert!(notes[1].contains("no labels"), "{notes:?}");
    assert!(notes[1].contains("3.png"), "{notes:?}");
}

#[test]
fn shards_that_end_early_or_have_no_images_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.tar");
    let whole = shard(&[("1.png", &png(1)), ("2.png", &png(2))]);
    for (bytes, words) in [
        (&whole[..1536 + 20], "damaged or incomplete"),
        (&shard(&[("1.txt", b"hello")]), "no images"),
    ] {
        fs::write(&path, bytes).unwrap();
        let text = refused(&path);
        assert!(text.contains(words), "no {words:?} in {text}");
    }
}
