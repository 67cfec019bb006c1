//! Images at one byte per value, before they are packed.

use image::imageops::{self, FilterType};
use image::{ImageBuffer, Luma, Pixel, Rgb};

use crate::data::held_out::held_out;
use crate::data::{Binarize, PackedImages, Prepare, Split};

/// Bicubic, the usual filter for photographs: sharp, little ringing, no aliasing on reduction.
pub const FILTER: FilterType = FilterType::CatmullRom;

/// Images of one shape, with or without labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pixels {
    /// Height, width and channels.
    pub shape: [usize; 3],
    /// Row-major HWC, image after image.
    pub values: Vec<u8>,
    pub labels: Option<Vec<u32>>,
}

/// The images of a source, by split.
pub enum Parts {
    /// Training and test images.
    Two([Pixels; 2]),
    /// Images of which a part is to be held out.
    One(Pixels),
}

impl Pixels {
    /// Unpacks images; bits become 0 and 255.
    pub fn unpack(split: Split) -> Pixels {
        let Split { images, labels } = split;
        let level = |value: f32| (255.0 * value).round() as u8;
        let image = |i| images.values(i).into_iter().map(level);
        Pixels {
            shape: images.shape(),
            values: (0..images.count()).flat_map(image).collect(),
            labels,
        }
    }

    fn image_bytes(&self) -> usize {
        self.shape.iter().product()
    }

    fn count(&self) -> usize {
        self.values.len() / self.image_bytes()
    }

    /// Resizes the images and converts their channels; they must have 1 or 3 channels.
    pub fn prepared(self, prepare: &Prepare) -> Pixels {
        let [height, width, channels] = self.shape;
        let size = prepare.size.map_or([height, width], |n| [n, n]);
        let wanted = prepare.channels.unwrap_or(channels);
        if [size[0], size[1], wanted] == self.shape {
            return self;
        }
        let mut values = Vec::new();
        for image in self.values.chunks_exact(self.image_bytes()) {
            let (from, image) = ([height, width], image.to_vec());
            if channels == 1 {
                let image = resized::<Luma<u8>>(image, from, size);
                values.extend(repeated(&image, wanted));
            } else {
                let image = resized::<Rgb<u8>>(image, from, size);
                match wanted {
                    1 => values.extend(grey(&image)),
                    _ => values.extend(image),
                }
            }
        }
        Pixels {
            shape: [size[0], size[1], wanted],
            values,
            labels: self.labels,
        }
    }

    /// Splits the images into training and test images ([`held_out`]); `None` where there are too few.
    pub fn cut(self, fraction: f64) -> Option<[Pixels; 2]> {
        let is_test = held_out(self.count(), fraction)?;
        Some(self.parted(is_test))
    }

    /// The training and the test images.
    pub fn parted(self, is_test: impl Fn(usize) -> bool) -> [Pixels; 2] {
        let size = self.image_bytes();
        [false, true].map(|wanted| {
            let chosen = || (0..self.count()).filter(|i| is_test(*i) == wanted);
            let mut values = Vec::with_capacity(chosen().count() * size);
            chosen().for_each(|i| values.extend(&self.values[i * size..][..size]));
            let labels = self.labels.as_ref();
            Pixels {
                shape: self.shape,
                values,
                labels: labels.map(|labels| chosen().map(|i| labels[i]).collect()),
            }
        })
    }

    pub fn pack(self, binarize: Binarize) -> Split {
        Split {
            images: PackedImages::from_bytes(self.shape, &self.values, binarize),
            labels: self.labels,
        }
    }
}

/// An image of `[H, W]` pixels at another size.
pub fn resized<P>(image: Vec<u8>, from: [usize; 2], to: [usize; 2]) -> Vec<u8>
where
    P: Pixel<Subpixel = u8> + 'static,
{
    if from == to {
        return image;
    }
    let [from, to] = [from, to].map(|size| size.map(|n| n as u32));
    // The buffer has this size.
    let image = ImageBuffer::<P, _>::from_raw(from[1], from[0], image).unwrap_or_default();
    imageops::resize(&image, to[1], to[0], FILTER).into_raw()
}

/// Repeats each value, which converts grey to colour.
pub fn repeated(grey: &[u8], times: usize) -> impl Iterator<Item = u8> {
    grey.iter()
        .flat_map(move |v| std::iter::repeat_n(*v, times))
}

/// The luminance of colours, by the weights of Rec. 709; a grey colour keeps its level.
pub fn grey(colours: &[u8]) -> impl Iterator<Item = u8> {
    colours.as_chunks::<3>().0.iter().map(|pixel| {
        let [r, g, b] = pixel.map(u32::from);
        ((2126 * r + 7152 * g + 722 * b + 5000) / 10_000) as u8
    })
}
