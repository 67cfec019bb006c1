//! Text in Noto Sans Mono: Latin letters as they are, other scripts transliterated.

use image::{Rgb, RgbImage};
use noto_sans_mono_bitmap::{FontWeight, RasterHeight, RasterizedChar, get_raster};

use super::shapes::blend;

/// The size of a character in pixels; `ADVANCE` is also the distance to the next one.
const ADVANCE: usize = noto_sans_mono_bitmap::get_raster_width(FontWeight::Regular, SIZE);
pub const HEIGHT: usize = SIZE.val();
const SIZE: RasterHeight = RasterHeight::Size24;

/// Replaces a character that has neither a glyph nor a transliteration.
const UNKNOWN: char = char::REPLACEMENT_CHARACTER;

fn glyph(c: char) -> Option<RasterizedChar> {
    get_raster(c, FontWeight::Regular, SIZE)
}

/// The text in characters that have a glyph. A combining accent is dropped.
fn drawable(text: &str) -> String {
    let mut drawable = String::new();
    for c in text.chars() {
        match deunicode::deunicode_char(c) {
            _ if glyph(c).is_some() => drawable.push(c),
            // The space after a syllable is dropped.
            Some(latin) => drawable.push_str(latin.trim_end()),
            None => drawable.push(UNKNOWN),
        }
    }
    drawable
}

/// The text, truncated to `most` characters; three dots mark the cut.
pub fn shortened(text: &str, most: usize) -> String {
    let text = drawable(text);
    if text.chars().count() <= most {
        return text;
    }
    let kept: String = text.chars().take(most.saturating_sub(3)).collect();
    kept + "..."
}

/// The width of a text in pixels.
pub fn width(text: &str) -> usize {
    ADVANCE * drawable(text).chars().count()
}

/// Draws a text with its upper left corner at `at` (x, y), clipped to the picture.
pub fn draw(picture: &mut RgbImage, text: &str, at: [usize; 2], Rgb(colour): Rgb<u8>) {
    for (i, c) in drawable(text).chars().enumerate() {
        let rows = glyph(c)
            .into_iter()
            .flat_map(|glyph| glyph.rows().enumerate());
        for (y, row) in rows {
            for (x, cover) in row.iter().enumerate() {
                let pixel = [at[0] + ADVANCE * i + x, at[1] + y];
                blend(picture, pixel, colour, f64::from(*cover) / 255.0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHITE: Rgb<u8> = Rgb([255; 3]);

    #[test]
    fn a_text_is_drawn_inside_its_box() {
        let mut picture = RgbImage::from_pixel(60, 40, WHITE);
        draw(&mut picture, "1.", [4, 3], Rgb([0; 3]));
        let inked = picture.enumerate_pixels().filter(|p| *p.2 != WHITE);
        let inked: Vec<_> = inked.map(|(x, y, _)| (x as usize, y as usize)).collect();
        assert!(inked.len() > 20, "{}", inked.len());
        let [right, bottom] = [4 + width("1."), 3 + HEIGHT];
        assert!((inked.iter()).all(|(x, y)| (4..right).contains(x) && (3..bottom).contains(y)));
    }

    #[test]
    fn latin_letters_have_glyphs_and_other_scripts_are_transliterated() {
        for (text, expected) in [
            ("Bär 3é, Łódź", "Bär 3é, Łódź"),
            // A decomposed é, as file names of macOS have it.
            ("e\u{301}", "e"),
            ("猫 日本", "Mao RiBen"),
            ("a\u{e000}b", "a\u{fffd}b"),
        ] {
            assert_eq!(drawable(text), expected);
            assert_eq!(drawable(expected), expected);
        }
        let printable = (' '..='~').chain([UNKNOWN]);
        let missing: Vec<char> = printable.filter(|c| glyph(*c).is_none()).collect();
        assert_eq!(missing, []);
        assert_eq!(shortened("Ankle boot", 10), "Ankle boot");
        assert_eq!(shortened("Ankle boots", 10), "Ankle b...");
    }

    #[test]
    fn a_text_is_clipped_to_the_picture() {
        let mut picture = RgbImage::new(3, 3);
        draw(&mut picture, "88", [1, 1], Rgb([9; 3]));
        draw(&mut picture, "8", [100, 100], Rgb([9; 3]));
        assert_eq!(picture.dimensions(), (3, 3));
    }
}
