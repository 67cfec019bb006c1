//! A bitmap font of 5 × 7 pixels: all of ASCII, in which other scripts are transliterated.

use image::{Rgb, RgbImage};

/// Rows of a sign, from the top; the highest of the five low bits is the leftmost pixel.
type Sign = [u8; 7];

/// Pixels from one sign to the next, before enlargement.
const ADVANCE: usize = 6;
const HEIGHT: usize = 7;

/// Signs that reach below the line, by so many pixels.
const LOW: &str = "gpqy,;";
const DEPTH: usize = 2;

/// Stands for what has no sign; it has none itself, and shows as a box.
const UNKNOWN: char = '\u{25a1}';

#[rustfmt::skip]
const SIGNS: &[(char, Sign)] = &[
    ('!', [0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b00000, 0b00100]),
    ('"', [0b01010, 0b01010, 0b01010, 0b00000, 0b00000, 0b00000, 0b00000]),
    ('#', [0b01010, 0b01010, 0b11111, 0b01010, 0b11111, 0b01010, 0b01010]),
    ('$', [0b00100, 0b01111, 0b10100, 0b01110, 0b00101, 0b11110, 0b00100]),
    ('%', [0b11000, 0b11001, 0b00010, 0b00100, 0b01000, 0b10011, 0b00011]),
    ('&', [0b01100, 0b10010, 0b10100, 0b01000, 0b10101, 0b10010, 0b01101]),
    ('\'', [0b00100, 0b00100, 0b00100, 0b00000, 0b00000, 0b00000, 0b00000]),
    ('(', [0b00010, 0b00100, 0b01000, 0b01000, 0b01000, 0b00100, 0b00010]),
    (')', [0b01000, 0b00100, 0b00010, 0b00010, 0b00010, 0b00100, 0b01000]),
    ('*', [0b00000, 0b00100, 0b10101, 0b01110, 0b10101, 0b00100, 0b00000]),
    ('+', [0b00000, 0b00100, 0b00100, 0b11111, 0b00100, 0b00100, 0b00000]),
    (',', [0b00000, 0b00000, 0b00000, 0b01100, 0b01100, 0b00100, 0b01000]),
    ('-', [0b00000, 0b00000, 0b00000, 0b11111, 0b00000, 0b00000, 0b00000]),
    ('.', [0b00000, 0b00000, 0b00000, 0b00000, 0b00000, 0b01100, 0b01100]),
    ('/', [0b00000, 0b00001, 0b00010, 0b00100, 0b01000, 0b10000, 0b00000]),
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
    (':', [0b00000, 0b01100, 0b01100, 0b00000, 0b01100, 0b01100, 0b00000]),
    (';', [0b01100, 0b01100, 0b00000, 0b01100, 0b01100, 0b00100, 0b01000]),
    ('<', [0b00010, 0b00100, 0b01000, 0b10000, 0b01000, 0b00100, 0b00010]),
    ('=', [0b00000, 0b00000, 0b11111, 0b00000, 0b11111, 0b00000, 0b00000]),
    ('>', [0b01000, 0b00100, 0b00010, 0b00001, 0b00010, 0b00100, 0b01000]),
    ('?', [0b01110, 0b10001, 0b00001, 0b00010, 0b00100, 0b00000, 0b00100]),
    ('@', [0b01110, 0b10001, 0b00001, 0b01101, 0b10101, 0b10101, 0b01110]),
    ('A', [0b01110, 0b10001, 0b10001, 0b11111, 0b10001, 0b10001, 0b10001]),
    ('B', [0b11110, 0b10001, 0b10001, 0b11110, 0b10001, 0b10001, 0b11110]),
    ('C', [0b01110, 0b10001, 0b10000, 0b10000, 0b10000, 0b10001, 0b01110]),
    ('D', [0b11100, 0b10010, 0b10001, 0b10001, 0b10001, 0b10010, 0b11100]),
    ('E', [0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b11111]),
    ('F', [0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b10000]),
    ('G', [0b01110, 0b10001, 0b10000, 0b10111, 0b10001, 0b10001, 0b01111]),
    ('H', [0b10001, 0b10001, 0b10001, 0b11111, 0b10001, 0b10001, 0b10001]),
    ('I', [0b01110, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110]),
    ('J', [0b00111, 0b00010, 0b00010, 0b00010, 0b00010, 0b10010, 0b01100]),
    ('K', [0b10001, 0b10010, 0b10100, 0b11000, 0b10100, 0b10010, 0b10001]),
    ('L', [0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b11111]),
    ('M', [0b10001, 0b11011, 0b10101, 0b10101, 0b10001, 0b10001, 0b10001]),
    ('N', [0b10001, 0b10001, 0b11001, 0b10101, 0b10011, 0b10001, 0b10001]),
    ('O', [0b01110, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01110]),
    ('P', [0b11110, 0b10001, 0b10001, 0b11110, 0b10000, 0b10000, 0b10000]),
    ('Q', [0b01110, 0b10001, 0b10001, 0b10001, 0b10101, 0b10010, 0b01101]),
    ('R', [0b11110, 0b10001, 0b10001, 0b11110, 0b10100, 0b10010, 0b10001]),
    ('S', [0b01111, 0b10000, 0b10000, 0b01110, 0b00001, 0b00001, 0b11110]),
    ('T', [0b11111, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100]),
    ('U', [0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01110]),
    ('V', [0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01010, 0b00100]),
    ('W', [0b10001, 0b10001, 0b10001, 0b10101, 0b10101, 0b10101, 0b01010]),
    ('X', [0b10001, 0b10001, 0b01010, 0b00100, 0b01010, 0b10001, 0b10001]),
    ('Y', [0b10001, 0b10001, 0b10001, 0b01010, 0b00100, 0b00100, 0b00100]),
    ('Z', [0b11111, 0b00001, 0b00010, 0b00100, 0b01000, 0b10000, 0b11111]),
    ('[', [0b01110, 0b01000, 0b01000, 0b01000, 0b01000, 0b01000, 0b01110]),
    ('\\', [0b00000, 0b10000, 0b01000, 0b00100, 0b00010, 0b00001, 0b00000]),
    (']', [0b01110, 0b00010, 0b00010, 0b00010, 0b00010, 0b00010, 0b01110]),
    ('^', [0b00100, 0b01010, 0b10001, 0b00000, 0b00000, 0b00000, 0b00000]),
    ('_', [0b00000, 0b00000, 0b00000, 0b00000, 0b00000, 0b00000, 0b11111]),
    ('`', [0b01000, 0b00100, 0b00010, 0b00000, 0b00000, 0b00000, 0b00000]),
    ('a', [0b00000, 0b00000, 0b01110, 0b00001, 0b01111, 0b10001, 0b01111]),
    ('b', [0b10000, 0b10000, 0b10110, 0b11001, 0b10001, 0b10001, 0b11110]),
    ('c', [0b00000, 0b00000, 0b01110, 0b10000, 0b10000, 0b10001, 0b01110]),
    ('d', [0b00001, 0b00001, 0b01101, 0b10011, 0b10001, 0b10001, 0b01111]),
    ('e', [0b00000, 0b00000, 0b01110, 0b10001, 0b11111, 0b10000, 0b01110]),
    ('f', [0b00110, 0b01001, 0b01000, 0b11100, 0b01000, 0b01000, 0b01000]),
    ('g', [0b01101, 0b10011, 0b10001, 0b10011, 0b01101, 0b00001, 0b01110]),
    ('h', [0b10000, 0b10000, 0b10110, 0b11001, 0b10001, 0b10001, 0b10001]),
    ('i', [0b00100, 0b00000, 0b01100, 0b00100, 0b00100, 0b00100, 0b01110]),
    ('j', [0b00010, 0b00000, 0b00110, 0b00010, 0b00010, 0b10010, 0b01100]),
    ('k', [0b10000, 0b10000, 0b10010, 0b10100, 0b11000, 0b10100, 0b10010]),
    ('l', [0b01100, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110]),
    ('m', [0b00000, 0b00000, 0b11010, 0b10101, 0b10101, 0b10001, 0b10001]),
    ('n', [0b00000, 0b00000, 0b10110, 0b11001, 0b10001, 0b10001, 0b10001]),
    ('o', [0b00000, 0b00000, 0b01110, 0b10001, 0b10001, 0b10001, 0b01110]),
    ('p', [0b10110, 0b11001, 0b10001, 0b11001, 0b10110, 0b10000, 0b10000]),
    ('q', [0b01101, 0b10011, 0b10001, 0b10011, 0b01101, 0b00001, 0b00001]),
    ('r', [0b00000, 0b00000, 0b10110, 0b11001, 0b10000, 0b10000, 0b10000]),
    ('s', [0b00000, 0b00000, 0b01110, 0b10000, 0b01110, 0b00001, 0b11110]),
    ('t', [0b01000, 0b01000, 0b11100, 0b01000, 0b01000, 0b01001, 0b00110]),
    ('u', [0b00000, 0b00000, 0b10001, 0b10001, 0b10001, 0b10011, 0b01101]),
    ('v', [0b00000, 0b00000, 0b10001, 0b10001, 0b10001, 0b01010, 0b00100]),
    ('w', [0b00000, 0b00000, 0b10001, 0b10001, 0b10101, 0b10101, 0b01010]),
    ('x', [0b00000, 0b00000, 0b10001, 0b01010, 0b00100, 0b01010, 0b10001]),
    ('y', [0b10001, 0b10001, 0b10001, 0b10001, 0b01111, 0b00001, 0b01110]),
    ('z', [0b00000, 0b00000, 0b11111, 0b00010, 0b00100, 0b01000, 0b11111]),
    ('{', [0b00010, 0b00100, 0b00100, 0b01000, 0b00100, 0b00100, 0b00010]),
    ('|', [0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100]),
    ('}', [0b01000, 0b00100, 0b00100, 0b00010, 0b00100, 0b00100, 0b01000]),
    ('~', [0b00000, 0b00000, 0b01000, 0b10101, 0b00010, 0b00000, 0b00000]),
];

/// What is drawn for a character that is no letter anywhere.
const BOX: Sign = [
    0b11111, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b11111,
];

/// The signs that stand for a text: those of ASCII for themselves, and for other characters what
/// sounds or looks like them. Accents that are characters of their own are left out.
fn signs(text: &str) -> String {
    let mut signs = String::new();
    for c in text.chars() {
        match c {
            ' '..='~' | UNKNOWN => signs.push(c),
            _ => match deunicode::deunicode_char(c) {
                // A space behind it would part syllables.
                Some(known) => signs.push_str(known.trim_end()),
                None => signs.push(UNKNOWN),
            },
        }
    }
    signs
}

/// The text, truncated to so many characters; three dots mark the cut.
pub fn shortened(text: &str, most: usize) -> String {
    let signs = signs(text);
    if signs.chars().count() <= most {
        return signs;
    }
    let kept: String = signs.chars().take(most.saturating_sub(3)).collect();
    kept + "..."
}

/// Width and height of a text in pixels, each pixel of the font enlarged by `factor`.
pub fn size(text: &str, factor: usize) -> [usize; 2] {
    let width = (ADVANCE * signs(text).chars().count()).saturating_sub(1);
    [factor * width, factor * HEIGHT]
}

/// Draws a text with its upper left corner at `at` (x, y). What lies outside the picture is left
/// out.
pub fn draw(picture: &mut RgbImage, text: &str, at: [usize; 2], factor: usize, colour: Rgb<u8>) {
    let blank = [0; HEIGHT];
    for (i, c) in signs(text).chars().enumerate() {
        let found = SIGNS.iter().find(|(sign, _)| *sign == c);
        let rows = match (found, c) {
            (Some((_, rows)), _) => *rows,
            (None, ' ') => blank,
            (None, _) => BOX,
        };
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
    fn no_sign_is_blank_or_like_another_and_other_scripts_are_read_aloud() {
        for (i, (sign, rows)) in SIGNS.iter().enumerate() {
            assert_eq!(*sign, char::from(b'!' + i as u8), "ASCII in its order");
            assert!(rows.iter().any(|row| *row != 0) && *rows != BOX, "{sign}");
            let twin = SIGNS[..i].iter().find(|(_, other)| other == rows);
            assert_eq!(twin, None, "{sign}");
        }
        assert_eq!(SIGNS.len(), 94);
        for (text, wanted) in [
            ("Bär 3é", "Bar 3e"),
            // As file names of macOS spell it.
            ("e\u{301}", "e"),
            ("猫 日本", "Mao RiBen"),
            ("a\u{e000}b", "a\u{25a1}b"),
        ] {
            assert_eq!(signs(text), wanted);
            assert_eq!(signs(wanted), wanted);
        }
        assert_eq!(size("é", 1), size("e", 1));
        assert_eq!(shortened("Ankle boot", 10), "Ankle boot");
        assert_eq!(shortened("Ankle boots", 10), "Ankle b...");
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let mut picture = RgbImage::new(3, 3);
        draw(&mut picture, "88", [1, 1], 3, Rgb([9; 3]));
        draw(&mut picture, "8", [100, 100], 1, Rgb([9; 3]));
        assert_eq!(picture.dimensions(), (3, 3));
    }
}
