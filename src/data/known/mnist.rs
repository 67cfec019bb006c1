//! The embedded set: all of MNIST, binarized, at one bit per pixel.
//!
//! The asset is a packed set file; `assets/README.md` describes its origin, its licence and how to
//! rebuild it.

use std::collections::BTreeMap;
use std::path::Path;

use crate::data::read::packed;
use crate::data::{DataError, ImageSet};

/// The name of the embedded set.
pub const NAME: &str = "mnist";

/// The packed set file, as embedded.
const ASSET: &[u8] = include_bytes!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/assets/mnist.safetensors.gz"
));

/// Where MNIST comes from.
pub(crate) const ORIGIN: &str = "the MNIST database of handwritten digits, by Yann LeCun, \
    Corinna Cortes and Christopher J.C. Burges, derived from NIST's Special Databases 1 and 3";

/// The licence of MNIST.
pub(crate) const LICENCE: &str = "CC BY-SA 3.0, as commonly stated; derived from data of NIST \
    in the public domain";

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

/// Unpacks the embedded set: 60,000 train and 10,000 test images of 28x28x1, with labels.
pub fn load() -> Result<ImageSet, DataError> {
    Ok(load_with_provenance()?.0)
}

/// The embedded set with its provenance.
pub(crate) fn load_with_provenance() -> Result<(ImageSet, packed::Provenance), DataError> {
    packed::read(ASSET, Path::new("the built-in set `mnist`"))
}

/// Whether the sums include those of MNIST's four files, decompressed. Names do not count, since the
/// files have several.
pub(crate) fn is_made_of(sources: &BTreeMap<String, String>) -> bool {
    FILES
        .iter()
        .all(|(_, hash)| sources.values().any(|found| found == hash))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Depth, PackedImages, Split};

    fn set_pixels(images: &PackedImages) -> u32 {
        images.bytes().iter().map(|byte| byte.count_ones()).sum()
    }

    fn labels(split: &Split) -> &[u32] {
        split.labels.as_deref().unwrap()
    }

    #[test]
    fn the_embedded_set_is_all_of_mnist() {
        let set = load().unwrap();
        assert_eq!(set.name, NAME);
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
        let values = load().unwrap().test.images.values(0);
        let row = |y: usize| -> String {
            let row = &values[y * 28..][..28];
            let ink = |&value: &f32| if value == 1.0 { '#' } else { '.' };
            row.iter().map(ink).collect()
        };
        assert_eq!(row(8), "......###############.......");
        assert_eq!(row(20), ".............###............");
    }

    #[test]
    fn the_embedded_set_carries_its_provenance() {
        let (_, provenance) = packed::read(ASSET, Path::new(NAME)).unwrap();
        assert!(provenance.origin.starts_with(ORIGIN));
        assert!(provenance.origin.contains("binarized"));
        assert_eq!(provenance.licence, LICENCE);
        for (name, hash) in FILES {
            assert_eq!(provenance.sources[name], hash);
            assert!(provenance.sources.contains_key(&format!("{name}.gz")));
        }
        assert_eq!(provenance.sources.len(), 8);
        assert!(is_made_of(&provenance.sources));
    }

    #[test]
    fn a_set_that_lacks_one_file_of_mnist_is_not_taken_for_it() {
        let all = FILES.map(|(name, hash)| (name.to_owned(), hash.to_owned()));
        assert!(is_made_of(&BTreeMap::from(all.clone())));
        assert!(!is_made_of(&all.into_iter().skip(1).collect()));
    }
}
