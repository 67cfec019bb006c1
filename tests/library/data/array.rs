//! Arrays of images.

use cvae_gpu::data::ImageSet;
use cvae_gpu::files::npy::to_bytes;

use super::load;
use crate::sets::npy;

/// The set in a file of these bytes. Of two images the second one is held out.
fn read(bytes: &[u8]) -> Result<ImageSet, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("array.npy");
    std::fs::write(&path, bytes).unwrap();
    load(&path).map_err(|e| e.to_string())
}

fn values(set: &ImageSet) -> [&[u8]; 2] {
    [&set.train, &set.test].map(|split| split.images.bytes())
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
    for (wrong, shown) in [(f32::NAN, "NaN"), (1.5, "1.5"), (-0.1, "-0.1")] {
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
        (npy("|u1", "(1, 2, 2, 2)", &[9; 8]), "1 or 3"),
        (
            npy("|u1", "(1, 3, 2, 2)", &[9; 12]),
            "transpose(0, 2, 3, 1)",
        ),
        (npy("|u1", "(0, 2, 2)", &[]), "no image"),
        (npy("|u1", "(1, 2, 2)", &[0, 1, 1, 0]), "multiply by 255"),
        (npy("|u1", "(9, 2, 2)", &[7; 4]), "incomplete"),
        (npy("<i8", "(1, 1, 1)", &[0; 8]), "astype"),
    ] {
        let refused = read(&bytes).unwrap_err();
        assert!(refused.contains(words), "{refused}");
    }
}
