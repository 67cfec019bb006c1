//! Folders of images.

use std::fs;

use cvae_gpu::data::{self, Binarize, Fit, ImageSet, Prepare, Progress, Size};
use image::{
    DynamicImage, GrayImage, ImageBuffer, ImageFormat, Luma, Rgb, RgbImage, Rgba, RgbaImage,
};
use tempfile::TempDir;

use super::load_prepared;

/// A folder with a grey image of 8×8 at each of these paths, of that level.
pub fn folder(files: &[(&str, u8)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, level) in files {
        put(&folder, name, GrayImage::from_pixel(8, 8, Luma([*level])));
    }
    folder
}

fn put(folder: &TempDir, name: &str, image: impl Into<DynamicImage>) {
    let path = folder.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let format = ImageFormat::from_path(&path).unwrap_or(ImageFormat::Png);
    image.into().save_with_format(path, format).unwrap();
}

pub fn read_with(folder: &TempDir, prepare: Prepare) -> ImageSet {
    load_prepared(folder.path(), &prepare).unwrap()
}

pub fn read(folder: &TempDir) -> ImageSet {
    read_with(folder, Prepare::default())
}

fn refused(folder: &TempDir) -> String {
    super::refused(folder.path())
}

/// The first value of each training image, then of each test image. Of fewer than 15 images the last
/// one is held out, so this is the order of the files.
pub fn levels(set: &ImageSet) -> Vec<u8> {
    let size = set.train.images.image_bytes();
    let splits = [&set.train, &set.test].into_iter();
    let bytes = splits.flat_map(|split| split.images.bytes().unwrap());
    bytes.step_by(size).collect()
}

/// The labels in the same order.
pub fn labels(set: &ImageSet) -> Vec<u32> {
    let splits = [&set.train, &set.test].into_iter();
    splits
        .filter_map(|split| split.labels.clone())
        .flatten()
        .collect()
}

#[test]
fn images_come_in_the_order_of_their_paths_and_classes_become_labels() {
    let folder = folder(&[("dog/b.png", 3), ("cat/9.png", 1), ("dog/a/z.bmp", 2)]);
    fs::write(folder.path().join(".DS_Store"), "x").unwrap();
    fs::write(folder.path().join("dog/Thumbs.db"), "x").unwrap();
    let found = read(&folder);
    assert_eq!(found.shape(), [8, 8, 1]);
    assert_eq!(levels(&found), [1, 2, 3]);
    assert_eq!(labels(&found), [0, 1, 1]);
    put(&folder, "top.png", GrayImage::new(8, 8));
    assert_eq!(read(&folder).train.labels, None);
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
    let found = read(&folder);
    assert_eq!(found.classes, ["a", "b", "c"]);
    assert_eq!(levels(&found), [1, 2, 3, 4]);
    assert_eq!(found.train.labels, Some(vec![0, 2]));
    assert_eq!(found.test.labels, Some(vec![1, 2]));
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
    let found = read(&folder);
    assert_eq!(found.shape(), [8, 8, 1]);
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
    let found = read(&folder);
    assert_eq!(found.shape(), [8, 8, 3]);
    let values = [
        found.train.images.bytes().unwrap(),
        found.test.images.bytes().unwrap(),
    ]
    .concat();
    let pixels: Vec<&[u8]> = values.chunks(64 * 3).map(|i| &i[..3]).collect();
    assert_eq!(pixels, [[50; 3], [255, 0, 0], [60; 3]]);
    let channels = Some(1);
    let grey = read_with(
        &folder,
        Prepare {
            channels,
            ..Prepare::default()
        },
    );
    assert_eq!((grey.shape(), levels(&grey)), ([8, 8, 1], vec![50, 54, 60]));
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
    assert_eq!(levels(&read(&folder)), [100, 0, 20]);
    let white = Prepare {
        background: Some([255; 3]),
        ..Prepare::default()
    };
    assert_eq!(levels(&read_with(&folder, white)), [100, 255, 224]);
}

#[test]
fn mixed_sizes_need_a_size_and_get_it() {
    let folder = folder(&[("1.png", 9)]);
    put(&folder, "2.png", GrayImage::from_pixel(20, 12, Luma([7])));
    let text = refused(&folder);
    for word in ["2.png", "12×20", "1.png", "8×8"] {
        assert!(text.contains(word), "no {word:?} in {text}");
    }
    let size = Some(Size::Square(16));
    let found = read_with(
        &folder,
        Prepare {
            size,
            ..Prepare::default()
        },
    );
    assert_eq!((found.shape(), levels(&found)), ([16, 16, 1], vec![9, 7]));
}

#[test]
fn what_is_no_image_is_named_with_what_to_do() {
    for (name, bytes, words) in [
        (
            "bad.png",
            &b"hello"[..],
            ["1 image cannot be decoded", "PNG"],
        ),
        (
            "cut.png",
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
            ["cannot be decoded", ""],
        ),
        (
            "photo.heic",
            b"\0\0\0\x18ftypheic\0\0\0\0",
            ["HEIC is not read", "convert it"],
        ),
        (
            "photo.avif",
            b"\0\0\0\x1cftypavif\0\0\0\0",
            ["AVIF is not read", "convert it"],
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
fn files_that_are_no_images_are_left_out_and_counted() {
    let folder = folder(&[("a/1.png", 1), ("b/2.png", 2), ("b/3.png", 3)]);
    for name in ["a/list.csv", "b/notes.txt", "empty"] {
        fs::write(
            folder.path().join(name),
            if name == "empty" { "" } else { "hello" },
        )
        .unwrap();
    }
    let set = read(&folder);
    assert_eq!((levels(&set), labels(&set)), (vec![1, 2, 3], vec![0, 1, 1]));
    assert_eq!(set.classes, ["a", "b"]);
    let (_, notes) = heard(&folder);
    let [note] = &notes[..] else {
        panic!("{notes:?}");
    };
    assert!(
        note.contains("3 files are no images and are left out"),
        "{note}"
    );
    assert!(note.ends_with("list.csv"), "{note}");
}

#[test]
fn all_broken_images_are_listed_and_left_out_on_request() {
    let folder = folder(&[("train/1.png", 1), ("train/4.png", 4), ("test/2.png", 2)]);
    for name in ["train/2.png", "train/3.jpg", "test/1.png"] {
        fs::write(folder.path().join(name), "hello").unwrap();
    }
    let text = refused(&folder);
    for words in ["3 images cannot be decoded", "2.png", "3.jpg", "1.png"] {
        assert!(text.contains(words), "no {words:?} in {text}");
    }
    let prepare = Prepare {
        skip_broken: true,
        ..Prepare::default()
    };
    let set = read_with(&folder, prepare.clone());
    assert_eq!((levels(&set), set.train.images.count()), (vec![1, 4, 2], 2));
    fs::remove_file(folder.path().join("test/2.png")).unwrap();
    let text = load_prepared(folder.path(), &prepare)
        .unwrap_err()
        .to_string();
    assert!(text.contains("test: there are no images in it"), "{text}");
}

#[test]
fn a_few_images_in_colour_are_named() {
    let names: Vec<String> = (0..20).map(|i| format!("{i}.png")).collect();
    let grey: Vec<(&str, u8)> = names.iter().map(|name| (name.as_str(), 9)).collect();
    let folder = folder(&grey);
    put(
        &folder,
        "7.png",
        RgbImage::from_pixel(8, 8, Rgb([9, 9, 10])),
    );
    let (_, notes) = heard(&folder);
    assert!(
        notes[0].contains("in colour because of 1 of 20"),
        "{notes:?}"
    );
    assert!(notes[0].ends_with("7.png"), "{notes:?}");
    for name in &names[..5] {
        put(&folder, name, RgbImage::from_pixel(8, 8, Rgb([9, 9, 10])));
    }
    assert!(heard(&folder).1.is_empty());
}

/// The bytes of a JPEG with an orientation in its EXIF data.
fn turned(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    // Big-endian TIFF: one entry, the tag 0x0112, a short.
    let tiff = [
        &b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0"[..],
        &[orientation, 0, 0, 0, 0, 0, 0],
    ];
    let exif = [b"Exif\0\0", tiff.concat().as_slice()].concat();
    let length = (exif.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], b"\xff\xe1", &length, &exif, &jpeg[2..]].concat()
}

// Each picture is dark on the left and light on the right, unless it is turned or transparent.
#[test]
fn pictures_of_any_form_are_read_as_they_are_seen() {
    let level = |x: u32| if x < 4 { 30 } else { 220 };
    let picture = GrayImage::from_fn(8, 8, |x, _| Luma([level(x)]));
    let bytes_as = |image: &DynamicImage, format| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    };
    let grey = DynamicImage::from(picture.clone());
    let (png, jpeg) = (
        bytes_as(&grey, ImageFormat::Png),
        bytes_as(&grey, ImageFormat::Jpeg),
    );
    let deep = ImageBuffer::from_fn(8, 8, |x, _| Luma([257 * u16::from(level(x))]));
    let mut animation = Vec::new();
    {
        let mut encoder =
            gif::Encoder::new(&mut animation, 8, 8, &[30, 30, 30, 220, 220, 220]).unwrap();
        let first: Vec<u8> = (0..64).map(|i| u8::from(i % 8 >= 4)).collect();
        for pixels in [first, vec![0; 64]] {
            let frame = gif::Frame::from_indexed_pixels(8, 8, pixels, None);
            encoder.write_frame(&frame).unwrap();
        }
    }
    let sides = |bytes: &[u8], name: &str| {
        let folder = tempfile::tempdir().unwrap();
        for n in 0..2 {
            fs::write(folder.path().join(format!("{n}{name}")), bytes).unwrap();
        }
        let set = read(&folder);
        let image = set.train.images.bytes().unwrap();
        let at = |y: usize, x: usize| (image[8 * y + x] + 5) / 10;
        [at(1, 1), at(1, 6), at(6, 1), at(6, 6)]
    };
    let upright = [3, 22, 3, 22];
    assert_eq!(sides(&png, ".jpg"), upright, "a wrong extension");
    assert_eq!(
        sides(&bytes_as(&deep.into(), ImageFormat::Png), ".png"),
        upright,
        "16 bits"
    );
    assert_eq!(
        sides(&animation, ".gif"),
        upright,
        "a palette; the first of two frames"
    );
    assert_eq!(sides(&jpeg, ".jpg"), upright);
    // Turned by a quarter, dark is above; mirrored, dark is on the right.
    assert_eq!(sides(&turned(&jpeg, 6), ".jpg"), [3, 3, 22, 22]);
    assert_eq!(sides(&turned(&jpeg, 2), ".jpg"), [22, 3, 22, 3]);
}

// A white square in the middle of a black picture that is wider than high.
#[test]
fn proportions_are_stretched_cropped_or_padded() {
    let folder = tempfile::tempdir().unwrap();
    let inside = |x: u32| (12..20).contains(&x);
    let picture = GrayImage::from_fn(32, 8, |x, _| Luma([if inside(x) { 255 } else { 0 }]));
    put(&folder, "1.png", picture.clone());
    put(&folder, "2.png", picture);
    let middle = |fit, background| {
        let set = read_with(
            &folder,
            Prepare {
                size: Some(Size::Square(8)),
                fit,
                background,
                ..Prepare::default()
            },
        );
        let row = |y: usize| set.train.images.bytes().unwrap()[8 * y..8 * y + 8].to_vec();
        (row(4), row(0))
    };
    let (stretched, _) = middle(Fit::Stretch, None);
    assert!(stretched[3] > 200 && stretched[1] < 50, "{stretched:?}");
    assert_eq!(middle(Fit::Crop, None), (vec![255; 8], vec![255; 8]));
    let (padded, edge) = middle(Fit::Pad, Some([200; 3]));
    assert!(padded[3] > 200 && padded[1] < 50, "{padded:?}");
    assert_eq!(edge, [200; 8]);
    // A coloured edge gives grey pictures colour, if there is an edge.
    let on_red = |fit| Prepare {
        size: Some(Size::Square(8)),
        fit,
        background: Some([255, 0, 0]),
        ..Prepare::default()
    };
    let set = read_with(&folder, on_red(Fit::Pad));
    assert_eq!(set.shape(), [8, 8, 3]);
    assert_eq!(set.train.images.bytes().unwrap()[..3], [255, 0, 0]);
    assert_eq!(read_with(&folder, on_red(Fit::Crop)).shape(), [8, 8, 1]);
    let sides = Prepare {
        size: Some(Size::Sides([4, 16])),
        ..Prepare::default()
    };
    assert_eq!(read_with(&folder, sides).shape(), [4, 16, 1]);
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

/// What a listener hears while the folder is read: the images that are done, and the notes.
fn heard(folder: &TempDir) -> (Vec<(usize, usize)>, Vec<String>) {
    let (mut done, mut notes) = (Vec::new(), Vec::new());
    let mut listener = |progress: Progress<'_>| match progress {
        Progress::Decode { done: n, of } => done.push((n, of)),
        Progress::Note(text) => notes.push(text.to_owned()),
        other => panic!("{other:?}"),
    };
    let (source, prepare) = (folder.path().to_str().unwrap(), Prepare::default());
    data::load_prepared(source, Binarize::None, &prepare, &mut listener).unwrap();
    (done, notes)
}

#[test]
fn a_listener_hears_of_every_image() {
    let folder = folder(&[("1.png", 1), ("2.png", 2)]);
    assert_eq!(heard(&folder), (vec![(0, 2), (1, 2), (2, 2)], vec![]));
}

#[test]
fn lost_labels_are_noted() {
    let folder = folder(&[("cat/1.png", 1), ("dog/2.png", 2), ("stray.png", 3)]);
    assert!(read(&folder).classes.is_empty());
    let (_, notes) = heard(&folder);
    assert_eq!(notes.len(), 1);
    assert!(notes[0].contains("the images get no labels") && notes[0].contains("stray.png"));
}

#[test]
fn more_classes_than_a_byte_counts_keep_their_labels() {
    let names: Vec<String> = (0..300).map(|i| format!("class {i}/a.png")).collect();
    let files: Vec<(&str, u8)> = names.iter().map(|name| (name.as_str(), 7)).collect();
    let found = read(&folder(&files));
    let mut labels = labels(&found);
    labels.sort_unstable();
    assert_eq!(labels, Vec::from_iter(0..300));
    assert_eq!(found.test.labels.unwrap()[..2], [9, 19]);
    assert_eq!(
        (found.classes.len(), found.classes[299].as_str()),
        (300, "class 299")
    );
}

#[test]
fn one_in_every_so_many_is_held_out_whatever_the_class() {
    let names: Vec<String> = (0..30).map(|i| format!("{}/{i}.png", i / 10)).collect();
    let files: Vec<(&str, u8)> = names.iter().map(String::as_str).zip(0..).collect();
    let found = read(&folder(&files));
    let rest: Vec<u8> = (0..30).filter(|i| i % 10 != 9).collect();
    assert_eq!(levels(&found), [&rest[..], &[9, 19, 29]].concat());
    let of = |level: &u8| u32::from(level / 10);
    assert_eq!(found.train.labels, Some(rest.iter().map(of).collect()));
    assert_eq!(found.test.labels, Some(vec![0, 1, 2]));
}
