//! JPEGs of each kind, made by `jpeg/make.py` with Pillow and simplejpeg (libjpeg-turbo).

use std::fs;

use cvae_gpu::data::Prepare;

use super::{load_prepared, refused};

const HEIGHT: usize = 37;
const WIDTH: usize = 23;

/// The picture of `make.py`.
fn picture(y: usize, x: usize) -> [u8; 3] {
    let from = [y.abs_diff(18), x.abs_diff(11)];
    let in_disc = from[0].pow(2) + from[1].pow(2) < 64;
    let blue = if in_disc { 200 } else { 60 };
    [40 + 8 * x as u8, 230 - 5 * y as u8, blue]
}

/// The mean distance of a decoded JPEG from the picture, in levels.
fn distance(jpeg: &[u8], is_grey: bool) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    for name in ["1.jpg", "2.jpg"] {
        fs::write(folder.path().join(name), jpeg).unwrap();
    }
    let set = load_prepared(folder.path(), &Prepare::default()).unwrap();
    let channels = if is_grey { 1 } else { 3 };
    assert_eq!(set.shape(), [HEIGHT, WIDTH, channels]);
    let found = set.train.images.bytes().unwrap();
    let wanted = (0..HEIGHT * WIDTH).flat_map(|i| {
        let [r, g, b] = picture(i / WIDTH, i % WIDTH);
        // Luma of JFIF (Rec. 601), by which Pillow made the picture grey.
        let grey = (299 * u32::from(r) + 587 * u32::from(g) + 114 * u32::from(b) + 500) / 1000;
        let pixel = if is_grey { [grey as u8; 3] } else { [r, g, b] };
        pixel.into_iter().take(channels)
    });
    let apart: Vec<f64> = found
        .into_iter()
        .zip(wanted)
        .map(|(a, b)| a.abs_diff(b).into())
        .collect();
    apart.iter().sum::<f64>() / apart.len() as f64
}

// The limits are about half a level above the distances of what libjpeg decodes.
#[test]
fn jpegs_of_each_kind_show_the_picture() {
    for (name, jpeg, most) in [
        (
            "progressive",
            &include_bytes!("jpeg/progressive.jpg")[..],
            2.8,
        ),
        (
            "4:2:0 with odd sides",
            include_bytes!("jpeg/halved.jpg"),
            4.6,
        ),
        ("RGB", include_bytes!("jpeg/rgb.jpg"), 2.5),
        ("CMYK", include_bytes!("jpeg/cmyk.jpg"), 2.5),
        ("YCCK", include_bytes!("jpeg/ycck.jpg"), 2.5),
    ] {
        let found = distance(jpeg, false);
        println!("{name}: {found:.2}");
        assert!(found < most, "{name}: {found:.2} levels from the picture");
    }
    let found = distance(include_bytes!("jpeg/grey.jpg"), true);
    println!("grey: {found:.2}");
    assert!(found < 1.3, "grey: {found:.2} levels from the picture");
}

#[test]
fn cmyk_without_adobes_marker_is_refused_with_what_to_do() {
    // The marker is the first segment; without it, the inks count as not inverted.
    let jpeg = include_bytes!("jpeg/cmyk.jpg");
    assert_eq!(jpeg[2..11], *b"\xff\xee\0\x0eAdobe");
    let plain = [&jpeg[..2], &jpeg[18..]].concat();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("inks.jpg"), plain).unwrap();
    let text = refused(folder.path());
    for words in [
        "inks.jpg",
        "CMYK without Adobe's marker",
        "convert it to RGB",
    ] {
        assert!(text.contains(words), "no {words:?} in {text}");
    }
}

/// What loading a folder with this one file says.
fn refusal(name: &str, bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(name), bytes).unwrap();
    refused(folder.path())
}

#[test]
fn jpegs_that_end_early_or_have_a_rare_form_are_refused() {
    for whole in [
        &include_bytes!("jpeg/progressive.jpg")[..],
        include_bytes!("jpeg/rgb.jpg"),
        include_bytes!("jpeg/grey.jpg"),
    ] {
        for missing in [1, 2, 30, 100] {
            let text = refusal("cut.jpg", &whole[..whole.len() - missing]);
            assert!(text.contains("cut.jpg"), "{missing}: {text}");
            assert!(text.contains("ends before its image"), "{missing}: {text}");
        }
    }
    // The start of the frame says how it is coded.
    let rgb = include_bytes!("jpeg/rgb.jpg");
    let at = rgb
        .windows(4)
        .position(|four| four == [0xff, 0xc0, 0, 17])
        .unwrap();
    for (kind, bits, words) in [
        (0xc9, 8, "JPEG with arithmetic coding is not read"),
        (0xc3, 8, "lossless JPEG is not read"),
        (0xc1, 12, "JPEG of 12 bits is not read"),
    ] {
        let mut other = rgb.to_vec();
        (other[at + 1], other[at + 4]) = (kind, bits);
        let text = refusal("rare.jpg", &other);
        assert!(text.contains(words), "{text}");
    }
}

// Grey pixels take three times their bytes as colours.
#[test]
fn an_image_that_would_take_too_much_memory_is_refused_by_its_header() {
    let chunk = |kind: &[u8], data: &[u8]| {
        let mut crc = flate2::Crc::new();
        crc.update(kind);
        crc.update(data);
        let length = (data.len() as u32).to_be_bytes();
        [&length, kind, data, &crc.sum().to_be_bytes()].concat()
    };
    let side = 20_000u32.to_be_bytes();
    let header = [&side[..], &side, &[8, 0, 0, 0, 0]].concat();
    let png = [
        b"\x89PNG\r\n\x1a\n".to_vec(),
        chunk(b"IHDR", &header),
        chunk(b"IDAT", &[]),
        chunk(b"IEND", &[]),
    ];
    let text = refusal("large.png", &png.concat());
    assert!(text.contains("20000×20000 pixels are too many"), "{text}");
}
