//! Images at one byte per value, before they are packed.

use image::imageops::{self, FilterType};
use image::{ImageBuffer, Luma, Pixel, Rgb};

use crate::data::held_out::held_out;
use crate::data::{Binarize, Fit, PackedImages, Prepare, Size, Split};

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

    pub fn count(&self) -> usize {
        self.values.len() / self.image_bytes()
    }

    /// Resizes the images and converts their channels; they must have 1 or 3 channels.
    pub fn prepared(self, prepare: &Prepare) -> Pixels {
        let [height, width, channels] = self.shape;
        let size = prepare.size.map_or([height, width], Size::sides);
        let wanted = prepare.channels.unwrap_or(channels);
        if [size[0], size[1], wanted] == self.shape {
            return self;
        }
        let mut values = Vec::new();
        for image in self.values.chunks_exact(self.image_bytes()) {
            let (from, image) = ([height, width], image.to_vec());
            if channels == 1 {
                let image = resized(image, from, size, prepare.fit, Luma(edge_grey(prepare)));
                values.extend(repeated(&image, wanted));
            } else {
                let image = resized(image, from, size, prepare.fit, Rgb(edge(prepare)));
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

/// The colour beside padded images.
pub fn edge(prepare: &Prepare) -> [u8; 3] {
    prepare.background.unwrap_or_default()
}

/// The grey level beside padded images.
pub fn edge_grey(prepare: &Prepare) -> [u8; 1] {
    [grey(&edge(prepare)).next().unwrap_or_default()]
}

/// An image of `[H, W]` pixels at another size; `edge` is the colour of what padding adds.
pub fn resized<P>(image: Vec<u8>, from: [usize; 2], to: [usize; 2], fit: Fit, edge: P) -> Vec<u8>
where
    P: Pixel<Subpixel = u8> + 'static,
{
    if from == to {
        return image;
    }
    let [[height, width], [to_height, to_width]] = [from, to].map(|size| size.map(|n| n as u32));
    // The buffer has this size.
    let mut image = ImageBuffer::<P, _>::from_raw(width, height, image).unwrap_or_default();
    // A side in proportion, at least one pixel.
    let part = |side: u32, of: u32, to: u32| {
        let side = (u64::from(side) * u64::from(to) + u64::from(of) / 2) / u64::from(of);
        side.max(1) as u32
    };
    let is_taller =
        u64::from(height) * u64::from(to_width) > u64::from(width) * u64::from(to_height);
    match fit {
        Fit::Stretch => {}
        Fit::Crop => {
            let [h, w] = match is_taller {
                true => [part(to_height, to_width, width).min(height), width],
                false => [height, part(to_width, to_height, height).min(width)],
            };
            let (y, x) = ((height - h) / 2, (width - w) / 2);
            image = imageops::crop_imm(&image, x, y, w, h).to_image();
        }
        Fit::Pad => {
            let [h, w] = match is_taller {
                true => [to_height, part(width, height, to_height).min(to_width)],
                false => [part(height, width, to_width).min(to_height), to_width],
            };
            let small = imageops::resize(&image, w, h, FILTER);
            let mut whole = ImageBuffer::from_pixel(to_width, to_height, edge);
            let (y, x) = ((to_height - h) / 2, (to_width - w) / 2);
            imageops::replace(&mut whole, &small, x.into(), y.into());
            return whole.into_raw();
        }
    }
    imageops::resize(&image, to_width, to_height, FILTER).into_raw()
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
