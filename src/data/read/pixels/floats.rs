//! Sizes and channels of images of floats.

use image::{Luma, Pixel, Rgb};

use super::resize::{repeated, resized};
use crate::data::Fit;
use crate::data::set::floats;

/// An image of `from` pixels and `channels` in another shape, given its bytes.
pub fn prepared(
    bytes: &[u8],
    from: [usize; 2],
    channels: usize,
    [height, width, wanted]: [usize; 3],
    fit: Fit,
) -> impl Iterator<Item = f32> + use<> {
    let (image, to) = (floats(bytes).collect(), [height, width]);
    let image: Vec<f32> = match channels {
        1 => repeated(&scaled::<Luma<f32>>(image, from, to, fit), wanted).collect(),
        _ => match (scaled::<Rgb<f32>>(image, from, to, fit), wanted) {
            (image, 1) => luminance(&image).collect(),
            (image, _) => image,
        },
    };
    image.into_iter()
}

/// An image at another size; padding adds zeros. Interpolation clips its results to 0..=1, so the image
/// is brought into that range meanwhile.
fn scaled<P>(image: Vec<f32>, from: [usize; 2], to: [usize; 2], fit: Fit) -> Vec<f32>
where
    P: Pixel<Subpixel = f32> + 'static,
{
    let values = || image.iter().copied().map(f64::from);
    let least = values().fold(f64::INFINITY, f64::min);
    let range = match values().fold(least, f64::max) - least {
        0.0 => 1.0,
        range => range,
    };
    let unit = |value: f64| ((value - least) / range) as f32;
    let edge = *P::from_slice(&[unit(0.0); 3][..P::CHANNEL_COUNT.into()]);
    let image = resized(values().map(unit).collect(), from, to, fit, edge);
    let value = |unit: f32| (f64::from(unit) * range + least) as f32;
    image.into_iter().map(value).collect()
}

/// The luminance of colours, by the weights of Rec. 709.
fn luminance(colours: &[f32]) -> impl Iterator<Item = f32> {
    let (pixels, _) = colours.as_chunks::<3>();
    (pixels.iter()).map(|[r, g, b]| 0.2126 * r + 0.7152 * g + 0.0722 * b)
}
