//! Tests of folders of images.

use super::*;
use image::{GrayImage, Luma, Rgb, RgbImage, Rgba, RgbaImage};
use tempfile::TempDir;

/// A folder with a grey image of 8×8 at each of these paths, of that level.
fn folder(files: &[(&str, u8)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, level) in files {
        put(&folder, name, GrayImage::from_pixel(8, 8, Luma([*level])));
    }
    folder
}

fn put(folder: &TempDir, name: &str, image: impl Into<DynamicImage>) {
    let path = folder.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    image.into().save(path).unwrap();
}

fn read_with(folder: &TempDir, prepare: Prepare) -> Result<Found, DataError> {
    read(folder.path(), &prepare, &mut |_| ())
}

fn one(folder: &TempDir, prepare: Prepare) -> Pixels {
    match read_with(folder, prepare).unwrap().parts {
        Parts::One(pixels) => pixels,
        Parts::Two(_) => panic!("two parts"),
    }
}

fn refused(folder: &TempDir) -> String {
    match read_with(folder, Prepare::default()) {
        Ok(_) => panic!("read"),
        Err(e) => e.to_string(),
    }
}

/// The first value of each image.
fn levels(pixels: &Pixels) -> Vec<u8> {
    let size = pixels.shape.iter().product();
    pixels.values.chunks(size).map(|image| image[0]).collect()
}

#[test]
fn images_come_in_the_order_of_their_paths_and_classes_become_labels() {
    let folder = folder(&[("dog/b.png", 3), ("cat/9.png", 1), ("dog/a/z.bmp", 2)]);
    fs::write(folder.path().join(".DS_Store"), "x").unwrap();
    fs::write(folder.path().join("dog/Thumbs.db"), "x").unwrap();
    let found = one(&folder, Prepare::default());
    assert_eq!(found.shape, [8, 8, 1]);
    assert_eq!(levels(&found), [1, 2, 3]);
    assert_eq!(found.labels, Some(vec![0, 1, 1]));
    put(&folder, "top.png", GrayImage::new(8, 8));
    assert_eq!(one(&folder, Prepare::default()).labels, None);
}

#[test]
fn train_and_test_folders_are_the_two_parts_and_share_their_classes() {
    let folder = folder(&[
        ("train/a/1.png", 1),
        ("train/c/2.png", 2),
        ("test/b/3.png", 3),
        ("test/c/4.png", 4),
    ]);
    fs::write(folder.path().join("notes.txt"), "left alone").unwrap();
    let found = read_with(&folder, Prepare::default()).unwrap();
    assert_eq!(found.classes, ["a", "b", "c"]);
    let Parts::Two([train, test]) = found.parts else {
        panic!("one part");
    };
    assert_eq!((levels(&train), levels(&test)), (vec![1, 2], vec![3, 4]));
    let labels = (train.labels.unwrap(), test.labels.unwrap());
    assert_eq!(labels, (vec![0, 2], vec![1, 2]));
}

#[test]
fn every_kind_of_image_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let formats = [
        "bmp", "gif", "jpg", "png", "pnm", "qoi", "tga", "tiff", "webp",
    ];
    for format in formats {
        let image = RgbImage::from_pixel(8, 8, Rgb([200, 200, 200]));
        put(&folder, &format!("{format}.{format}"), image);
    }
    let found = one(&folder, Prepare::default());
    assert_eq!(found.shape, [8, 8, 1]);
    assert_eq!(levels(&found), [200; 9]);
}

#[test]
fn one_colour_makes_a_coloured_set_unless_told_otherwise() {
    let folder = folder(&[("1.png", 50), ("3.png", 60)]);
    put(
        &folder,
        "2.png",
        RgbImage::from_pixel(8, 8, Rgb([255, 0, 0])),
    );
    let found = one(&folder, Prepare::default());
    assert_eq!(found.shape, [8, 8, 3]);
    let pixels: Vec<&[u8]> = found.values.chunks(64 * 3).map(|i| &i[..3]).collect();
    assert_eq!(pixels, [[50; 3], [255, 0, 0], [60; 3]]);
    let channels = Some(1);
    let grey = one(
        &folder,
        Prepare {
            channels,
            ..Prepare::default()
        },
    );
    assert_eq!((grey.shape, levels(&grey)), ([8, 8, 1], vec![50, 54, 60]));
}

#[test]
fn what_is_transparent_is_black() {
    let folder = tempfile::tempdir().unwrap();
    for (name, alpha) in [("1.png", 255), ("2.png", 0), ("3.png", 51)] {
        put(
            &folder,
            name,
            RgbaImage::from_pixel(8, 8, Rgba([100, 100, 100, alpha])),
        );
    }
    assert_eq!(levels(&one(&folder, Prepare::default())), [100, 0, 20]);
}

#[test]
fn mixed_sizes_need_a_size_and_get_it() {
    let folder = folder(&[("1.png", 9)]);
    put(&folder, "2.png", GrayImage::from_pixel(20, 12, Luma([7])));
    let text = refused(&folder);
    for word in ["2.png", "12×20", "1.png", "8×8"] {
        assert!(text.contains(word), "no {word:?} in {text}");
    }
    let size = Some(16);
    let found = one(
        &folder,
        Prepare {
            size,
            ..Prepare::default()
        },
    );
    assert_eq!((found.shape, levels(&found)), ([16, 16, 1], vec![9, 7]));
}

#[test]
fn what_is_no_image_is_named_with_what_to_do() {
    for (name, bytes, words) in [
        (
            "notes.txt",
            &b"hello"[..],
            ["no image of a known kind", "remove it"],
        ),
        (
            "bad.png",
            b"hello",
            ["cannot be decoded", "repair or remove"],
        ),
        (
            "cut.png",
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
            ["cannot be decoded", "remove"],
        ),
    ] {
        let folder = folder(&[("good.png", 1)]);
        fs::write(folder.path().join(name), bytes).unwrap();
        let text = refused(&folder);
        for word in words.into_iter().chain([name]) {
            assert!(text.contains(word), "no {word:?} in {text}");
        }
    }
    let text = refused(&tempfile::tempdir().unwrap());
    assert!(text.contains("no images"), "{text}");
}

#[test]
fn an_image_that_claims_to_be_huge_is_refused_before_it_is_decoded() {
    let folder = tempfile::tempdir().unwrap();
    let bomb = folder.path().join("bomb.bmp");
    GrayImage::new(8, 8).save(&bomb).unwrap();
    let mut bytes = fs::read(&bomb).unwrap();
    // Width and height in the header of a BMP.
    bytes[18..22].copy_from_slice(&30_000u32.to_le_bytes());
    bytes[22..26].copy_from_slice(&30_000u32.to_le_bytes());
    fs::write(bomb, bytes).unwrap();
    let text = refused(&folder);
    assert!(text.contains("bomb.bmp"), "{text}");
}

#[test]
fn a_listener_hears_of_every_image() {
    let folder = folder(&[("1.png", 1), ("2.png", 2)]);
    let mut heard = Vec::new();
    let mut listener = |progress: Progress<'_>| match progress {
        Progress::Decode { done, of } => heard.push((done, of)),
        Progress::Download { .. } => panic!("nothing is downloaded"),
        Progress::Note(text) => panic!("{text}"),
    };
    read(folder.path(), &Prepare::default(), &mut listener).unwrap();
    assert_eq!(heard, [(0, 2), (1, 2), (2, 2)]);
}

#[test]
fn names_are_sorted_as_people_count_unless_a_run_was_begun_otherwise() {
    let folder = folder(&[
        ("10/2.png", 1),
        ("10/10.png", 2),
        ("9/1.png", 3),
        ("9/11.png", 4),
        ("9/2.png", 5),
    ]);
    let read = |order| {
        let prepare = Prepare {
            order,
            ..Prepare::default()
        };
        let found = read_with(&folder, prepare).unwrap();
        let Parts::One(all) = found.parts else {
            panic!("two parts");
        };
        (levels(&all), all.labels.unwrap(), found.classes)
    };
    let natural = (vec![3, 5, 4, 1, 2], vec![0, 0, 0, 1, 1]);
    let (levels, labels, classes) = read(Order::Natural);
    assert_eq!(
        ((levels, labels), classes),
        (natural, vec!["9".into(), "10".into()])
    );
    let bytes = (vec![2, 1, 3, 4, 5], vec![0, 0, 1, 1, 1]);
    let (levels, labels, classes) = read(Order::Bytes);
    assert_eq!(
        ((levels, labels), classes),
        (bytes, vec!["10".into(), "9".into()])
    );
}

#[test]
fn more_classes_than_a_byte_counts_keep_their_labels() {
    let names: Vec<String> = (0..300).map(|i| format!("class {i}/a.png")).collect();
    let files: Vec<(&str, u8)> = names.iter().map(|name| (name.as_str(), 7)).collect();
    let folder = folder(&files);
    let found = read_with(&folder, Prepare::default()).unwrap();
    let Parts::One(all) = found.parts else {
        panic!("two parts");
    };
    assert_eq!(all.labels, Some((0..300).collect()));
    assert_eq!(
        (found.classes.len(), found.classes[299].as_str()),
        (300, "class 299")
    );
}

#[test]
fn lost_labels_are_noted() {
    let folder = folder(&[("cat/1.png", 1), ("dog/2.png", 2), ("stray.png", 3)]);
    let mut notes = Vec::new();
    let mut listener = |progress: Progress<'_>| {
        if let Progress::Note(text) = progress {
            notes.push(text.to_owned());
        }
    };
    let found = read(folder.path(), &Prepare::default(), &mut listener).unwrap();
    assert!(found.classes.is_empty());
    assert_eq!(notes.len(), 1);
    assert!(notes[0].contains("the images get no labels") && notes[0].contains("stray.png"));
}
