//! Packed images: the form in which images are kept, stored and uploaded.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Collector;
use super::bytes::Bytes;
use crate::data::DataError;
use crate::rng::{self, Stream};

/// Storage of one value of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Depth {
    /// One bit: a value is 0 or 1.
    Bit,
    /// One byte: a value is the byte divided by 255.
    Byte,
    /// Four bytes: a value is any finite number in single precision.
    Float,
}

impl Depth {
    /// Bits per value.
    pub fn bits(self) -> u32 {
        match self {
            Depth::Bit => 1,
            Depth::Byte => 8,
            Depth::Float => 32,
        }
    }

    /// Bytes of an image of `values` values. A product with [`Depth::bits`] could overflow for an
    /// untrusted shape.
    pub(crate) fn image_bytes(self, values: usize) -> usize {
        match self {
            Depth::Bit => values.div_ceil(8),
            Depth::Byte => values,
            Depth::Float => 4 * values,
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

/// Images of one shape, packed one after another, in memory or in a file. A clone shares them.
///
/// The `H * W * C` values of an image are in row-major HWC order in `image_bytes` bytes. At
/// [`Depth::Bit`], value `j` is bit `j % 8`, least significant first, of byte `j / 8`, and the unused
/// bits of the last byte are 0. At [`Depth::Float`] bytes are little-endian.
#[derive(Clone)]
pub struct PackedImages {
    shape: [usize; 3],
    depth: Depth,
    bytes: Bytes,
    count: usize,
    /// Where the images are among those of `bytes`; `None` for the first `count` in order.
    chosen: Option<Arc<[u32]>>,
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
            (Depth::Bit, images.flat_map(bits).collect())
        } else {
            (Depth::Byte, pixels.to_vec())
        };
        PackedImages::of_bytes(shape, depth, bytes)
    }

    /// Packs images of `shape` (height, width, channels) of any numbers.
    ///
    /// # Panics
    ///
    /// As [`PackedImages::from_bytes`], and if a number is not finite.
    pub fn from_floats(shape: [usize; 3], values: &[f32]) -> PackedImages {
        let size: usize = shape.iter().product();
        assert!(size > 0 && values.len().is_multiple_of(size));
        assert!(values.iter().all(|value| value.is_finite()));
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        PackedImages::of_bytes(shape, Depth::Float, bytes)
    }

    /// Takes packed bytes of whole images; `shape` holds no zero.
    pub(crate) fn of_bytes(
        shape: [usize; 3],
        depth: Depth,
        bytes: impl Into<Bytes>,
    ) -> PackedImages {
        let bytes = bytes.into();
        let size = depth.image_bytes(shape.iter().product());
        PackedImages {
            shape,
            depth,
            count: (bytes.length() / size as u64) as usize,
            bytes,
            chosen: None,
        }
    }

    /// Takes packed bytes of whole images from an untrusted file; `shape` holds no zero.
    ///
    /// # Errors
    ///
    /// That unused bits are not 0, since equal images must have equal bytes; that a float is not finite.
    pub(crate) fn from_packed(
        shape: [usize; 3],
        depth: Depth,
        bytes: Bytes,
    ) -> Result<PackedImages, String> {
        let images = PackedImages::of_bytes(shape, depth, bytes);
        let used = images.values_per_image() % 8;
        let is_clean = |image: &[u8]| match depth {
            Depth::Bit => used == 0 || image.last().is_none_or(|byte| byte >> used == 0),
            Depth::Byte => true,
            Depth::Float => floats(image).all(f32::is_finite),
        };
        let mut clean = 0;
        if depth != Depth::Byte {
            let read = images.each(|image| {
                clean += usize::from(is_clean(image));
                is_clean(image)
            });
            read.map_err(|e| e.to_string())?;
        }
        match depth {
            Depth::Bit if clean < images.count() => Err(format!(
                "the unused bits at the end of image {clean} are not 0"
            )),
            Depth::Float if clean < images.count() => {
                Err(format!("a value of image {clean} is not finite"))
            }
            _ => Ok(images),
        }
    }

    /// Number of images.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Height, width and channels of every image.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// Storage of a value.
    pub fn depth(&self) -> Depth {
        self.depth
    }

    /// Values per image: height × width × channels.
    pub fn values_per_image(&self) -> usize {
        self.shape.iter().product()
    }

    /// Bytes per image.
    pub fn image_bytes(&self) -> usize {
        self.depth.image_bytes(self.values_per_image())
    }

    /// 32-bit words per image on the device.
    pub fn words_per_image(&self) -> usize {
        self.image_bytes().div_ceil(4)
    }

    /// The bytes of an image.
    pub(crate) fn image(&self, image: usize) -> Result<Vec<u8>, DataError> {
        let mut bytes = vec![0; self.image_bytes()];
        self.read(image, &mut bytes)?;
        Ok(bytes)
    }

    /// Fills `into` with the bytes of an image.
    fn read(&self, image: usize, into: &mut [u8]) -> Result<(), DataError> {
        let count = self.count;
        assert!(image < count, "there is no image {image} among {count}");
        let at = self
            .chosen
            .as_ref()
            .map_or(image, |all| all[image] as usize);
        self.bytes
            .read_at(at as u64 * self.image_bytes() as u64, into)
    }

    /// Hands on the packed bytes of each image in order, until `take` returns false.
    ///
    /// # Errors
    ///
    /// That a file cannot be read.
    pub fn each(&self, mut take: impl FnMut(&[u8]) -> bool) -> Result<(), DataError> {
        let mut bytes = vec![0; self.image_bytes()];
        for image in 0..self.count {
            self.read(image, &mut bytes)?;
            if !take(&bytes) {
                break;
            }
        }
        Ok(())
    }

    /// The packed bytes of all images.
    ///
    /// # Errors
    ///
    /// That a file cannot be read.
    pub fn bytes(&self) -> Result<Vec<u8>, DataError> {
        let mut bytes = Vec::with_capacity(self.count * self.image_bytes());
        self.each(|image| {
            bytes.extend_from_slice(image);
            true
        })?;
        Ok(bytes)
    }

    /// Whether all values are 0 or 1.
    ///
    /// # Errors
    ///
    /// That a file cannot be read.
    pub fn are_black_and_white(&self) -> Result<bool, DataError> {
        let mut are = self.depth == Depth::Bit;
        if self.depth == Depth::Byte {
            self.each(|image| {
                are = image.iter().all(|value| matches!(value, 0 | 255));
                are
            })?;
        }
        Ok(are)
    }

    /// The words of all images, as the GPU gets them ([`PackedImages::words_of`]).
    ///
    /// # Errors
    ///
    /// That a file cannot be read.
    pub fn device_words(&self) -> Result<Vec<u32>, DataError> {
        self.words_of(0..self.count)
    }

    /// The words of the images at these indices, as the GPU gets them: each image is padded with zeros
    /// to whole little-endian 32-bit words, so bit `j` of an image is bit `j % 32` of its word `j / 32`.
    ///
    /// # Errors
    ///
    /// That a file cannot be read.
    ///
    /// # Panics
    ///
    /// If an index is out of range.
    pub fn words_of(
        &self,
        indices: impl ExactSizeIterator<Item = usize>,
    ) -> Result<Vec<u32>, DataError> {
        let (size, width) = (self.image_bytes(), self.words_per_image());
        let mut words = vec![0; indices.len() * width];
        for (i, own) in indices.zip(words.chunks_exact_mut(width)) {
            self.read(i, &mut bytemuck::cast_slice_mut(own)[..size])?;
            own.iter_mut().for_each(|word| *word = u32::from_le(*word));
        }
        Ok(words)
    }

    /// The least and the largest value, if the images are [`Depth::Float`]; others are in 0..=1.
    ///
    /// # Errors
    ///
    /// That a file cannot be read.
    pub fn range(&self) -> Result<Option<[f32; 2]>, DataError> {
        if self.depth != Depth::Float {
            return Ok(None);
        }
        let mut range = [f32::INFINITY, f32::NEG_INFINITY];
        self.each(|image| {
            range = floats(image).fold(range, |[least, most], v| [least.min(v), most.max(v)]);
            true
        })?;
        Ok(Some(range))
    }

    /// The values of one image, unpacked; in 0..=1 but for [`Depth::Float`].
    ///
    /// # Errors
    ///
    /// That a file cannot be read.
    ///
    /// # Panics
    ///
    /// If there is no image of that index.
    pub fn values(&self, image: usize) -> Result<Vec<f32>, DataError> {
        let bytes = self.image(image)?;
        let level = |level| f32::from(level) / 255.0;
        Ok(match self.depth {
            Depth::Bit | Depth::Byte => self.levels(&bytes).map(level).collect(),
            Depth::Float => floats(&bytes).collect(),
        })
    }

    /// The values of an image of bits or bytes, from 0 to 255, given its bytes.
    pub(crate) fn levels(&self, bytes: &[u8]) -> impl Iterator<Item = u8> {
        let is_bits = self.depth == Depth::Bit;
        (0..self.values_per_image()).map(move |j| match is_bits {
            true => 255 * (bytes[j / 8] >> (j % 8) & 1),
            false => bytes[j],
        })
    }

    /// The first `count` images; all of them where there are fewer.
    pub fn first(mut self, count: usize) -> PackedImages {
        self.count = self.count.min(count);
        self
    }

    /// The images at these indices, in this order; `None` where an index is out of range.
    pub fn select(&self, indices: &[usize]) -> Option<PackedImages> {
        let place = |i: &usize| match &self.chosen {
            _ if *i >= self.count => None,
            Some(chosen) => Some(chosen[*i]),
            None => u32::try_from(*i).ok(),
        };
        Some(PackedImages {
            count: indices.len(),
            chosen: Some(indices.iter().map(place).collect::<Option<_>>()?),
            ..self.clone()
        })
    }

    /// New images: `make` gets the index and the bytes of each of these, and returns its bytes.
    pub(crate) fn map(
        &self,
        (shape, depth): ([usize; 3], Depth),
        mut make: impl FnMut(usize, &[u8]) -> Vec<u8>,
    ) -> Result<PackedImages, DataError> {
        let (mut made, mut bytes) = (Collector::default(), vec![0; self.image_bytes()]);
        for image in 0..self.count {
            self.read(image, &mut bytes)?;
            made.push(&make(image, &bytes))?;
        }
        Ok(PackedImages::of_bytes(shape, depth, made.finish()?))
    }

    /// The same images at [`Depth::Bit`], by [`Binarize::Threshold`].
    ///
    /// # Errors
    ///
    /// [`DataError::NotLevels`] for floats; that a file cannot be read or written.
    pub fn binarized(self) -> Result<PackedImages, DataError> {
        match self.depth {
            Depth::Bit => Ok(self),
            Depth::Byte => self.map((self.shape, Depth::Bit), |_, bytes| bits(bytes).collect()),
            Depth::Float => Err(DataError::NotLevels),
        }
    }

    /// The same images at [`Depth::Bit`], by one draw of [`Binarize::Stochastic`]. The draw depends on
    /// the index of an image only, not on a seed, so that every evaluation uses the same bits.
    ///
    /// # Errors
    ///
    /// [`DataError::NotLevels`] for floats; that a file cannot be read or written.
    pub fn drawn(self) -> Result<PackedImages, DataError> {
        match self.depth {
            Depth::Bit => return Ok(self),
            Depth::Byte => {}
            Depth::Float => return Err(DataError::NotLevels),
        }
        self.map((self.shape, Depth::Bit), |image, bytes| {
            let mut pixels = Vec::with_capacity(bytes.len());
            for (block, bytes) in bytes.chunks(4).enumerate() {
                let counter = [block as u32, image as u32, 0, Stream::FixedPixels as u32];
                let drawn = rng::bernoulli(four(bytes), counter, rng::key(0));
                pixels.extend(drawn[..bytes.len()].iter().map(|one| 255 * u8::from(*one)));
            }
            bits(&pixels).collect()
        })
    }
}

impl PartialEq for PackedImages {
    /// Whether the images are the same, wherever they lie.
    fn eq(&self, other: &Self) -> bool {
        let about = |images: &Self| (images.shape, images.depth, images.count);
        about(self) == about(other)
            && match (self.bytes(), other.bytes()) {
                (Ok(own), Ok(its)) => own == its,
                _ => false,
            }
    }
}

impl Eq for PackedImages {}

/// Packs the values of an image into bits.
fn bits(values: &[u8]) -> impl Iterator<Item = u8> {
    values.chunks(8).map(pack_byte)
}

/// Packs up to eight values into a byte, the first into the least significant bit.
fn pack_byte(values: &[u8]) -> u8 {
    values
        .iter()
        .rev()
        .fold(0, |byte, &value| byte << 1 | u8::from(value >= THRESHOLD))
}

/// The floats in little-endian bytes.
pub(crate) fn floats(bytes: &[u8]) -> impl Iterator<Item = f32> {
    let (floats, _) = bytes.as_chunks::<4>();
    floats.iter().map(|float| f32::from_le_bytes(*float))
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
