//! The default binarization.

use super::{Binarize, Depth, ImageSet};
use crate::data::DataError;

impl ImageSet {
    /// The default binarization of the set, and the reason; no reason for bits, which stay bits.
    ///
    /// Grey levels are lost only for sets that are [black and white](ImageSet::black_and_white), such
    /// as MNIST.
    ///
    /// # Errors
    ///
    /// That a file cannot be read.
    pub fn usual(&self) -> Result<(Binarize, Option<&'static str>), DataError> {
        let [_, _, channels] = self.shape();
        let images = [&self.train.images, &self.test.images];
        let is_bits = images.iter().all(|images| images.depth() == Depth::Bit);
        let is_black_and_white = channels == 1
            && !is_bits
            && !self.black_and_white
            && images[0].are_black_and_white()?
            && images[1].are_black_and_white()?;
        Ok(match channels {
            _ if images[0].depth() == Depth::Float => (
                Binarize::None,
                Some("the images hold numbers beyond 0 to 1"),
            ),
            // The default by shape, which model files use too.
            _ if is_bits => (Binarize::usual(self.shape()), None),
            1 if self.black_and_white => (
                Binarize::Threshold,
                Some("drawings like MNIST count as black and white; `none` keeps grey levels"),
            ),
            1 if is_black_and_white => (
                Binarize::Threshold,
                Some("the images are black and white, so nothing is lost"),
            ),
            1 => (
                Binarize::None,
                Some("the images have grey levels; `threshold` makes them black and white"),
            ),
            _ => (Binarize::None, Some("the images have colours")),
        })
    }
}
