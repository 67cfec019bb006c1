//! Packed images: the form in which images are kept, stored and uploaded.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::rng::{self, Stream};

/// Storage of one value of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Depth {
    /// One bit: a value is 0 or 1.
    Bit,
    /// One byte: a value is the byte divided by 255.
    Byte,
}

impl Depth {
    /// Bits per value.
    pub fn bits(self) -> u32 {
        match self {
            Depth::Bit => 1,
            Depth::Byte => 8,
        }
    }

    /// Bytes of an image of `values` values. A product with [`Depth::bits`] could overflow for an
    /// untrusted shape.
    pub(crate) fn image_bytes(self, values: usize) -> usize {
        match self {
            Depth::Bit => values.div_ceil(8),
            Depth::Byte => values,
        }
    }
}

/// How bytes become 0 or 1, if at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Binarize {
    /// A value is 1 if its byte is 128 or more (byte / 255 > 0.5).
    Threshold,
    /// A value is 1 with a probability of byte / 255. It is drawn anew in each epoch of training, and
    /// once for evaluation.
    Stochastic,
    /// Values are kept as they are.
    None,
}

impl Binarize {
    /// Default for images of this shape (height, width, channels): colours keep their values.
    pub fn usual([_, _, channels]: [usize; 3]) -> Binarize {
        match channels {
            1 => Binarize::Threshold,
            _ => Binarize::None,
        }
    }

    /// The name in options and files.
    pub fn name(self) -> &'static str {
        match self {
            Binarize::Threshold => "threshold",
            Binarize::Stochastic => "stochastic",
            Binarize::None => "none",
        }
    }
}

/// The smallest byte that [`Binarize::Threshold`] turns into 1.
const THRESHOLD: u8 = 128;

/// Images of one shape, packed one after another. A clone shares the bytes.
///
/// Image `i` occupies `image_bytes` bytes from `i * image_bytes`. Its `H * W * C` values are in
/// row-major HWC order. At [`Depth::Bit`], value `j` is bit `j % 8`, least significant first, of byte
/// `j / 8`, and the unused bits of the last byte are 0.
#[derive(Clone, PartialEq, Eq)]
pub struct PackedImages {
    shape: [usize; 3],
    depth: Depth,
    bytes: Arc<Vec<u8>>,
}

impl PackedImages {
    /// Packs `pixels`, images of `shape` (height, width, channels) at one byte per value: as bits for
    /// [`Binarize::Threshold`], else as bytes.
    ///
    /// # Panics
    ///
    /// If `shape` holds a zero or `pixels` is not a whole number of images. The caller checks both,
    /// since it knows the file for the message.
    pub fn from_bytes(shape: [usize; 3], pixels: &[u8], binarize: Binarize) -> PackedImages {
        let values: usize = shape.iter().product();
        assert!(values > 0, "an image of shape {shape:?} has no values");
        assert!(
            pixels.len().is_multiple_of(values),
            "{} bytes are not a whole number of images of shape {shape:?}",
            pixels.len()
        );
        let (depth, bytes) = if binarize == Binarize::Threshold {
            let images = pixels.chunks_exact(values);
            let packed = images.flat_map(|image| image.chunks(8).map(pack_byte));
            (Depth::Bit, packed.collect())
        } else {
            (Depth::Byte, pixels.to_vec())
        };
        PackedImages {
            shape,
            depth,
            bytes: Arc::new(bytes),
        }
    }

    /// Takes packed bytes of whole images; `shape` holds no zero.
    ///
    /// # Errors
    ///
    /// That unused bits are not 0: equal images must have equal bytes.
    pub(crate) fn from_packed(
        shape: [usize; 3],
        depth: Depth,
        bytes: Vec<u8>,
    ) -> Result<PackedImages, String> {
        let values: usize = shape.iter().product();
        let (used, images) = (values % 8, bytes.chunks_exact(depth.image_bytes(values)));
        let is_dirty = |image: &[u8]| image.last().is_some_and(|byte| byte >> used != 0);
        if depth == Depth::Bit
            && used != 0
            && let Some(index) = images.into_iter().position(is_dirty)
        {
            return Err(format!(
                "the unused bits at the end of image {index} are not 0"
            ));
        }
        Ok(PackedImages {
            shape,
            depth,
            bytes: Arc::new(bytes),
        })
    }

    /// Number of images.
    pub fn count(&self) -> usize {
        self.bytes.len() / self.image_bytes()
    }

    /// Height, width and channels of every image.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// Storage of a value.
    pub fn depth(&self) -> Depth {
        self.depth
    }

    /// The packed bytes of all images.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Values per image: height × width × channels.
    pub fn values_per_image(&self) -> usize {
        self.shape.iter().product()
    }

    /// Bytes per image in [`PackedImages::bytes`].
    pub fn image_bytes(&self) -> usize {
        self.depth.image_bytes(self.values_per_image())
    }

    /// 32-bit words per image in [`PackedImages::device_words`].
    pub fn words_per_image(&self) -> usize {
        self.image_bytes().div_ceil(4)
    }

    /// The words of all images, as the GPU gets them ([`PackedImages::words_of`]).
    pub fn device_words(&self) -> Vec<u32> {
        self.words_of(0..self.count())
    }

    /// The words of the images at these indices, as the GPU gets them: each image is padded with zeros
    /// to whole little-endian 32-bit words, so bit `j` of an image is bit `j % 32` of its word `j / 32`.
    ///
    /// # Panics
    ///
    /// If an index is out of range.
    pub fn words_of(&self, indices: impl ExactSizeIterator<Item = usize>) -> Vec<u32> {
        let (size, mut words) = (self.image_bytes(), Vec::new());
        words.reserve_exact(indices.len() * self.words_per_image());
        for i in indices {
            let image = &self.bytes[i * size..][..size];
            words.extend(image.chunks(4).map(|bytes| u32::from_le_bytes(four(bytes))));
        }
        words
    }

    /// The values of one image, unpacked, in 0..=1.
    ///
    /// # Panics
    ///
    /// If there is no image of that index.
    pub fn values(&self, image: usize) -> Vec<f32> {
        let count = self.count();
        assert!(image < count, "there is no image {image} among {count}");
        let size = self.image_bytes();
        let bytes = &self.bytes[image * size..][..size];
        match self.depth {
            Depth::Bit => (0..self.values_per_image())
                .map(|j| f32::from(bytes[j / 8] >> (j % 8) & 1))
                .collect(),
            Depth::Byte => bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect(),
        }
    }

    /// The first `count` images; all of them where there are fewer.
    pub fn first(mut self, count: usize) -> PackedImages {
        if count < self.count() {
            let size = self.image_bytes();
            self.bytes = Arc::new(self.bytes[..count * size].to_vec());
        }
        self
    }

    /// The images at these indices, in this order; `None` where an index is out of range.
    pub fn select(&self, indices: &[usize]) -> Option<PackedImages> {
        let size = self.image_bytes();
        let image = |i: &usize| self.bytes.chunks_exact(size).nth(*i);
        let chosen: Option<Vec<&[u8]>> = indices.iter().map(image).collect();
        let bytes = Arc::new(chosen?.concat());
        Some(PackedImages { bytes, ..*self })
    }

    /// The same images at [`Depth::Bit`], by [`Binarize::Threshold`].
    pub fn binarized(self) -> PackedImages {
        match self.depth {
            Depth::Bit => self,
            Depth::Byte => PackedImages::from_bytes(self.shape, &self.bytes, Binarize::Threshold),
        }
    }

    /// The same images at [`Depth::Bit`], by one draw of [`Binarize::Stochastic`]. The draw depends on
    /// the index of an image only, not on a seed, so that every evaluation uses the same bits.
    pub fn drawn(self) -> PackedImages {
        if self.depth == Depth::Bit {
            return self;
        }
        let mut pixels = Vec::with_capacity(self.bytes.len());
        for (image, bytes) in self.bytes.chunks_exact(self.image_bytes()).enumerate() {
            for (block, bytes) in bytes.chunks(4).enumerate() {
                let counter = [block as u32, image as u32, 0, Stream::FixedPixels as u32];
                let drawn = rng::bernoulli(four(bytes), counter, rng::key(0));
                pixels.extend(drawn[..bytes.len()].iter().map(|one| 255 * u8::from(*one)));
            }
        }
        PackedImages::from_bytes(self.shape, &pixels, Binarize::Threshold)
    }
}

/// Packs up to eight values into a byte, the first into the least significant bit.
fn pack_byte(values: &[u8]) -> u8 {
    values
        .iter()
        .rev()
        .fold(0, |byte, &value| byte << 1 | u8::from(value >= THRESHOLD))
}

/// Up to four bytes, followed by zeros.
fn four(bytes: &[u8]) -> [u8; 4] {
    let mut four = [0; 4];
    four[..bytes.len()].copy_from_slice(bytes);
    four
}

impl fmt::Debug for PackedImages {
    /// Omits the bytes, which may be millions.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PackedImages")
            .field("shape", &self.shape)
            .field("depth", &self.depth)
            .field("count", &self.count())
            .finish_non_exhaustive()
    }
}
