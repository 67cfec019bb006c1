//! A set of two splits, packed.

mod bytes;
mod hold_out;
mod images;
mod labels;
#[cfg(not(feature = "cli"))]
mod memory;
#[cfg(feature = "cli")]
mod spill;
mod usual;

pub(super) use bytes::Bytes;
pub(crate) use images::floats;
pub use images::{Binarize, Depth, PackedImages};
pub use labels::{LabelError, Labelled, check_labels};

#[cfg(not(feature = "cli"))]
pub(super) use memory::Collector;
#[cfg(feature = "cli")]
pub(super) use spill::Collector;

use sha2::{Digest, Sha256};

use super::DataError;
use crate::files::hash::hex;

/// One part of a set: its images and, where the source has them, their labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// The images, packed.
    pub images: PackedImages,
    /// One label per image, in the order of the images; `None` where the source has none.
    pub labels: Option<Vec<u32>>,
    /// The path of each image below its folder; `None` where the images are not files.
    pub names: Option<Vec<String>>,
}

/// The items at these indices; `None` where an index is out of range.
fn chosen<T: Clone>(all: &[T], indices: &[usize]) -> Option<Vec<T>> {
    indices.iter().map(|i| all.get(*i).cloned()).collect()
}

impl Split {
    /// The images at these indices with their labels; `None` where an index is out of range.
    pub fn select(&self, indices: &[usize]) -> Option<Split> {
        let Split { labels, names, .. } = self;
        Some(Split {
            images: self.images.select(indices)?,
            labels: labels.as_ref().and_then(|all| chosen(all, indices)),
            names: names.as_ref().and_then(|all| chosen(all, indices)),
        })
    }

    /// The images of which `is_second` is false, and the others.
    pub(super) fn parted(&self, is_second: impl Fn(usize) -> bool) -> Option<[Split; 2]> {
        let part = |wanted: bool| {
            let all = 0..self.images.count();
            let chosen: Vec<usize> = all.filter(|i| is_second(*i) == wanted).collect();
            self.select(&chosen)
        };
        Some([part(false)?, part(true)?])
    }

    /// The first `count` images with their labels; all where there are fewer.
    pub fn first(mut self, count: usize) -> Split {
        self.images = self.images.first(count);
        if let Some(labels) = &mut self.labels {
            labels.truncate(count);
        }
        if let Some(names) = &mut self.names {
            names.truncate(count);
        }
        self
    }
}

/// A named set of images of one size, in a train and a test split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSet {
    /// The name in reports.
    pub name: String,
    /// The images to train on.
    pub train: Split,
    /// The images to evaluate on.
    pub test: Split,
    /// Training images that were held out to choose the best epoch ([`ImageSet::hold_out`]).
    pub validation: Option<Split>,
    /// The names of the classes, label 0 first; empty where they have none.
    pub classes: Vec<String>,
    /// The images are black and white, with grey levels from scanning or resizing only: MNIST, sets in
    /// its file format, and sets stored as bits.
    pub black_and_white: bool,
}

impl ImageSet {
    /// A set whose classes have no names. Both parts must be of one size.
    pub fn new(name: &str, train: Split, test: Split) -> ImageSet {
        ImageSet {
            name: name.into(),
            train,
            test,
            validation: None,
            classes: Vec::new(),
            black_and_white: false,
        }
    }

    /// A set of images without labels. Both parts must be of one size.
    pub fn unlabelled(name: &str, train: PackedImages, test: PackedImages) -> ImageSet {
        let [train, test] = [train, test].map(|images| Split {
            images,
            labels: None,
            names: None,
        });
        ImageSet::new(name, train, test)
    }

    /// Height, width and channels of every image in the set.
    pub fn shape(&self) -> [usize; 3] {
        self.train.images.shape()
    }

    /// The largest label; `None` where there are no labels.
    pub fn largest_label(&self) -> Option<u32> {
        let labels = [&self.train, &self.test].map(|split| split.labels.iter().flatten());
        labels.into_iter().flatten().max().copied()
    }

    /// True if classes have names, but not every label.
    pub(super) fn lacks_class_names(&self) -> bool {
        let most = self.largest_label();
        !self.classes.is_empty() && most.is_some_and(|most| self.classes.len() <= most as usize)
    }

    /// Binarizes the set. [`Binarize::Threshold`] converts bytes to bits. [`Binarize::Stochastic`]
    /// keeps the training images as bytes, from which the device draws in each epoch, and draws the
    /// test images ([`PackedImages::drawn`]). [`Binarize::None`] changes nothing.
    ///
    /// # Errors
    ///
    /// [`DataError::NoGrey`] where [`Binarize::Stochastic`] finds bits, [`DataError::NotLevels`] where
    /// floats are to become 0 or 1; that a file cannot be read or
    /// written.
    pub fn binarized(mut self, binarize: Binarize) -> Result<ImageSet, DataError> {
        match binarize {
            Binarize::Threshold => {
                self.train.images = self.train.images.binarized()?;
                self.test.images = self.test.images.binarized()?;
            }
            Binarize::Stochastic if self.train.images.depth() == Depth::Bit => {
                return Err(DataError::NoGrey(self.name));
            }
            Binarize::Stochastic => self.test.images = self.test.images.drawn()?,
            Binarize::None => {}
        }
        Ok(self)
    }

    /// The SHA-256 of shape, depth and images, in lower-case hexadecimal. Path, name, labels and images
    /// held out do not count.
    ///
    /// # Errors
    ///
    /// That a file cannot be read.
    pub fn fingerprint(&self) -> Result<String, DataError> {
        let mut hash = Sha256::new();
        for split in [&self.train, &self.test] {
            let images = &split.images;
            let about = (images.shape(), images.depth(), images.count());
            hash.update(format!("{about:?}"));
            images.each(|image| {
                hash.update(image);
                true
            })?;
        }
        Ok(hex(hash))
    }
}
