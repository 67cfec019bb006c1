//! Sets by name and by path.

use std::fs;
use std::path::Path;

use cvae_gpu::data::packed::{self, Provenance};
use cvae_gpu::data::{self, Binarize, DataError, Depth, ImageSet, PackedImages, Prepare, Split};

use crate::sets::{TEST_IMAGES, TRAIN_IMAGES, idx};

fn tiny() -> ImageSet {
    let split = |pixels: &[u8]| Split {
        images: PackedImages::from_bytes([1, 2, 1], pixels, Binarize::None),
        labels: None,
        names: None,
    };
    ImageSet::new("tiny", split(&[0, 128, 127, 255]), split(&[200, 3]))
}

#[test]
fn the_name_mnist_loads_the_embedded_set_whatever_the_binarization() {
    for binarize in [Binarize::Threshold, Binarize::None] {
        let set = data::load("mnist", binarize).unwrap();
        assert_eq!(set.name, "mnist");
        assert_eq!(set.shape(), [28, 28, 1]);
        assert_eq!(set.train.images.depth(), Depth::Bit);
    }
}

#[test]
fn bits_cannot_be_drawn_by() {
    let error = data::load("mnist", Binarize::Stochastic).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("`mnist`"), "{text}");
}

#[test]
fn a_source_that_does_not_exist_is_named() {
    let error = data::load("no/such/thing", Binarize::None).unwrap_err();
    assert!(matches!(error, DataError::SourceMissing(..)));
    let text = error.to_string();
    assert!(text.contains("no/such/thing"), "{text}");
}

#[test]
fn a_packed_set_of_bytes_is_kept_or_binarized_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiny.safetensors.gz");
    let bytes = packed::write(&tiny(), &Provenance::default()).unwrap();
    fs::write(&path, bytes).unwrap();
    let source = path.to_str().unwrap();

    assert_eq!(data::load(source, Binarize::None).unwrap(), tiny());
    let bits = data::load(source, Binarize::Threshold).unwrap();
    assert_eq!(bits.train.images.depth(), Depth::Bit);
    assert_eq!(bits.train.images.values(0).unwrap(), [0.0, 1.0]);
    assert_eq!(bits.train.images.values(1).unwrap(), [0.0, 1.0]);
    assert_eq!(bits.test.images.values(0).unwrap(), [1.0, 0.0]);
    // The device draws training images; test images are drawn here.
    let drawn = data::load(source, Binarize::Stochastic).unwrap();
    assert_eq!(drawn.train, tiny().train);
    assert_eq!(drawn.test.images, tiny().test.images.drawn().unwrap());
}

#[test]
fn a_folder_is_read_as_idx_files_and_gives_the_set_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let set = folder.path().join("digits");
    fs::create_dir(&set).unwrap();
    for (name, count) in [(TRAIN_IMAGES, 3), (TEST_IMAGES, 2)] {
        let bytes = idx(&[count, 2, 2], &vec![200; 4 * count as usize]);
        fs::write(set.join(name), bytes).unwrap();
    }
    let set = data::load(set.to_str().unwrap(), Binarize::Threshold).unwrap();
    assert_eq!(set.name, "digits");
    assert_eq!(set.shape(), [2, 2, 1]);
    assert_eq!((set.train.images.count(), set.test.images.count()), (3, 2));
    assert_eq!(set.train.labels, None);
}

fn set_pixels(images: &PackedImages) -> u32 {
    images
        .bytes()
        .unwrap()
        .iter()
        .map(|byte| byte.count_ones())
        .sum()
}

fn labels(split: &Split) -> &[u32] {
    split.labels.as_deref().unwrap()
}

#[test]
fn the_embedded_set_is_all_of_mnist() {
    let set = data::mnist::load().unwrap();
    assert_eq!(set.name, "mnist");
    assert_eq!(set.shape(), [28, 28, 1]);
    for (split, count, first, pixels) in [
        // Pixels of 128 or more, counted in the original files by another program.
        (&set.train, 60_000, [5, 0, 4, 1, 9], 6_221_431),
        (&set.test, 10_000, [7, 2, 1, 0, 4], 1_052_359),
    ] {
        assert_eq!(split.images.count(), count);
        assert_eq!(split.images.depth(), Depth::Bit);
        assert_eq!(split.images.words_per_image(), 25);
        assert_eq!(set_pixels(&split.images), pixels);
        assert_eq!(labels(split).len(), count);
        assert_eq!(labels(split)[..5], first);
        assert!(labels(split).iter().all(|&label| label < 10));
    }
}

#[test]
fn the_first_test_image_looks_like_a_seven() {
    let values = data::mnist::load().unwrap().test.images.values(0).unwrap();
    let row = |y: usize| -> String {
        let row = &values[y * 28..][..28];
        let ink = |&value: &f32| if value == 1.0 { '#' } else { '.' };
        row.iter().map(ink).collect()
    };
    assert_eq!(row(8), "......###############.......");
    assert_eq!(row(20), ".............###............");
}

/// The SHA-256 of each of MNIST's four files, decompressed.
const FILES: [(&str, &str); 4] = [
    (
        "train-images-idx3-ubyte",
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    (
        "train-labels-idx1-ubyte",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    (
        "t10k-images-idx3-ubyte",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    (
        "t10k-labels-idx1-ubyte",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
];

#[test]
fn the_embedded_set_carries_its_provenance() {
    let asset = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/mnist.safetensors.gz");
    let (_, packed) = packed::read(&fs::read(asset).unwrap(), Path::new("mnist")).unwrap();
    let prepare = Prepare::default();
    let built_in = data::provenance("mnist", Binarize::Threshold, &prepare, &mut |_| ()).unwrap();
    assert_eq!(built_in, packed);
    let known = data::known::by_name("mnist").unwrap();
    assert!(packed.origin.starts_with(known.origin));
    assert!(packed.origin.contains("binarized"));
    assert_eq!(packed.licence, known.licence);
    for (name, hash) in FILES {
        assert_eq!(packed.sources[name], hash);
        assert!(packed.sources.contains_key(&format!("{name}.gz")));
    }
    assert_eq!(packed.sources.len(), 8);
}
