//! Image sets: training and test images, from any source, packed.
//!
//! Images are read into [`PackedImages`], at one bit or one byte per value, and uploaded to
//! the GPU in that form ([`PackedImages::words_of`]), all at once or a part at a time; the GPU unpacks
//! them.
//!
//! [`load`] takes the name or the path of a set:
//!
//! - `mnist`: the embedded MNIST set ([`mnist`]), already binarized;
//! - another name ([`known`]): files on this machine, or a download;
//! - a folder of the four MNIST-style IDX files, raw or gzip;
//! - CIFAR-10's binary files in a folder or an archive;
//! - a folder of images; without a `test` folder, a part is held out;
//! - shards of WebDataset, one or a folder of them; a part is held out;
//! - an array of images in a `.npy` file, or arrays in a `.npz` archive; without test images, a part is
//!   held out;
//! - a packed set file ([`packed`]), the format of the embedded set.
//!
//! [`Prepare`] resizes images and converts them to grey or colour. Nothing is shuffled or augmented.
//!
//! A set is a train and a test split of images of one size, with values in 0..=255 and optional
//! labels. Many images lie in a file and are read by position.
//!
//! All files are untrusted: no length is trusted before the bytes are read, and any defect is a
//! [`DataError`], never a panic.

#[cfg(feature = "cli")]
mod ahead;
mod error;
mod held_out;
#[cfg(feature = "cli")]
pub mod known;
#[cfg(not(feature = "cli"))]
mod later;
pub mod memory;
mod names;
mod order;
mod prepare;
mod read;
mod set;
#[cfg(feature = "cli")]
mod source;

#[cfg(feature = "cli")]
pub use ahead::Ahead;
pub use error::DataError;
#[cfg(feature = "cli")]
pub use known::mnist;
#[cfg(not(feature = "cli"))]
pub use later::Ahead;
pub use names::known_name;
pub use order::Order;
pub use prepare::{Fit, Listener, Prepare, Progress, Size, TEST_FRACTION};
pub use read::packed;
pub use set::{Binarize, Depth, ImageSet, LabelError, Labelled, PackedImages, Split, check_labels};

#[cfg(feature = "cli")]
use known::Places;
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

/// The provenance of the set that [`load_prepared`] returns.
///
/// It lists the SHA-256 of each file, but not of a folder of images. A gzip IDX file has two: of the
/// file and of its content. Origin and licence are known for MNIST, recognised by these sums, and for
/// the sets known by name.
#[cfg(feature = "cli")]
pub fn provenance(
    source: &str,
    binarize: Binarize,
    prepare: &Prepare,
    listener: &mut Listener<'_>,
) -> Result<packed::Provenance, DataError> {
    Source::find(source, &Places::of_user(), listener)?.provenance(binarize, prepare)
}
