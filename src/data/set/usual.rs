//! The default binarization.

use super::{Binarize, Depth, ImageSet};

impl ImageSet {
    /// The default binarization of the set, and the reason; no reason for bits, which stay bits.
    ///
    /// Grey levels are lost only for sets that are [black and white](ImageSet::black_and_white), such
    /// as MNIST.
    pub fn usual(&self) -> (Binarize, Option<&'static str>) {
        let [_, _, channels] = self.shape();
        let images = [&self.train.images, &self.test.images];
        let is_bits = images.iter().all(|images| images.depth() == Depth::Bit);
        let is_black_and_white = || {
            let mut values = images.iter().flat_map(|images| images.bytes());
            values.all(|value| matches!(value, 0 | 255))
        };
        match channels {
            // The default by shape, which model files use too.
            _ if is_bits => (Binarize::usual(self.shape()), None),
            1 if self.black_and_white => (
                Binarize::Threshold,
                Some("drawings like MNIST count as black and white; `none` keeps grey levels"),
            ),
            1 if is_black_and_white() => (
                Binarize::Threshold,
                Some("the images are black and white, so nothing is lost"),
            ),
            1 => (
                Binarize::None,
                Some("the images have grey levels; `threshold` makes them black and white"),
            ),
            _ => (Binarize::None, Some("the images have colours")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::PackedImages;

    fn set(channels: usize, values: &[u8], binarize: Binarize) -> ImageSet {
        let images = || PackedImages::from_bytes([1, 2, channels], values, binarize);
        ImageSet::unlabelled("some", images(), images())
    }

    #[test]
    fn grey_levels_are_lost_by_the_tutorials_sets_only() {
        let (none, threshold) = (Binarize::None, Binarize::Threshold);
        let black_and_white = |set: ImageSet| ImageSet {
            black_and_white: true,
            ..set
        };
        let grey = || set(1, &[3, 200], none);
        let colour = || set(3, &[0, 255, 0, 255, 0, 255], none);
        for (set, wanted, word) in [
            (grey(), none, "grey levels"),
            (black_and_white(grey()), threshold, "MNIST"),
            (set(1, &[0, 255], none), threshold, "black and white"),
            (colour(), none, "colours"),
            (black_and_white(colour()), none, "colours"),
        ] {
            let (binarize, why) = set.usual();
            assert_eq!(binarize, wanted, "{word}");
            assert!(why.unwrap().contains(word), "{why:?}");
        }
        assert_eq!(set(1, &[3, 200], threshold).usual(), (threshold, None));
        let colour_bits = set(3, &[0, 255, 0, 255, 0, 255], threshold);
        assert_eq!(colour_bits.usual(), (none, None));
    }
}
