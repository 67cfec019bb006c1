//! Rectangles, discs and blended pixels.

use image::{Rgb, RgbImage};

/// Fills the pixels from `from` up to but excluding `to`.
pub fn fill(picture: &mut RgbImage, from: [usize; 2], to: [usize; 2], colour: Rgb<u8>) {
    for (y, x) in (from[1]..to[1]).flat_map(|y| (from[0]..to[0]).map(move |x| (y, x))) {
        if let Some(pixel) = picture.get_pixel_mut_checked(x as u32, y as u32) {
            *pixel = colour;
        }
    }
}

/// Blends a colour into a pixel; `cover` is its opacity, from 0 to 1.
pub fn blend(picture: &mut RgbImage, at: [usize; 2], colour: [u8; 3], cover: f64) {
    let cover = cover.clamp(0.0, 1.0);
    if let Some(Rgb(pixel)) = picture.get_pixel_mut_checked(at[0] as u32, at[1] as u32) {
        for (old, new) in pixel.iter_mut().zip(colour) {
            let mixed = f64::from(*old) * (1.0 - cover) + f64::from(new) * cover;
            *old = mixed.round() as u8;
        }
    }
}

/// Draws an anti-aliased disc.
pub fn disc(picture: &mut RgbImage, at: [f64; 2], radius: f64, colour: [u8; 3], opacity: f64) {
    let reach = radius + 1.0;
    let [left, top] = at.map(|v| (v - reach).max(0.0) as usize);
    let [right, bottom] = at.map(|v| (v + reach).max(0.0) as usize);
    for (y, x) in (top..=bottom).flat_map(|y| (left..=right).map(move |x| (y, x))) {
        let distance = (x as f64 - at[0]).hypot(y as f64 - at[1]);
        let cover = opacity * (radius + 0.5 - distance).clamp(0.0, 1.0);
        blend(picture, [x, y], colour, cover);
    }
}
