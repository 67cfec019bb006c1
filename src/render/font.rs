//! A bitmap font of 5 × 7 pixels: digits and the few letters that axes and legends need.

use image::{Rgb, RgbImage};

/// Rows of a sign, from the top; the highest of the five low bits is the leftmost pixel.
type Sign = [u8; 7];

/// Pixels from one sign to the next, before enlargement.
const ADVANCE: usize = 6;
const HEIGHT: usize = 7;

/// Signs that reach below the line, by so many pixels.
const LOW: &str = "gp";
const DEPTH: usize = 2;

#[rustfmt::skip]
const SIGNS: &[(char, Sign)] = &[
    ('0', [0b01110, 0b10001, 0b10011, 0b10101, 0b11001, 0b10001, 0b01110]),
    ('1', [0b00100, 0b01100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110]),
    ('2', [0b01110, 0b10001, 0b00001, 0b00010, 0b00100, 0b01000, 0b11111]),
    ('3', [0b11111, 0b00010, 0b00100, 0b00010, 0b00001, 0b10001, 0b01110]),
    ('4', [0b00010, 0b00110, 0b01010, 0b10010, 0b11111, 0b00010, 0b00010]),
    ('5', [0b11111, 0b10000, 0b11110, 0b00001, 0b00001, 0b10001, 0b01110]),
    ('6', [0b00110, 0b01000, 0b10000, 0b11110, 0b10001, 0b10001, 0b01110]),
    ('7', [0b11111, 0b00001, 0b00010, 0b00100, 0b01000, 0b01000, 0b01000]),
    ('8', [0b01110, 0b10001, 0b10001, 0b01110, 0b10001, 0b10001, 0b01110]),
    ('9', [0b01110, 0b10001, 0b10001, 0b01111, 0b00001, 0b00010, 0b01100]),
    ('-', [0b00000, 0b00000, 0b00000, 0b11111, 0b00000, 0b00000, 0b00000]),
    ('.', [0b00000, 0b00000, 0b00000, 0b00000, 0b00000, 0b01100, 0b01100]),
    ('[', [0b01110, 0b01000, 0b01000, 0b01000, 0b01000, 0b01000, 0b01110]),
    (']', [0b01110, 0b00010, 0b00010, 0b00010, 0b00010, 0b00010, 0b01110]),
    ('B', [0b11110, 0b10001, 0b10001, 0b11110, 0b10001, 0b10001, 0b11110]),
    ('E', [0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b11111]),
    ('L', [0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b11111]),
    ('O', [0b01110, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01110]),
    ('a', [0b00000, 0b00000, 0b01110, 0b00001, 0b01111, 0b10001, 0b01111]),
    ('b', [0b10000, 0b10000, 0b10110, 0b11001, 0b10001, 0b10001, 0b11110]),
    ('c', [0b00000, 0b00000, 0b01110, 0b10000, 0b10000, 0b10001, 0b01110]),
    ('e', [0b00000, 0b00000, 0b01110, 0b10001, 0b11111, 0b10000, 0b01110]),
    ('g', [0b01101, 0b10011, 0b10001, 0b10011, 0b01101, 0b00001, 0b01110]),
    ('h', [0b10000, 0b10000, 0b10110, 0b11001, 0b10001, 0b10001, 0b10001]),
    ('i', [0b00100, 0b00000, 0b01100, 0b00100, 0b00100, 0b00100, 0b01110]),
    ('l', [0b01100, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110]),
    ('m', [0b00000, 0b00000, 0b11010, 0b10101, 0b10101, 0b10001, 0b10001]),
    ('n', [0b00000, 0b00000, 0b10110, 0b11001, 0b10001, 0b10001, 0b10001]),
    ('o', [0b00000, 0b00000, 0b01110, 0b10001, 0b10001, 0b10001, 0b01110]),
    ('p', [0b10110, 0b11001, 0b10001, 0b11001, 0b10110, 0b10000, 0b10000]),
    ('r', [0b00000, 0b00000, 0b10110, 0b11001, 0b10000, 0b10000, 0b10000]),
    ('s', [0b00000, 0b00000, 0b01110, 0b10000, 0b01110, 0b00001, 0b11110]),
    ('t', [0b01000, 0b01000, 0b11100, 0b01000, 0b01000, 0b01001, 0b00110]),
    ('z', [0b00000, 0b00000, 0b11111, 0b00010, 0b00100, 0b01000, 0b11111]),
];

/// Width and height of a text in pixels, each pixel of the font enlarged by `factor`.
pub fn size(text: &str, factor: usize) -> [usize; 2] {
    let width = (ADVANCE * text.chars().count()).saturating_sub(1);
    [factor * width, factor * HEIGHT]
}

/// Draws a text with its upper left corner at `at` (x, y). Signs that are not in the font stay
/// blank, and what lies outside the picture is left out.
pub fn draw(picture: &mut RgbImage, text: &str, at: [usize; 2], factor: usize, colour: Rgb<u8>) {
    let blank = [0; HEIGHT];
    for (i, c) in text.chars().enumerate() {
        let found = SIGNS.iter().find(|(sign, _)| *sign == c);
        let rows = found.map_or(blank, |(_, rows)| *rows);
        for (y, x) in (0..factor * HEIGHT).flat_map(|y| (0..factor * 5).map(move |x| (y, x))) {
            if rows[y / factor] >> (4 - x / factor) & 1 == 0 {
                continue;
            }
            let depth = if LOW.contains(c) { DEPTH } else { 0 };
            let x = at[0] + factor * ADVANCE * i + x;
            let y = at[1] + factor * depth + y;
            if let Some(pixel) = picture.get_pixel_mut_checked(x as u32, y as u32) {
                *pixel = colour;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_drawn_where_it_should_be_and_nowhere_else() {
        let white = Rgb([255; 3]);
        let mut picture = RgbImage::from_pixel(40, 20, white);
        draw(&mut picture, "1.", [4, 3], 2, Rgb([0; 3]));
        let [width, height] = size("1.", 2);
        assert_eq!([width, height], [22, 14]);
        let dark = picture.enumerate_pixels().filter(|p| *p.2 != white);
        let dark: Vec<_> = dark.map(|(x, y, _)| (x as usize, y as usize)).collect();
        // Ten pixels of a 1 and four of a point, each enlarged to 2 × 2.
        assert_eq!(dark.len(), 4 * (10 + 4));
        assert!(
            dark.iter()
                .all(|(x, y)| (4..26).contains(x) && (3..17).contains(y))
        );
        assert!(dark.contains(&(8, 3)) && !dark.contains(&(4, 3)));
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let mut picture = RgbImage::new(3, 3);
        draw(&mut picture, "88", [1, 1], 3, Rgb([9; 3]));
        draw(&mut picture, "8", [100, 100], 1, Rgb([9; 3]));
        assert_eq!(picture.dimensions(), (3, 3));
    }
}
