//! Pixels of another size and other channels.

use image::imageops::{self, FilterType};
use image::{ImageBuffer, Pixel};

use crate::data::{Fit, Prepare};

/// Bicubic, the usual filter for photographs: sharp, little ringing, no aliasing on reduction.
const FILTER: FilterType = FilterType::CatmullRom;

/// The colour beside padded images.
pub fn edge(prepare: &Prepare) -> [u8; 3] {
    prepare.background.unwrap_or_default()
}

/// The grey level beside padded images.
pub fn edge_grey(prepare: &Prepare) -> [u8; 1] {
    [grey(&edge(prepare)).next().unwrap_or_default()]
}

/// An image of `[H, W]` pixels at another size; `edge` is the colour of what padding adds.
pub fn resized<P>(
    image: Vec<P::Subpixel>,
    from: [usize; 2],
    to: [usize; 2],
    fit: Fit,
    edge: P,
) -> Vec<P::Subpixel>
where
    P: Pixel + 'static,
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
pub fn repeated<T: Copy>(grey: &[T], times: usize) -> impl Iterator<Item = T> {
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
