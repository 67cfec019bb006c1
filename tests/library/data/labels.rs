//! Labels in a file of their own.

use std::fs;
use std::path::Path;

use cvae_gpu::data::{self, Binarize, ImageSet, Prepare};
use tempfile::TempDir;

use crate::sets::npy;

/// Twelve grey images in an array; image i has the value i.
fn array(folder: &Path) -> String {
    let path = folder.join("images.npy");
    let values: Vec<u8> = (0..12).map(|i| 20 * i).collect();
    fs::write(&path, npy("|u1", "(12, 1, 1)", &values)).unwrap();
    path.to_str().unwrap().to_owned()
}

fn load(source: &str, labels: &Path) -> Result<ImageSet, String> {
    let prepare = Prepare {
        labels: Some(labels.to_owned()),
        ..Prepare::default()
    };
    let set = data::load_prepared(source, Binarize::None, &prepare, &mut |_| ());
    set.map_err(|e| e.to_string())
}

/// The labels of the images in their order; the one held out is the last.
fn labels(set: &ImageSet) -> Vec<u32> {
    let splits = [&set.train, &set.test].into_iter();
    splits
        .flat_map(|split| split.labels.clone().unwrap())
        .collect()
}

#[test]
fn arrays_and_tables_of_numbers_are_labels_in_order() {
    let folder = TempDir::new().unwrap();
    let source = array(folder.path());
    let file = folder.path().join("labels");
    let lines = |head: &str, line: &dyn Fn(usize) -> String| {
        head.to_owned() + &(0..12).map(line).collect::<String>()
    };
    let numbers: Vec<u8> = (0..12).map(|i| i % 5).collect();
    for bytes in [
        npy("|u1", "(12,)", &numbers),
        npy("|u1", "(12, 1)", &numbers),
        lines("", &|i| format!("{}\n", i % 5)).into_bytes(),
        lines("label\r\n", &|i| format!("{}\r\n", i % 5)).into_bytes(),
        lines("id, Class ,more\n", &|i| format!("{i},\"{}\",x\n", i % 5)).into_bytes(),
    ] {
        fs::write(&file, &bytes).unwrap();
        let set = load(&source, &file).unwrap();
        let expected: Vec<u32> = (0..12).map(|i| i % 5).collect();
        assert_eq!(
            labels(&set),
            expected,
            "{}",
            String::from_utf8_lossy(&bytes)
        );
        assert!(set.classes.is_empty());
    }
}

#[test]
fn names_of_classes_are_numbered_in_natural_order() {
    let folder = TempDir::new().unwrap();
    let (source, file) = (array(folder.path()), folder.path().join("labels.csv"));
    let names = ["class 10", "class 9", "a, b"];
    let lines = (0..12).map(|i| format!("\"{}\"\n", names[i % 3]));
    fs::write(&file, lines.collect::<String>()).unwrap();
    let set = load(&source, &file).unwrap();
    assert_eq!(set.classes, ["a, b", "class 9", "class 10"]);
    assert_eq!(labels(&set)[..6], [2, 1, 0, 2, 1, 0]);
}

#[test]
fn files_find_their_labels_by_path_or_name() {
    let folder = TempDir::new().unwrap();
    let images = folder.path().join("images");
    for i in 0..12u8 {
        let at = images.join(if i % 2 == 0 { "even" } else { "odd" });
        fs::create_dir_all(&at).unwrap();
        let image = image::GrayImage::from_pixel(4, 4, image::Luma([i]));
        image.save(at.join(format!("{i}.png"))).unwrap();
    }
    let (source, file) = (images.to_str().unwrap(), folder.path().join("labels.csv"));
    // In any order, some by path and some by name; the class folders do not count.
    let line = |i: usize| match i % 3 {
        0 => format!("{},{i}.png\n", i / 4),
        _ if i.is_multiple_of(2) => format!("{},even/{i}.png\n", i / 4),
        _ => format!("{},odd\\{i}.png\n", i / 4),
    };
    let table = |count: usize| {
        "label,filename\n".to_owned() + &(0..count).rev().map(line).collect::<String>()
    };
    fs::write(&file, table(12)).unwrap();
    let set = load(source, &file).unwrap();
    let names = [&set.train, &set.test]
        .map(|split| split.names.clone().unwrap())
        .concat();
    let number = |name: &String| name[name.find('/').unwrap() + 1..name.len() - 4].parse::<u32>();
    let expected: Vec<u32> = names.iter().map(|name| number(name).unwrap() / 4).collect();
    assert_eq!(labels(&set), expected);
    assert!(set.classes.is_empty(), "{:?}", set.classes);
    fs::write(&file, table(9)).unwrap();
    let error = load(source, &file).unwrap_err();
    assert!(error.contains("no label for 3 of 12 images"), "{error}");
}

#[test]
fn what_is_no_label_for_each_image_is_refused() {
    let folder = TempDir::new().unwrap();
    let (source, file) = (array(folder.path()), folder.path().join("labels.csv"));
    for (text, expected) in [
        ("1\n2\n", "it holds 2 labels, but there are 12 images"),
        ("", "it holds 0 labels"),
        ("a,b,c\n1,2,3\n", "3 columns and none is named `label`"),
        ("x.png,1\n", "the images are not files"),
        ("1,2\n3\n", "no table of labels"),
        ("1\n\"\"\n", "label of image 1 is empty"),
    ] {
        fs::write(&file, text).unwrap();
        let error = load(&source, &file).unwrap_err();
        assert!(
            error.contains("labels.csv") && error.contains(expected),
            "{text:?}: {error}"
        );
    }
    let error = load("mnist", &file).unwrap_err();
    assert!(error.contains("takes no file of labels"), "{error}");
}

#[test]
fn a_line_that_does_not_end_is_refused_by_its_number() {
    let folder = TempDir::new().unwrap();
    let (source, file) = (array(folder.path()), folder.path().join("labels.csv"));
    let many = 2 << 20;
    for (text, line) in [
        ("7,".repeat(many), "line 1 "),
        ("7\n".repeat(5) + &"7".repeat(many), "line 6 "),
        (format!("7\n8\n\"{}", "7\n".repeat(many)), "line 3 "),
    ] {
        fs::write(&file, text).unwrap();
        let error = load(&source, &file).unwrap_err();
        for word in [
            "labels.csv",
            line,
            "longer than 1 MiB",
            "quote",
            "per image",
        ] {
            assert!(error.contains(word), "no {word:?} in {error}");
        }
    }
    // Many lines are counted.
    fs::write(&file, "7\n".repeat(many)).unwrap();
    let error = load(&source, &file).unwrap_err();
    assert!(error.contains("holds 2097152 labels"), "{error}");
}

#[test]
fn labels_that_replace_others_are_noted() {
    let folder = TempDir::new().unwrap();
    let images = folder.path().join("images");
    for i in 0..12u8 {
        let at = images.join(if i % 2 == 0 { "even" } else { "odd" });
        fs::create_dir_all(&at).unwrap();
        let image = image::GrayImage::from_pixel(4, 4, image::Luma([i]));
        image.save(at.join(format!("{i}.png"))).unwrap();
    }
    let file = folder.path().join("labels.csv");
    fs::write(&file, "7\n".repeat(12)).unwrap();
    let prepare = Prepare {
        labels: Some(file),
        ..Prepare::default()
    };
    let (set, notes) = super::load_with_notes(&images, &prepare);
    assert_eq!(labels(&set.unwrap())[..2], [7, 7]);
    let [note] = &notes[..] else {
        panic!("{notes:?}");
    };
    assert!(
        note.contains("labels.csv") && note.contains("replace those of"),
        "{note}"
    );
}
