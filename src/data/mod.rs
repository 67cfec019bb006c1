//! Image sets: training and test images, from any source, packed.
//!
//! Images are read once into [`PackedImages`], at one bit or one byte per value, and uploaded to
//! the GPU in that form ([`PackedImages::device_words`]). The GPU unpacks them, so that a whole set
//! fits in device memory.
//!
//! [`load`] takes the name or the path of a set:
//!
//! - `mnist`: the embedded MNIST set ([`mnist`]), already binarized;
//! - another name ([`known`]): files on this machine, or a download;
//! - a folder of the four MNIST-style IDX files ([`idx`]), raw or gzip;
//! - CIFAR-10's binary files in a folder or an archive;
//! - a folder of images; without a `test` folder, a part is held out;
//! - an array of images in a `.npy` file; a part is held out;
//! - a packed set file ([`packed`]), the format of the embedded set.
//!
//! [`Prepare`] resizes images and converts them to grey or colour. Nothing is shuffled or augmented.
//!
//! A set is a train and a test split of images of one size, with values in 0..=255 and optional
//! labels. A whole set must fit in main memory.
//!
//! All files are untrusted: no length is trusted before the bytes are read, and any defect is a
//! [`DataError`], never a panic.

mod error;
#[cfg(feature = "cli")]
pub mod known;
#[cfg(feature = "cli")]
mod order;
#[cfg(feature = "cli")]
mod prepare;
mod read;
mod set;
#[cfg(feature = "cli")]
mod source;

pub use error::DataError;
#[cfg(feature = "cli")]
pub use known::mnist;
#[cfg(feature = "cli")]
pub use order::Order;
#[cfg(feature = "cli")]
pub use prepare::{Listener, Prepare, Progress, TEST_FRACTION};
#[cfg(feature = "cli")]
pub use read::idx;
pub use read::packed;
pub use set::{Binarize, Depth, ImageSet, PackedImages, Split};

#[cfg(feature = "cli")]
use known::Places;
#[cfg(feature = "cli")]
use packed::Provenance;
#[cfg(feature = "cli")]
use source::Source;

/// Loads the set `source` and [binarizes](ImageSet::binarized) it.
///
/// A name of [`known::KNOWN`] is that set; for a folder or file of that name, write `./mnist`.
/// Anything else is a path; the content there decides the format.
#[cfg(feature = "cli")]
pub fn load(source: &str, binarize: Binarize) -> Result<ImageSet, DataError> {
    load_prepared(source, binarize, &Prepare::default(), &mut |_| ())
}

/// Loads a set like [`load`], prepares its images, and reports progress to the listener.
#[cfg(feature = "cli")]
pub fn load_prepared(
    source: &str,
    binarize: Binarize,
    prepare: &Prepare,
    listener: &mut Listener<'_>,
) -> Result<ImageSet, DataError> {
    let source = Source::find(source, &Places::of_user(), listener)?;
    source.read(prepare, listener)?.binarized(binarize)
}

/// Loads a set like [`load_prepared`], with its provenance.
///
/// The provenance lists the SHA-256 of each file, but not of a folder of images. A gzip IDX file has
/// two: of the file and of its content. Origin and licence are known for MNIST, recognised by these
/// sums, and for the sets known by name.
#[cfg(feature = "cli")]
pub fn load_with_provenance(
    source: &str,
    binarize: Binarize,
    prepare: &Prepare,
    listener: &mut Listener<'_>,
) -> Result<(ImageSet, Provenance), DataError> {
    let source = Source::find(source, &Places::of_user(), listener)?;
    let set = source.read(prepare, listener)?.binarized(binarize)?;
    Ok((set, source.provenance(binarize, prepare)?))
}

/// The provenance that [`load_with_provenance`] returns.
#[cfg(feature = "cli")]
pub fn provenance(
    source: &str,
    binarize: Binarize,
    prepare: &Prepare,
    listener: &mut Listener<'_>,
) -> Result<Provenance, DataError> {
    Source::find(source, &Places::of_user(), listener)?.provenance(binarize, prepare)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn tiny() -> ImageSet {
        let split = |pixels: &[u8]| Split {
            images: PackedImages::from_bytes([1, 2, 1], pixels, Binarize::None),
            labels: None,
        };
        ImageSet::new("tiny", split(&[0, 128, 127, 255]), split(&[200, 3]))
    }

    #[test]
    fn the_first_images_keep_their_labels() {
        let split = Split {
            labels: Some(vec![7, 9]),
            ..tiny().train
        };
        let first = split.clone().first(1);
        assert_eq!((first.images.count(), first.labels), (1, Some(vec![7])));
        assert_eq!(first.images.bytes(), [0, 128]);
        assert_eq!(split.clone().first(5), split);
    }

    #[test]
    fn the_name_mnist_loads_the_embedded_set_whatever_the_binarization() {
        for binarize in [Binarize::Threshold, Binarize::None] {
            let set = load("mnist", binarize).unwrap();
            assert_eq!(set.name, "mnist");
            assert_eq!(set.shape(), [28, 28, 1]);
            assert_eq!(set.train.images.depth(), Depth::Bit);
        }
    }

    #[test]
    fn bits_cannot_be_drawn_by() {
        let error = load("mnist", Binarize::Stochastic).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("`mnist`"), "{text}");
    }

    #[test]
    fn a_source_that_does_not_exist_is_named() {
        let error = load("no/such/thing", Binarize::None).unwrap_err();
        assert!(matches!(error, DataError::SourceMissing { .. }));
        let text = error.to_string();
        assert!(text.contains("no/such/thing"), "{text}");
    }

    #[test]
    fn a_packed_set_of_bytes_is_kept_or_binarized_on_request() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tiny.safetensors.gz");
        let bytes = packed::write(&tiny(), &packed::Provenance::default()).unwrap();
        fs::write(&path, bytes).unwrap();
        let source = path.to_str().unwrap();

        assert_eq!(load(source, Binarize::None).unwrap(), tiny());
        let bits = load(source, Binarize::Threshold).unwrap();
        assert_eq!(bits.train.images.depth(), Depth::Bit);
        assert_eq!(bits.train.images.values(0), [0.0, 1.0]);
        assert_eq!(bits.train.images.values(1), [0.0, 1.0]);
        assert_eq!(bits.test.images.values(0), [1.0, 0.0]);
        // The device draws training images; test images are drawn here.
        let drawn = load(source, Binarize::Stochastic).unwrap();
        assert_eq!(drawn.train, tiny().train);
        assert_eq!(drawn.test.images, tiny().test.images.drawn());
    }

    #[test]
    fn a_folder_is_read_as_idx_files_and_gives_the_set_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let set = folder.path().join("digits");
        fs::create_dir(&set).unwrap();
        for (name, count) in [("train", 3u8), ("t10k", 2)] {
            let mut bytes = vec![0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 2, 0, 0, 0, 2];
            bytes.resize(16 + 4 * usize::from(count), 200);
            fs::write(set.join(format!("{name}-images-idx3-ubyte")), bytes).unwrap();
        }
        let set = load(set.to_str().unwrap(), Binarize::Threshold).unwrap();
        assert_eq!(set.name, "digits");
        assert_eq!(set.shape(), [2, 2, 1]);
        assert_eq!((set.train.images.count(), set.test.images.count()), (3, 2));
        assert_eq!(set.train.labels, None);
    }
}
