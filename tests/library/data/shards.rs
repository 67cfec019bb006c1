//! Shards of WebDataset.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use cvae_gpu::data::{ImageSet, Prepare};
use image::{GrayImage, ImageFormat, Luma};

use super::{load, load_prepared, load_with_notes, refused};
use crate::sets::gzip;

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
    let (set, notes) = load_with_notes(path, prepare);
    set.unwrap();
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

#[test]
fn shards_compressed_with_gzip_are_read_like_others() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = shard(&[
        ("1.png", &png(1)),
        ("1.cls", b"7"),
        ("2.cls", b"8"),
        ("2.png", &png(2)),
    ]);
    for name in ["some.tar.gz", "some.tgz", "some"] {
        let path = folder.path().join(name);
        fs::write(&path, gzip(&bytes)).unwrap();
        let set = load(&path).unwrap();
        assert_eq!(
            (set.name.as_str(), found(&set)),
            ("some", (vec![1, 2], vec![7, 8]))
        );
    }
    fs::remove_file(folder.path().join("some")).unwrap();
    fs::write(folder.path().join("some.tar"), bytes).unwrap();
    let set = load(folder.path()).unwrap();
    let names = [&set.train, &set.test].map(|split| split.names.clone().unwrap());
    let names = names.concat();
    assert_eq!(names.len(), 6, "{names:?}");
    for name in ["some.tar.gz/1.png", "some.tgz/2.png", "some.tar/1.png"] {
        assert!(names.iter().any(|found| found == name), "{names:?}");
    }
}

/// A header of a member with this kind and size, and no bytes.
fn header(name: &str, kind: tar::EntryType, size: u64) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.set_path(name).unwrap();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_cksum();
    header.as_bytes().to_vec()
}

#[test]
fn a_damaged_shard_is_told_with_the_member_and_what_to_try() {
    let folder = tempfile::tempdir().unwrap();
    let good = shard(&[("1.png", &png(1)), ("1.cls", b"7")]);
    let end = good.len() - 1024;
    let members = &good[..end];
    let regular = |size| header("2.png", tar::EntryType::Regular, size);
    let absurd = [members, &regular(1 << 40), b"abc"].concat();
    let mut sum = [members, &regular(3), &[0; 512]].concat();
    sum[end + 3] ^= 1;
    let mut first = good.clone();
    first[3] ^= 1;
    let name = header("././@LongLink", tar::EntryType::GNULongName, 8 << 20);
    let long = [members, &name[..], &vec![b'a'; 8 << 20]].concat();
    let zip = gzip(&[members, &regular(4096), &random(4096)].concat());
    let label = shard(&[("1.png", &png(1)), ("1.cls", &[b'7'; 2000])]);
    let cases: [(&str, Vec<u8>, &[&str]); 8] = [
        (
            "x.tar",
            absurd.clone(),
            &["in `2.png`", "1099511627776 bytes", "3 follow", "again"],
        ),
        (
            "x.tar.gz",
            gzip(&absurd),
            &["in `2.png`", "1099511627776 bytes", "again"],
        ),
        ("x.tar", sum, &["after `1.cls`", "checksum", "again"]),
        ("x.tar", first, &["at its beginning", "checksum", "again"]),
        ("x.tar", long.clone(), &["after `1.cls`", "name", "again"]),
        ("x.tar.gz", gzip(&long), &["after `1.cls`", "name", "again"]),
        (
            "x.tar.gz",
            zip[..zip.len() - 1000].to_vec(),
            &["in `2.png`", "again"],
        ),
        (
            "x.tar",
            label,
            &[
                "x.tar/1.cls",
                "2000 bytes",
                "a number or the name of a class",
            ],
        ),
    ];
    for (name, bytes, words) in cases {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        let text = refused(&path);
        for word in [name].iter().chain(words) {
            assert!(text.contains(word), "no {word:?} in {text}");
        }
    }
    // The checksum at the end of gzip data.
    let mut sum = gzip(&good);
    let at = sum.len() - 8;
    sum[at] ^= 1;
    let path = folder.path().join("sum.tar.gz");
    fs::write(&path, sum).unwrap();
    let text = refused(&path);
    assert!(
        text.contains("sum.tar.gz") && text.contains("again"),
        "{text}"
    );
}

/// Bytes that do not compress.
fn random(count: u32) -> Vec<u8> {
    let hash = |i: u32| (i.wrapping_mul(2_654_435_761) ^ 0x9e37).wrapping_mul(i | 1) >> 13;
    (0..count).map(|i| hash(i) as u8).collect()
}
