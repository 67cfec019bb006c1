//! Curves by epoch, with axes and a legend.

use image::RgbImage;

use super::axes::{Axis, BELOW, EDGE, Frame, INK, LEFT, PALETTE, PAPER};
use super::font;
use super::shapes::disc;

/// A curve to draw.
#[derive(Clone, Debug)]
pub struct Curve {
    /// What it is.
    pub name: String,
    /// Epoch and value of each point, in ascending order of epochs.
    pub points: Vec<[f64; 2]>,
}

/// Width and height of the plot in pixels.
const SIZE: [usize; 2] = [800, 480];
/// Pixels between the name of the vertical axis and the plot.
const GAP: usize = 20;
/// The top of the legend, and the width before the text of each entry.
const TEXT: usize = EDGE - font::HEIGHT;
const ENTRY: usize = 50;
/// Largest number of points that get a marker.
const FEW: usize = 50;

/// Draws at most ten curves by epoch. Once a curve has two points after epoch 0, the vertical axis
/// fits only those: the untrained model is so far off that it would flatten all others.
#[must_use]
pub fn curves(curves: &[Curve], unit: &str) -> RgbImage {
    let [width, height] = [LEFT + SIZE[0] + EDGE, EDGE + GAP + SIZE[1] + BELOW];
    let mut picture = RgbImage::from_pixel(width as u32, height as u32, PAPER);
    let points = || curves.iter().flat_map(|curve| curve.points.iter().copied());
    let rises = |curve: &Curve| curve.points.iter().filter(|at| at[0] > 0.0).count() > 1;
    let all = !curves.iter().any(rises);
    let values = points().filter(|[epoch, _]| all || *epoch > 0.0);
    let axis = |[low, high]: [f64; 2]| {
        // A single epoch or value is in the middle of an axis of length 2.
        let length = if high > low { high - low } else { 2.0 };
        Axis::new([low, high], length)
    };
    let frame = Frame {
        left: LEFT,
        top: EDGE + GAP,
        size: SIZE,
        axes: [
            axis(Axis::range(points().map(|[epoch, _]| epoch), 0.03)).whole(),
            axis(Axis::range(values.map(|[_, value]| value), 0.08)),
        ],
    };
    frame.draw(&mut picture, ["epoch", unit]);
    // The legend is above the plot, right-aligned.
    let widths = curves.iter().map(|curve| font::width(&curve.name) + ENTRY);
    let mut left = (LEFT + SIZE[0]).saturating_sub(widths.sum());
    for (curve, colour) in curves.iter().zip(PALETTE) {
        for ends in curve.points.windows(2) {
            frame.line(&mut picture, [ends[0], ends[1]], colour);
        }
        let radius = if curve.points.len() <= FEW { 4.0 } else { 1.0 };
        for at in curve.points.iter().filter(|at| frame.holds(**at)) {
            disc(&mut picture, frame.pixel(*at), radius, colour, 1.0);
        }
        let place = [(left + ENTRY - 15) as f64, (TEXT + font::HEIGHT / 2) as f64];
        disc(&mut picture, place, 6.0, colour, 1.0);
        font::draw(&mut picture, &curve.name, [left + ENTRY, TEXT], INK);
        left += font::width(&curve.name) + ENTRY;
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(points: &[[f64; 2]]) -> Curve {
        Curve {
            name: "test ELBO".into(),
            points: points.to_vec(),
        }
    }

    /// Pixels of a curve's colour in the plot.
    fn drawn(picture: &RgbImage, index: usize) -> Vec<[usize; 2]> {
        let rows = EDGE + GAP..EDGE + GAP + SIZE[1];
        let pixels = picture.enumerate_pixels();
        let pixels = pixels.filter(|(_, _, pixel)| pixel.0 == PALETTE[index]);
        let places = pixels.map(|(x, y, _)| [x as usize, y as usize]);
        places.filter(|[_, y]| rows.contains(y)).collect()
    }

    #[test]
    fn curves_rise_to_the_right_through_all_their_columns() {
        let points: Vec<[f64; 2]> = (1..=8)
            .map(|i| [f64::from(i), -200.0 + f64::from(i)])
            .collect();
        let picture = curves(&[curve(&points)], "nats per image");
        let pixels = drawn(&picture, 0);
        let height = |x: usize| {
            let rows = pixels.iter().filter(|at| at[0] == x).map(|at| at[1]);
            let rows: Vec<usize> = rows.collect();
            rows.iter().sum::<usize>() as f64 / rows.len() as f64
        };
        let columns: Vec<f64> = (LEFT + 150..LEFT + SIZE[0] - 60).map(height).collect();
        assert!(columns.iter().all(|y| y.is_finite()), "a gap");
        // Seven nats over seven epochs: a straight line that rises by 86 % of the height.
        let slope = (columns[0] - columns[500]) / 500.0;
        let wanted = (480.0 / 1.16) / (800.0 / 1.06);
        assert!((slope - wanted).abs() < 0.01, "{slope} for {wanted}");
    }

    #[test]
    fn the_untrained_model_does_not_flatten_the_rest() {
        let rest: Vec<[f64; 2]> = (1..6)
            .map(|i| [f64::from(i), -180.0 + f64::from(i)])
            .collect();
        let all = [&[[0.0, -543.0]], &rest[..]].concat();
        let rows = |points: &[[f64; 2]]| {
            let pixels = drawn(&curves(&[curve(points)], "nats per image"), 0);
            let rows = pixels.iter().map(|at| at[1]);
            rows.clone().max().unwrap() - rows.min().unwrap()
        };
        assert!(rows(&rest) > 250 && rows(&all) >= rows(&rest));
        // Outside the plot only the disc of the legend has this colour.
        let picture = curves(&[curve(&all)], "nats per image");
        let blue = picture.pixels().filter(|p| p.0 == PALETTE[0]).count();
        let legend = blue - drawn(&picture, 0).len();
        // The fully covered pixels of a disc of radius 6: those within 5.5.
        assert_eq!(legend, 97);
        // A single epoch is shown together with the untrained model.
        assert!(rows(&all[..2]) > 350);
    }

    #[test]
    fn any_points_make_a_picture() {
        for points in [
            &[][..],
            &[[0.0, -543.0]],
            &[[0.0, f64::NAN], [1.0, -200.0]],
            &[[0.0, -1e300], [1.0, 1e300], [2.0, f64::INFINITY]],
        ] {
            let both = [curve(points), curve(points)];
            assert_eq!(curves(&both, "nats per image").dimensions(), (930, 610));
        }
    }
}
