//! Validation images: training images that are held out.

use super::{Binarize, ImageSet, Split};
use crate::data::DataError;
use crate::data::held_out::held_out;

impl ImageSet {
    /// Holds out this part of the training images for validation. With [`Binarize::Stochastic`], they
    /// are drawn once, like test images.
    ///
    /// # Errors
    ///
    /// [`DataError::TooFewToTrain`] where no image is left to train on.
    pub fn hold_out(mut self, fraction: f64, binarize: Binarize) -> Result<ImageSet, DataError> {
        let count = self.train.images.count();
        let too_few = || DataError::TooFewToTrain { count, fraction };
        let is_held_out = held_out(count, fraction).ok_or_else(too_few)?;
        let all = self.train.clone();
        let part = |wanted: bool| {
            let chosen: Vec<usize> = (0..count).filter(|i| is_held_out(*i) == wanted).collect();
            Some(Split {
                labels: (all.labels.as_ref()).map(|all| chosen.iter().map(|i| all[*i]).collect()),
                images: all.images.select(&chosen)?,
            })
        };
        let (mut held, rest) = part(true).zip(part(false)).ok_or_else(too_few)?;
        if binarize == Binarize::Stochastic {
            held.images = held.images.drawn();
        }
        (self.train, self.validation) = (rest, Some(held));
        Ok(self)
    }
}
