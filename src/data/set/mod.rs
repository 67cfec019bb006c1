//! Images in memory: a set of two splits, packed.

mod images;
mod usual;

pub use images::{Binarize, Depth, PackedImages};

use sha2::{Digest, Sha256};

use super::DataError;
use crate::files::hash::hex;

/// One part of a set: its images and, where the source has them, their labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// The images, packed.
    pub images: PackedImages,
    /// One label an image, in the order of the images; `None` where the source has none.
    pub labels: Option<Vec<u32>>,
}

impl Split {
    /// The first `count` images with their labels; all of them where there are fewer.
    pub fn first(mut self, count: usize) -> Split {
        self.images = self.images.first(count);
        let rest = self.images.count();
        self.labels
            .iter_mut()
            .for_each(|labels| labels.truncate(rest));
        self
    }
}

/// A named set of images, in a train and a test split of one image size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSet {
    /// What the set is called in reports.
    pub name: String,
    /// The images to train on.
    pub train: Split,
    /// The images held out for evaluation.
    pub test: Split,
    /// What the classes are called, label 0 first; empty where they have no names.
    pub classes: Vec<String>,
    /// The set is one of black and white by nature, which has grey levels from scanning or resizing
    /// only: MNIST and sets in its file format, and what is stored as bits.
    pub black_and_white: bool,
}

impl ImageSet {
    /// A set whose classes have no names. Both parts must be of one size.
    pub fn new(name: &str, train: Split, test: Split) -> ImageSet {
        ImageSet {
            name: name.into(),
            train,
            test,
            classes: Vec::new(),
            black_and_white: false,
        }
    }

    /// A set of images without labels. Both parts must be of one size.
    pub fn unlabelled(name: &str, train: PackedImages, test: PackedImages) -> ImageSet {
        let split = |images| Split {
            images,
            labels: None,
        };
        ImageSet::new(name, split(train), split(test))
    }

    /// Height, width and channels of every image in the set.
    pub fn shape(&self) -> [usize; 3] {
        self.train.images.shape()
    }

    /// The set as training and evaluation take it. [`Binarize::Threshold`] turns bytes into bits;
    /// [`Binarize::Stochastic`] keeps the training images as bytes, from which the device draws in
    /// each epoch, and draws the test images ([`PackedImages::drawn`]); [`Binarize::None`] keeps what
    /// is stored, so a set stored as bits stays bits: look at [`PackedImages::depth`].
    ///
    /// # Errors
    ///
    /// [`DataError::NoGrey`] where there is nothing to draw by.
    pub fn binarized(mut self, binarize: Binarize) -> Result<ImageSet, DataError> {
        match binarize {
            Binarize::Threshold => {
                self.train.images = self.train.images.binarized();
                self.test.images = self.test.images.binarized();
            }
            Binarize::Stochastic if self.train.images.depth() == Depth::Bit => {
                return Err(DataError::NoGrey { name: self.name });
            }
            Binarize::Stochastic => self.test.images = self.test.images.drawn(),
            Binarize::None => {}
        }
        Ok(self)
    }

    /// The SHA-256 of shape, depth and images, in lower-case hexadecimal: equal for sets which
    /// train alike, wherever they lie and whatever their name and labels.
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
