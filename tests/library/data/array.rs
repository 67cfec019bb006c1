//! Arrays of images.

use std::io::{Seek, SeekFrom, Write};

use cvae_gpu::data::{self, Binarize, DataError, Depth, Fit, ImageSet, Prepare, Progress, Size};
use cvae_gpu::files::npy::to_bytes;

use super::load;
use crate::sets::{npy, npy_of};

/// The set in a file of these bytes. Of two images the second one is held out.
fn read(bytes: &[u8]) -> Result<ImageSet, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("array.npy");
    std::fs::write(&path, bytes).unwrap();
    load(&path).map_err(|e| e.to_string())
}

fn values(set: &ImageSet) -> [Vec<u8>; 2] {
    [&set.train, &set.test].map(|split| split.images.bytes().unwrap())
}

#[test]
fn bytes_booleans_and_floats_are_images() {
    let bytes = read(&npy("|u1", "(2, 1, 3)", &[0, 1, 2, 128, 254, 255])).unwrap();
    assert_eq!((bytes.name.as_str(), bytes.shape()), ("array", [1, 3, 1]));
    assert_eq!(values(&bytes), [[0, 1, 2], [128, 254, 255]]);
    let truth = read(&npy("|b1", "(2, 2, 1, 1)", &[0, 1, 1, 0])).unwrap();
    assert_eq!(truth.shape(), [2, 1, 1]);
    assert_eq!(values(&truth), [[0, 255], [255, 0]]);
    let floats = to_bytes(&[2, 1, 1, 3], &[0.0, 0.2, 0.5, 1.0, 0.001, 0.002]);
    let floats = read(&floats).unwrap();
    assert_eq!(floats.shape(), [1, 1, 3]);
    assert_eq!(values(&floats), [[0, 51, 128], [255, 0, 1]]);
}

#[test]
fn a_value_out_of_range_is_named_by_its_index() {
    for (wrong, shown) in [(f32::NAN, "NaN"), (1.5, "1.5"), (f32::NEG_INFINITY, "-inf")] {
        let mut values = [0.5; 2 * 2 * 3];
        values[8] = wrong;
        let refused = read(&to_bytes(&[2, 2, 3], &values)).unwrap_err();
        assert!(refused.contains("[1, 0, 2]"), "{refused}");
        assert!(refused.contains(shown), "{refused}");
    }
}

#[test]
fn other_arrays_are_refused_with_what_to_save_instead() {
    for (bytes, words) in [
        (npy("|u1", "(4,)", &[9; 4]), "[N, H, W]"),
        (npy("|u1", "(2, 6)", &[9; 12]), "rows of 6 numbers"),
        (npy("|u1", "(1, 2, 2, 2)", &[9; 8]), "1 or 3"),
        (npy("|u1", "(0, 2, 2)", &[]), "no image"),
        (npy("|u1", "(9, 2, 2)", &[7; 4]), "incomplete"),
        (npy("<c8", "(1, 1, 1)", &[0; 8]), "astype"),
        (npy("<u2", "(1, 1, 1)", &[0, 1]), "at [0, 0, 0] is 256"),
        (
            npy(
                "<f8",
                "(1, 1, 2)",
                &[-1e60f64, 0.0].map(f64::to_le_bytes).concat(),
            ),
            "at [0, 0, 0] is -1",
        ),
        (npy("<f2", "(1, 1, 1)", &[0x00, 0x7c]), "is inf"),
    ] {
        let refused = read(&bytes).unwrap_err();
        assert!(refused.contains(words), "{refused}");
    }
}

#[test]
fn numbers_of_any_type_are_taken_for_what_they_are() {
    let shape = "(2, 1, 3)";
    let whole = [0u8, 1, 2, 128, 254, 255];
    let wide = |number: fn(u8) -> Vec<u8>| whole.iter().flat_map(|n| number(*n)).collect();
    let cases: [(&str, Vec<u8>); 9] = [
        ("<u2", wide(|n| u16::from(n).to_le_bytes().to_vec())),
        (">u4", wide(|n| u32::from(n).to_be_bytes().to_vec())),
        ("<i8", wide(|n| i64::from(n).to_le_bytes().to_vec())),
        (">i2", wide(|n| i16::from(n).to_be_bytes().to_vec())),
        (">u8", wide(|n| u64::from(n).to_be_bytes().to_vec())),
        ("<f4", wide(|n| f32::from(n).to_le_bytes().to_vec())),
        (">f8", wide(|n| f64::from(n).to_be_bytes().to_vec())),
        (
            "<f2",
            wide(|n| half::f16::from_f32(n.into()).to_le_bytes().to_vec()),
        ),
        (
            ">f2",
            wide(|n| half::f16::from_f32(n.into()).to_be_bytes().to_vec()),
        ),
    ];
    for (dtype, data) in cases {
        let set = read(&npy(dtype, shape, &data)).unwrap();
        assert_eq!(values(&set), [&whole[..3], &whole[3..]], "{dtype}");
    }
    let half = [0.0, 0.5, 1.0, 0.2, 0.25, 0.75].map(half::f16::from_f32);
    let half: Vec<u8> = half.iter().flat_map(|v| v.to_le_bytes()).collect();
    let set = read(&npy("<f2", shape, &half)).unwrap();
    assert_eq!(values(&set), [[0, 128, 255], [51, 64, 191]]);
    let bits = read(&npy("|u1", shape, &[0, 1, 1, 0, 0, 1])).unwrap();
    assert_eq!(values(&bits), [[0, 255, 255], [0, 0, 255]]);
}

/// The set, and the notes on it.
fn noted(header: &str, data: &[u8], prepare: &Prepare) -> Result<(ImageSet, Vec<String>), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("array.npy");
    std::fs::write(&path, npy_of(&format!("{header}\n"), data)).unwrap();
    let mut notes = Vec::new();
    let mut listener = |progress: Progress<'_>| {
        if let Progress::Note(text) = progress {
            notes.push(text.to_owned());
        }
    };
    let source = path.to_str().unwrap();
    let set = data::load_prepared(source, Binarize::None, prepare, &mut listener);
    set.map(|set| (set, notes)).map_err(|e| e.to_string())
}

fn header(order: &str, shape: &str) -> String {
    format!("{{'descr': '|u1', 'fortran_order': {order}, 'shape': {shape}, }}")
}

// Image i, row y, column x and channel c have the value 100 i + 40 y + 10 x + c.
#[test]
fn axes_in_other_orders_are_put_right() {
    let value = |i, y, x, c| 100 * i + 40 * y + 10 * x + c;
    let count = |axes: [u8; 4], value: &dyn Fn([u8; 4]) -> u8| -> Vec<u8> {
        let [a, b, c, d] = axes.map(|n| 0..n);
        let first = a.flat_map(|i| b.clone().map(move |j| (i, j)));
        let next = first.flat_map(|(i, j)| c.clone().map(move |k| (i, j, k)));
        let last = next.flat_map(|(i, j, k)| d.clone().map(move |l| [i, j, k, l]));
        last.map(value).collect()
    };
    let expected = count([2, 2, 4, 3], &|[i, y, x, c]| value(i, y, x, c));
    let parts = [&expected[..24], &expected[24..]].map(<[u8]>::to_vec);
    let usual = Prepare::default();

    let fortran = count([3, 4, 2, 2], &|[c, x, y, i]| value(i, y, x, c));
    let (set, notes) = noted(&header("True", "(2, 2, 4, 3)"), &fortran, &usual).unwrap();
    assert_eq!((set.shape(), values(&set)), ([2, 4, 3], parts.clone()));
    assert!(notes.is_empty(), "{notes:?}");

    let first = count([2, 3, 2, 4], &|[i, c, y, x]| value(i, y, x, c));
    let (set, notes) = noted(&header("False", "(2, 3, 2, 4)"), &first, &usual).unwrap();
    assert_eq!((set.shape(), values(&set)), ([2, 4, 3], parts.clone()));
    assert!(notes[0].contains("channels first"), "{notes:?}");
}

#[test]
fn rows_of_numbers_are_images_of_the_given_size() {
    let data: Vec<u8> = (0..96).collect();
    let flat = header("False", "(2, 48)");
    let sized = |size| Prepare {
        image_size: Some(size),
        ..Prepare::default()
    };
    let (set, _) = noted(&flat, &data, &sized([4, 4, 3])).unwrap();
    assert_eq!(set.shape(), [4, 4, 3]);
    assert_eq!(values(&set), [&data[..48], &data[48..]]);
    let refused = noted(&flat, &data, &sized([4, 5, 3])).unwrap_err();
    assert!(refused.contains("48 numbers"), "{refused}");
    let images = header("False", "(2, 6, 8)");
    assert!(noted(&images, &data, &sized([6, 8, 1])).is_ok());
    let refused = noted(&images, &data, &sized([8, 6, 1])).unwrap_err();
    assert!(refused.contains("6×8×1, not 8×6×1"), "{refused}");
}

#[test]
fn images_of_a_large_array_stay_in_its_file() {
    const COUNT: u64 = 300 << 10;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("array.npy");
    let header = npy_of(&header("False", &format!("({COUNT}, 32, 32)")), &[]);
    let start = header.len() as u64;
    let mut file = std::fs::File::create(&path).unwrap();
    file.write_all(&header).unwrap();
    // Most of the file is a hole, which reads as zeros.
    file.set_len(start + COUNT * 1024).unwrap();
    file.seek(SeekFrom::Start(start + COUNT * 1024 - 2))
        .unwrap();
    file.write_all(&[51, 255]).unwrap();
    let set = load(&path).unwrap();
    let (train, test) = (&set.train.images, &set.test.images);
    assert_eq!(train.count() + test.count(), COUNT as usize);
    let last = test.values(test.count() - 1).unwrap();
    assert_eq!(last[1021..], [0.0, 0.2, 1.0]);
    let words = train.words_of([7, 0].into_iter()).unwrap();
    assert_eq!(words, [0; 512]);
    // The file is read whenever images are wanted, and may be gone by then.
    file.set_len(start + 5000).unwrap();
    let error = test.values(test.count() - 1).unwrap_err().to_string();
    assert!(error.contains("array.npy: cannot be read"), "{error}");
}

// More than a piece of the file, in every order; the numbers are those of NumPy's float32.
#[test]
fn images_with_numbers_below_0_keep_their_numbers() {
    const SHAPE: [usize; 4] = [40, 61, 7, 3];
    let value = |i: usize| (i * i % 1009) as f64 / 100.0 - 4.0;
    let count = SHAPE.iter().product();
    let numbers: Vec<f64> = (0..count).map(value).collect();
    let single: Vec<f32> = numbers.iter().map(|v| *v as f32).collect();
    let little: Vec<u8> = single.iter().flat_map(|v| v.to_le_bytes()).collect();
    let big: Vec<u8> = numbers.iter().flat_map(|v| v.to_be_bytes()).collect();
    let [n, h, w, c] = SHAPE;
    let mut fortran = vec![0; big.len()];
    for (i, number) in big.chunks(8).enumerate() {
        let [image, y, x, k] = [i / (h * w * c), i / (w * c) % h, i / c % w, i % c];
        let place = image + n * (y + h * (x + w * k));
        fortran[8 * place..][..8].copy_from_slice(number);
    }
    let header = |kind: &str, order: &str| {
        format!("{{'descr': '{kind}', 'fortran_order': {order}, 'shape': {SHAPE:?}, }}")
            .replace('[', "(")
            .replace(']', ")")
    };
    for (kind, order, data) in [
        ("<f4", "False", &little),
        (">f8", "False", &big),
        (">f8", "True", &fortran),
    ] {
        let (set, notes) = noted(&header(kind, order), data, &Prepare::default()).unwrap();
        assert!(notes[0].contains("below 0"), "{notes:?}");
        assert_eq!(
            (set.shape(), set.train.images.depth()),
            ([h, w, c], Depth::Float)
        );
        let (mut train, mut test) = (0, 0);
        for (i, wanted) in single.chunks(h * w * c).enumerate() {
            let (split, at) = match i % 10 {
                9 => (&set.test, &mut test),
                _ => (&set.train, &mut train),
            };
            assert_eq!(
                split.images.values(*at).unwrap(),
                wanted,
                "{kind} {order} {i}"
            );
            *at += 1;
        }
        let range = set.train.images.range().unwrap();
        assert_eq!(range, Some([-4.0, 6.08]));
        for binarize in [Binarize::Threshold, Binarize::Stochastic] {
            let refused = set.clone().binarized(binarize).unwrap_err();
            assert!(matches!(refused, DataError::NotLevels));
        }
    }
}

// A plane keeps its slope at another size, and padding adds zeros.
#[test]
fn numbers_below_0_are_resized_as_they_are() {
    let plane = |image: usize, y: usize, x: usize| image as f32 - 9.0 + (x + 2 * y) as f32;
    let pixels =
        (0..2).flat_map(|i| (0..8).flat_map(move |y| (0..16).map(move |x| plane(i, y, x))));
    let path = tempfile::tempdir().unwrap();
    let file = path.path().join("array.npy");
    std::fs::write(&file, to_bytes(&[2, 8, 16], &pixels.collect::<Vec<_>>())).unwrap();
    let load = |prepare: Prepare| {
        let set = data::load_prepared(
            file.to_str().unwrap(),
            Binarize::None,
            &prepare,
            &mut |_| (),
        );
        set.unwrap().train.images.values(0).unwrap()
    };
    let half = Prepare {
        size: Some(Size::Sides([4, 8])),
        channels: Some(3),
        ..Prepare::default()
    };
    let values = load(half);
    // Pixel (1, 3) of the half is about the mean of pixels (2, 6) to (3, 7); the edge is near.
    assert!(
        (values[3 * (8 + 3)] - (plane(0, 2, 6) + 1.5)).abs() < 0.1,
        "{values:?}"
    );
    assert_eq!(values[3 * 11], values[3 * 11 + 2]);
    let padded = load(Prepare {
        size: Some(Size::Square(16)),
        fit: Fit::Pad,
        ..Prepare::default()
    });
    assert!(padded[..64].iter().all(|v| v.abs() < 1e-6), "{padded:?}");
    assert!((padded[16 * 4] - plane(0, 0, 0)).abs() < 1e-5, "{padded:?}");
}
