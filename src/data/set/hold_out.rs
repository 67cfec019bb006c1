//! Validation images: training images that are held out.

use super::{Binarize, ImageSet};
use crate::data::DataError;
use crate::data::held_out::held_out;

impl ImageSet {
    /// Holds out this part of the training images for validation. With [`Binarize::Stochastic`], they
    /// are drawn once, like test images.
    ///
    /// # Errors
    ///
    /// [`DataError::TooFewToTrain`] where no image is left to train on; that a file cannot be read or
    /// written.
    pub fn hold_out(mut self, fraction: f64, binarize: Binarize) -> Result<ImageSet, DataError> {
        let count = self.train.images.count();
        let too_few = || DataError::TooFewToTrain { count, fraction };
        let is_held_out = held_out(count, fraction).ok_or_else(too_few)?;
        let [rest, mut held] = self.train.parted(is_held_out).ok_or_else(too_few)?;
        if binarize == Binarize::Stochastic {
            held.images = held.images.drawn()?;
        }
        (self.train, self.validation) = (rest, Some(held));
        Ok(self)
    }
}
