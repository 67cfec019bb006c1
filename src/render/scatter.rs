//! Scatter plots of latent codes, coloured by label, with axes and a legend.

use image::{Rgb, RgbImage};

use super::font;

/// Points to draw.
#[derive(Clone, Copy, Debug)]
pub struct Points<'a> {
    /// Their coordinates, in data units; those that are not finite are left out.
    pub at: &'a [[f32; 2]],
    /// A label for each, or none at all.
    pub labels: Option<&'a [u8]>,
    /// What the two axes show.
    pub axes: [&'a str; 2],
}

/// Side of the plot in pixels.
const SIDE: usize = 800;
/// Room for the axes, and around.
const LEFT: usize = 100;
const BELOW: usize = 80;
const EDGE: usize = 30;
/// Room for the legend.
const LEGEND: usize = 110;
/// Labels in a column of the legend, and its distance from one to the next.
const COLUMN: usize = 26;
const LINE: usize = 30;
/// Enlargement of the font.
const FONT: usize = 2;

const INK: Rgb<u8> = Rgb([60; 3]);
const GRID: Rgb<u8> = Rgb([232; 3]);
const PAPER: Rgb<u8> = Rgb([255; 3]);

/// Ten colours that are easily told apart, as matplotlib orders them.
const PALETTE: [[u8; 3]; 10] = [
    [31, 119, 180],
    [255, 127, 14],
    [44, 160, 44],
    [214, 39, 40],
    [148, 103, 189],
    [140, 86, 75],
    [227, 119, 194],
    [127, 127, 127],
    [188, 189, 34],
    [23, 190, 207],
];

/// The colour of class `index` of `count`: of the palette where it suffices, else a hue, light
/// and dark by turns.
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

/// An axis: which data values lie at its two ends, and the step between its ticks.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Axis {
    low: f64,
    high: f64,
    step: f64,
}

/// The least and the greatest finite value, with some room around them.
fn range(values: impl Iterator<Item = f32>) -> [f64; 2] {
    let finite = values.filter(|v| v.is_finite()).map(f64::from);
    let ends = finite.fold(None, |ends: Option<(f64, f64)>, v| {
        let (low, high) = ends.unwrap_or((v, v));
        Some((low.min(v), high.max(v)))
    });
    let (low, high) = ends.unwrap_or((0.0, 0.0));
    let room = 0.04 * (high - low);
    [low - room, high + room]
}

impl Axis {
    /// Holds a range in its middle, and is `length` long, or a little more where that is nothing
    /// beside the values.
    fn new([low, high]: [f64; 2], length: f64) -> Axis {
        let middle = low / 2.0 + high / 2.0;
        let reach = (length / 2.0).max(1e-6 * middle.abs()).max(1e-6);
        let (low, high) = (middle - reach, middle + reach);
        // The smallest of 1, 2 and 5 times a power of ten that gives at most nine ticks.
        let rough = (high - low) / 9.0;
        let power = 10f64.powf(rough.log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0].map(|m| m * power);
        let step = steps.into_iter().find(|s| *s >= rough).unwrap_or(rough);
        Axis { low, high, step }
    }

    /// Two axes of one scale, so that distances in the plot are those between the points.
    fn pair(points: &[[f32; 2]]) -> [Axis; 2] {
        let ranges = [0, 1].map(|i| range(points.iter().map(|p| p[i])));
        let lengths = ranges.map(|[low, high]| high - low);
        let longest = lengths[0].max(lengths[1]);
        // A single point stands in a plot of two units.
        let length = if longest > 0.0 { longest } else { 2.0 };
        ranges.map(|range| Axis::new(range, length))
    }

    /// Where a value lies, from 0 at the low end to 1.
    fn place(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        let (first, last) = (
            (self.low / self.step).ceil(),
            (self.high / self.step).floor(),
        );
        let step = self.step;
        (0..=(last - first) as usize).map(move |i| (first + i as f64) * step)
    }

    fn text(&self, tick: f64) -> String {
        let decimals = (-self.step.log10().floor()).clamp(0.0, 9.0) as usize;
        let text = format!("{tick:.decimals$}");
        // Rounding may leave a negative zero.
        if text.trim_matches(['-', '0', '.']).is_empty() {
            return "0".into();
        }
        text
    }
}

/// Draws points; the first coordinate grows to the right, the second upwards. Where there are
/// labels, each has a colour and stands in the legend.
#[must_use]
pub fn scatter(points: &Points<'_>) -> RgbImage {
    let mut classes: Vec<u8> = points.labels.unwrap_or_default().to_vec();
    classes.sort_unstable();
    classes.dedup();
    let columns = classes.len().div_ceil(COLUMN);
    let [width, height] = [LEFT + SIDE + EDGE + columns * LEGEND, EDGE + SIDE + BELOW];
    let mut picture = RgbImage::from_pixel(width as u32, height as u32, PAPER);
    let axes = Axis::pair(points.at);
    draw_axes(&mut picture, axes, points.axes);
    // Many points are small and let others shine through.
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
        let [x, y] = [0, 1].map(|i| SIDE as f64 * axes[i].place(at[i].into()));
        let centre = [LEFT as f64 + x, (EDGE + SIDE) as f64 - y];
        disc(&mut picture, centre, radius, colour, opacity);
    }
    for (i, class) in classes.iter().enumerate() {
        let left = LEFT + SIDE + EDGE + i / COLUMN * LEGEND;
        let top = EDGE + 20 + i % COLUMN * LINE;
        let colour = colour(i, classes.len());
        disc(
            &mut picture,
            [left as f64, top as f64 + 7.0],
            8.0,
            colour,
            1.0,
        );
        font::draw(
            &mut picture,
            &class.to_string(),
            [left + 22, top],
            FONT,
            INK,
        );
    }
    if !classes.is_empty() {
        font::draw(
            &mut picture,
            "label",
            [LEFT + SIDE + EDGE - 8, EDGE - 14],
            FONT,
            INK,
        );
    }
    picture
}

/// Grid lines, the frame, ticks and names.
fn draw_axes(picture: &mut RgbImage, axes: [Axis; 2], names: [&str; 2]) {
    let (right, bottom) = (LEFT + SIDE, EDGE + SIDE);
    let pixel = |place: f64| (place * (SIDE - 1) as f64).round() as usize;
    for tick in axes[0].ticks() {
        let x = LEFT + pixel(axes[0].place(tick));
        fill(picture, [x, EDGE], [x + 1, bottom], GRID);
        fill(picture, [x, bottom], [x + 1, bottom + 6], INK);
        let text = axes[0].text(tick);
        let [width, _] = font::size(&text, FONT);
        font::draw(picture, &text, [x - width / 2, bottom + 12], FONT, INK);
    }
    for tick in axes[1].ticks() {
        let y = bottom - 1 - pixel(axes[1].place(tick));
        fill(picture, [LEFT, y], [right, y + 1], GRID);
        fill(picture, [LEFT - 6, y], [LEFT, y + 1], INK);
        let text = axes[1].text(tick);
        let [width, height] = font::size(&text, FONT);
        let left = (LEFT - 12).saturating_sub(width);
        font::draw(
            picture,
            &text,
            [left, y.saturating_sub(height / 2)],
            FONT,
            INK,
        );
    }
    for (from, to) in [
        ([LEFT - 1, EDGE - 1], [right + 1, EDGE]),
        ([LEFT - 1, bottom], [right + 1, bottom + 1]),
        ([LEFT - 1, EDGE - 1], [LEFT, bottom + 1]),
        ([right, EDGE - 1], [right + 1, bottom + 1]),
    ] {
        fill(picture, from, to, INK);
    }
    let [width, height] = font::size(names[0], FONT);
    let at = [LEFT + (SIDE - width) / 2, bottom + BELOW - 2 * height];
    font::draw(picture, names[0], at, FONT, INK);
    font::draw(picture, names[1], [10, EDGE - 14], FONT, INK);
}

/// Fills the pixels from `from` to before `to`.
fn fill(picture: &mut RgbImage, from: [usize; 2], to: [usize; 2], colour: Rgb<u8>) {
    for (y, x) in (from[1]..to[1]).flat_map(|y| (from[0]..to[0]).map(move |x| (y, x))) {
        if let Some(pixel) = picture.get_pixel_mut_checked(x as u32, y as u32) {
            *pixel = colour;
        }
    }
}

/// A disc with a soft rim.
fn disc(picture: &mut RgbImage, at: [f64; 2], radius: f64, colour: [u8; 3], opacity: f64) {
    let reach = radius + 1.0;
    let [left, top] = at.map(|v| (v - reach).max(0.0) as usize);
    let [right, bottom] = at.map(|v| (v + reach).max(0.0) as usize);
    for (y, x) in (top..=bottom).flat_map(|y| (left..=right).map(move |x| (y, x))) {
        let distance = (x as f64 - at[0]).hypot(y as f64 - at[1]);
        let cover = opacity * (radius + 0.5 - distance).clamp(0.0, 1.0);
        if let Some(Rgb(pixel)) = picture.get_pixel_mut_checked(x as u32, y as u32) {
            for (old, new) in pixel.iter_mut().zip(colour) {
                let mixed = f64::from(*old) * (1.0 - cover) + f64::from(new) * cover;
                *old = mixed.round() as u8;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(values: &[f32]) -> Vec<String> {
        let points: Vec<[f32; 2]> = values.iter().map(|v| [*v; 2]).collect();
        let [axis, _] = Axis::pair(&points);
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
        // One value, or none that is finite, makes an axis too.
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
            axes: ["z[0]", "z[1]"],
        };
        let picture = scatter(&points);
        let [axis, _] = Axis::pair(&at[..2]);
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
            let at = [LEFT + SIDE + EDGE, EDGE + 20 + i * LINE + 7];
            assert_eq!(picture.get_pixel(at[0] as u32, at[1] as u32).0, *class);
        }
    }

    #[test]
    fn without_labels_there_is_no_legend_and_with_many_it_has_columns() {
        let points = |labels| Points {
            at: &[[0.0, 0.0]; 60],
            labels,
            axes: ["z[0]", "z[1]"],
        };
        let plain = scatter(&points(None)).width() as usize;
        let labels: Vec<u8> = (0..60).collect();
        let many = scatter(&points(Some(&labels))).width() as usize;
        assert_eq!((plain, many - plain), (LEFT + SIDE + EDGE, 3 * LEGEND));
    }
}
