//! Scatter plots of latent codes, coloured by label, with axes and a legend.

use image::RgbImage;

use super::axes::{Axis, BELOW, EDGE, Frame, INK, LEFT, PALETTE, PAPER};
use super::font;
use super::shapes::disc;

/// Points to draw.
#[derive(Clone, Copy, Debug)]
pub struct Points<'a> {
    /// Their coordinates, in data units. Points that are not finite are not drawn.
    pub at: &'a [[f32; 2]],
    /// A label for each point.
    pub labels: Option<&'a [u32]>,
    /// The names of the labels, label 0 first. A label without a name is shown as a number.
    pub classes: &'a [String],
    /// The names of the two axes.
    pub axes: [&'a str; 2],
}

/// Side of the plot in pixels.
const SIDE: usize = 800;
/// The smallest width of a column of the legend, and the width around its names.
const LEGEND: usize = 110;
const AROUND_NAME: usize = 46;
/// The most characters of a name in the legend, and the most columns.
const LONGEST_NAME: usize = 24;
const COLUMNS: usize = 10;
/// The labels in a column of the legend, and the pixels from one to the next.
const COLUMN: usize = 26;
const LINE: usize = 30;

/// The colour of class `index` of `count`: from the palette if it is large enough, else a hue,
/// alternately light and dark.
fn colour(index: usize, count: usize) -> [u8; 3] {
    if count <= PALETTE.len() {
        return PALETTE[index % PALETTE.len()];
    }
    let hue = 6.0 * index as f64 / count as f64;
    let value = if index.is_multiple_of(2) {
        230.0
    } else {
        150.0
    };
    [0.0, 4.0, 2.0].map(|shift| {
        let distance = ((hue + shift) % 6.0 - 3.0).abs() - 1.0;
        (value * distance.clamp(0.0, 1.0)) as u8
    })
}

/// The entries of the legend with their colours. If there are too many, the last one is the number
/// of the omitted classes, without a colour.
fn legend(classes: &[u32], names: &[String]) -> Vec<(String, Option<[u8; 3]>)> {
    const MOST: usize = COLUMN * COLUMNS;
    let all = classes.len();
    let shown = if all > MOST { MOST - 1 } else { all };
    let entry = |(i, class): (usize, &u32)| {
        let name = match names.get(*class as usize) {
            Some(name) => font::shortened(name, LONGEST_NAME),
            None => class.to_string(),
        };
        (name, Some(colour(i, all)))
    };
    let entries = classes[..shown].iter().enumerate().map(entry);
    let more = (shown < all).then(|| (format!("{} more", all - shown), None));
    entries.chain(more).collect()
}

/// Two axes of equal scale, so that the plot keeps the ratios of distances.
fn axes_of(points: &[[f32; 2]]) -> [Axis; 2] {
    let ranges = [0, 1].map(|i| Axis::range(points.iter().map(|p| f64::from(p[i])), 0.04));
    let lengths = ranges.map(|[low, high]| high - low);
    let longest = lengths[0].max(lengths[1]);
    // A single point is in the middle of axes of length 2.
    let length = if longest > 0.0 { longest } else { 2.0 };
    ranges.map(|range| Axis::new(range, length))
}

/// Draws points; the first coordinate is horizontal, the second vertical. Each label has a colour and
/// an entry in the legend.
#[must_use]
pub fn scatter(points: &Points<'_>) -> RgbImage {
    let mut classes: Vec<u32> = points.labels.unwrap_or_default().to_vec();
    classes.sort_unstable();
    classes.dedup();
    let entries = legend(&classes, points.classes);
    let columns = entries.len().div_ceil(COLUMN);
    let longest = entries.iter().map(|(name, _)| font::width(name)).max();
    let column = LEGEND.max(longest.unwrap_or(0) + AROUND_NAME);
    let [width, height] = [LEFT + SIDE + EDGE + columns * column, EDGE + SIDE + BELOW];
    let mut picture = RgbImage::from_pixel(width as u32, height as u32, PAPER);
    let frame = Frame {
        left: LEFT,
        top: EDGE,
        size: [SIDE, SIDE],
        axes: axes_of(points.at),
    };
    frame.draw(&mut picture, points.axes);
    // Many points are drawn small and more transparent.
    let (radius, opacity) = match points.at.len() {
        0..500 => (5.0, 0.8),
        500..3000 => (3.5, 0.65),
        _ => (2.5, 0.5),
    };
    for (i, at) in points.at.iter().enumerate() {
        if !at.iter().all(|v| v.is_finite()) {
            continue;
        }
        let label = points.labels.and_then(|labels| labels.get(i));
        let class = label.and_then(|l| classes.binary_search(l).ok());
        let colour = colour(class.unwrap_or(0), classes.len());
        let centre = frame.pixel(at.map(f64::from));
        disc(&mut picture, centre, radius, colour, opacity);
    }
    for (i, (name, colour)) in entries.iter().enumerate() {
        let left = LEFT + SIDE + EDGE + i / COLUMN * column;
        let top = EDGE + 20 + i % COLUMN * LINE;
        if let Some(colour) = colour {
            let centre = [left as f64, (top + font::HEIGHT / 2) as f64];
            disc(&mut picture, centre, 8.0, *colour, 1.0);
        }
        font::draw(&mut picture, name, [left + 22, top], INK);
    }
    if !classes.is_empty() {
        let at = [LEFT + SIDE + EDGE - 8, EDGE - font::HEIGHT];
        font::draw(&mut picture, "label", at, INK);
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(values: &[f32]) -> Vec<String> {
        let points: Vec<[f32; 2]> = values.iter().map(|v| [*v; 2]).collect();
        let [axis, _] = axes_of(&points);
        axis.ticks().map(|t| axis.text(t)).collect()
    }

    #[test]
    fn ticks_are_round_numbers_within_the_axis() {
        let few = ["-3", "-2", "-1", "0", "1", "2", "3"];
        assert_eq!(ticks(&[-3.1, 3.2]), few);
        assert_eq!(ticks(&[0.0, 1.0])[..3], ["0", "0.2", "0.4"]);
        assert_eq!(
            ticks(&[-4e3, 1e4]),
            [
                "-4000", "-2000", "0", "2000", "4000", "6000", "8000", "10000"
            ]
        );
        // A single value, or none that is finite, has an axis too.
        for values in [&[7.0][..], &[], &[f32::NAN], &[3e38], &[-3e38, 3e38]] {
            let count = ticks(values).len();
            assert!((1..=11).contains(&count), "{values:?}: {count}");
        }
    }

    #[test]
    fn points_lie_where_they_should_in_the_colour_of_their_label() {
        let at = [[-1.0, -1.0], [1.0, 1.0], [f32::NAN, 0.0]];
        let points = Points {
            at: &at,
            labels: Some(&[9, 4, 4]),
            classes: &[],
            axes: ["z[0]", "z[1]"],
        };
        let picture = scatter(&points);
        let [axis, _] = axes_of(&at[..2]);
        for (value, class) in [(-1.0, 1), (1.0, 0)] {
            let offset = (SIDE as f64 * axis.place(value)) as u32;
            let (x, y) = (LEFT as u32 + offset, (EDGE + SIDE) as u32 - offset);
            let [r, g, b] = picture.get_pixel(x, y).0.map(i32::from);
            let wanted = PALETTE[class].map(|v| (0.8 * f64::from(v) + 51.0) as i32);
            let near = [r, g, b]
                .iter()
                .zip(wanted)
                .all(|(a, b)| (a - b).abs() < 60);
            assert!(near, "{:?} for {wanted:?}", [r, g, b]);
        }
        // The legend has a disc for each class, in order.
        for (i, class) in PALETTE[..2].iter().enumerate() {
            let at = [LEFT + SIDE + EDGE, EDGE + 20 + i * LINE + font::HEIGHT / 2];
            assert_eq!(picture.get_pixel(at[0] as u32, at[1] as u32).0, *class);
        }
    }

    #[test]
    fn names_stand_in_the_legend_which_ends_somewhere() {
        let names = ["cat", "", "a name that goes on and on and on"].map(String::from);
        let entries = legend(&[0, 2, 7], &names);
        let texts: Vec<&str> = entries.iter().map(|(text, _)| text.as_str()).collect();
        assert_eq!(texts, ["cat", "a name that goes on a...", "7"]);
        assert!(entries.iter().all(|(_, colour)| colour.is_some()));
        let many: Vec<u32> = (0..300).collect();
        let entries = legend(&many, &[]);
        assert_eq!(entries.len(), 260);
        assert_eq!(entries[259], ("41 more".to_owned(), None));
        assert_eq!(legend(&many[..260], &[])[259].0, "259");

        // A wide name makes a wide picture and puts ink there.
        let points = |classes| Points {
            at: &[[0.0, 0.0]],
            labels: Some(&[2]),
            classes,
            axes: ["z[0]", "z[1]"],
        };
        let [plain, named] = [&[][..], &names].map(|classes| scatter(&points(classes)));
        let more = (font::width(&"x".repeat(LONGEST_NAME)) + AROUND_NAME - LEGEND) as u32;
        assert_eq!(named.width() - plain.width(), more);
        let ink = (named.enumerate_pixels()).filter(|(x, _, p)| *x > plain.width() && **p != PAPER);
        assert!(ink.count() > 100);
    }
}
