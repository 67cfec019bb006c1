//! Preparation of images: resizing, channels, the part that is held out.

use cvae_gpu::data::{Binarize, Order, Prepare, Size, load_prepared};

use crate::sets::npy;

#[test]
fn what_an_old_run_saved_is_read_in_its_order() {
    let read = |text| serde_json::from_str::<Prepare>(text).unwrap();
    let old = Prepare {
        order: Order::Bytes,
        ..Prepare::default()
    };
    assert_eq!(read(r#"{"size": null}"#), old);
    let new = Prepare::default();
    assert_eq!(new.order, Order::Natural);
    assert_eq!(read(&serde_json::to_string(&new).unwrap()), new);
}

#[test]
fn only_what_a_model_could_take_is_valid() {
    let size = |size| Prepare {
        size: Some(Size::Square(size)),
        ..Prepare::default()
    };
    let channels = |channels| Prepare {
        channels: Some(channels),
        ..Prepare::default()
    };
    let test_fraction = |fraction| Prepare {
        test_fraction: Some(fraction),
        ..Prepare::default()
    };
    let valid = [
        size(4),
        size(30),
        size(64),
        channels(1),
        channels(3),
        test_fraction(0.1),
    ];
    for prepare in valid {
        assert_eq!(prepare.validate(), Ok(()), "{prepare:?}");
    }
    for prepare in [size(3), size(513), size(8192)]
        .into_iter()
        .chain([0, 2, 4].map(channels))
        .chain([0.0, 1.0, f64::NAN].map(test_fraction))
    {
        assert!(prepare.validate().is_err(), "{prepare:?}");
    }
}

/// The training and the test images of an array of bytes.
fn prepared(shape: &str, bytes: &[u8], prepare: &Prepare) -> Result<[Vec<u8>; 2], String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("array.npy");
    std::fs::write(&path, npy("|u1", shape, bytes)).unwrap();
    let source = path.to_str().unwrap();
    let set = load_prepared(source, Binarize::None, prepare, &mut |_| ());
    let set = set.map_err(|e| e.to_string())?;
    Ok([set.train, set.test].map(|split| split.images.bytes().unwrap().to_vec()))
}

#[test]
fn parts_have_the_sizes_that_were_asked_for_and_at_least_one_image() {
    let cut = |count: u8, fraction| {
        let values: Vec<u8> = (0..count).map(|i| i + 2).collect();
        let prepare = Prepare {
            test_fraction: Some(fraction),
            ..Prepare::default()
        };
        prepared(&format!("({count}, 1, 1)"), &values, &prepare)
    };
    for (count, fraction, tests) in [(40, 0.1, 4), (7, 0.5, 4), (5, 0.01, 1), (10, 0.9, 9)] {
        let sizes = cut(count, fraction).unwrap().map(|part| part.len());
        assert_eq!(sizes, [usize::from(count) - tests, tests]);
    }
    assert!(cut(1, 0.1).unwrap_err().contains("too few images"));
    assert!(cut(4, 0.99).unwrap_err().contains("too few images"));
}

#[test]
fn grey_becomes_colour_and_colour_its_luminance() {
    let prepare = |channels| Prepare {
        channels,
        ..Prepare::default()
    };
    // Two images of two pixels; the second one is held out.
    let colours = [255, 0, 0, 77, 77, 77].repeat(2);
    let with = |shape, values: &[u8], channels| {
        prepared(shape, values, &prepare(channels)).unwrap()[0].clone()
    };
    assert_eq!(with("(2, 1, 2, 3)", &colours, Some(1)), [54, 77]);
    assert_eq!(with("(2, 1, 2, 3)", &colours, None), colours[..6]);
    let grey = with("(2, 1, 2)", &[54, 77, 54, 77], Some(3));
    assert_eq!(grey, [54, 54, 54, 77, 77, 77]);
}

#[test]
fn resizing_keeps_what_the_picture_shows_and_which_way_up_it_is() {
    let prepare = Prepare {
        size: Some(Size::Square(8)),
        ..Prepare::default()
    };
    // The upper right quarter is white.
    for channels in [1, 3] {
        let at = |i: usize| (i / channels / 16, i / channels % 16);
        let value = |i| if at(i).0 < 6 && at(i).1 >= 8 { 255 } else { 0 };
        let wide: Vec<u8> = (0..12 * 16 * channels).map(value).collect();
        let shape = format!("(2, 12, 16, {channels})");
        let [small, _] = prepared(&shape, &wide.repeat(2), &prepare).unwrap();
        assert_eq!(small.len(), 8 * 8 * channels);
        let pixel = |y: usize, x: usize| small[(8 * y + x) * channels];
        assert_eq!([pixel(0, 0), pixel(7, 0), pixel(7, 7)], [0; 3]);
        assert_eq!([pixel(0, 7), pixel(1, 6)], [255; 2]);
    }
}
