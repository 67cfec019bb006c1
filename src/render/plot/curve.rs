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
