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

/// The SHA-256 of MNIST's four files, decompressed: training images and labels, test images and
/// labels.
const FILES: [&str; 4] = [
    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
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
        .all(|hash| sources.values().any(|found| found == hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_that_lacks_one_file_of_mnist_is_not_taken_for_it() {
        let all = FILES.map(|hash| (format!("file {hash}"), hash.to_owned()));
        assert!(is_made_of(&BTreeMap::from(all.clone())));
        assert!(!is_made_of(&all.into_iter().skip(1).collect()));
    }
}
