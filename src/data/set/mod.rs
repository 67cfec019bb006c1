//! Images in memory: a set of two splits, packed.

mod hold_out;
mod images;
mod labels;
mod usual;

pub use images::{Binarize, Depth, PackedImages};
pub use labels::{LabelError, Labelled, check_labels};

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
}

impl Split {
    /// The first `count` images with their labels; all where there are fewer.
    pub fn first(mut self, count: usize) -> Split {
        self.images = self.images.first(count);
        if let Some(labels) = &mut self.labels {
            labels.truncate(count);
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
    /// [`DataError::NoGrey`] where [`Binarize::Stochastic`] finds bits.
    pub fn binarized(mut self, binarize: Binarize) -> Result<ImageSet, DataError> {
        match binarize {
            Binarize::Threshold => {
                self.train.images = self.train.images.binarized();
                self.test.images = self.test.images.binarized();
            }
            Binarize::Stochastic if self.train.images.depth() == Depth::Bit => {
                return Err(DataError::NoGrey(self.name));
            }
            Binarize::Stochastic => self.test.images = self.test.images.drawn(),
            Binarize::None => {}
        }
        Ok(self)
    }

    /// The SHA-256 of shape, depth and images, in lower-case hexadecimal. Path, name, labels and images
    /// held out do not count.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        for split in [&self.train, &self.test] {
            let images = &split.images;
            let about = (images.shape(), images.depth(), images.count());
            hash.update(format!("{about:?}"));
            hash.update(images.bytes());
        }
        hex(hash)
    }
}
