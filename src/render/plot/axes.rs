//! Axes with round ticks, and the frame of a plot.

use image::{Rgb, RgbImage};

use super::font;
use super::shapes::{blend, fill};

/// Margins in pixels: for the two axes, and on the other sides.
pub(super) const LEFT: usize = 100;
pub(super) const BELOW: usize = 80;
pub(super) const EDGE: usize = 30;

pub(super) const INK: Rgb<u8> = Rgb([60; 3]);
pub(super) const PAPER: Rgb<u8> = Rgb([255; 3]);
const GRID: Rgb<u8> = Rgb([232; 3]);

/// Ten colours that are easy to distinguish, in matplotlib's order.
pub(super) const PALETTE: [[u8; 3]; 10] = [
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

/// An axis: the data values at its two ends, and the distance between ticks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    step: f64,
}

impl Axis {
    /// The smallest and the largest finite value, extended on each side by the fraction `room` of
    /// their difference.
    pub(super) fn range(values: impl Iterator<Item = f64>, room: f64) -> [f64; 2] {
        let finite = values.filter(|v| v.is_finite());
        let ends = finite.fold(None, |ends: Option<(f64, f64)>, v| {
            let (low, high) = ends.unwrap_or((v, v));
            Some((low.min(v), high.max(v)))
        });
        let (low, high) = ends.unwrap_or((0.0, 0.0));
        let room = room * (high - low);
        [low - room, high + room]
    }

    /// An axis of the given length around the middle of a range. It is longer where `length` is too
    /// small beside the values for `f64`.
    pub(super) fn new([low, high]: [f64; 2], length: f64) -> Axis {
        let middle = low / 2.0 + high / 2.0;
        let reach = (length / 2.0).max(1e-6 * middle.abs()).max(1e-6);
        let (low, high) = (middle - reach, middle + reach);
        // The smallest of 1, 2 and 5 times a power of ten with at most nine ticks.
        let rough = (high - low) / 9.0;
        let power = 10f64.powf(rough.log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0].map(|m| m * power);
        let step = steps.into_iter().find(|s| *s >= rough).unwrap_or(rough);
        Axis { low, high, step }
    }

    /// The axis with ticks at integers only.
    pub(super) fn whole(self) -> Axis {
        let step = self.step.max(1.0);
        Axis { step, ..self }
    }

    /// The position of a value on the axis: 0 at the low end, 1 at the high end.
    pub(super) fn place(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }

    pub(super) fn ticks(&self) -> impl Iterator<Item = f64> {
        let (first, last) = (
            (self.low / self.step).ceil(),
            (self.high / self.step).floor(),
        );
        let step = self.step;
        (0..=(last - first) as usize).map(move |i| (first + i as f64) * step)
    }

    pub(super) fn text(&self, tick: f64) -> String {
        let decimals = (-self.step.log10().floor()).clamp(0.0, 9.0) as usize;
        let text = format!("{tick:.decimals$}");
        // Rounding may leave a negative zero.
        if text.trim_matches(['-', '0', '.']).is_empty() {
            return "0".into();
        }
        text
    }
}

/// The part of a picture in which data are drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub left: usize,
    pub top: usize,
    /// Width and height.
    pub size: [usize; 2],
    /// The horizontal and the vertical axis.
    pub axes: [Axis; 2],
}

impl Frame {
    /// The position of a point in the picture, in pixels.
    pub(super) fn pixel(&self, at: [f64; 2]) -> [f64; 2] {
        let [x, y] = [0, 1].map(|i| self.size[i] as f64 * self.axes[i].place(at[i]));
        [self.left as f64 + x, (self.top + self.size[1]) as f64 - y]
    }

    /// True for a point within both axes.
    pub(super) fn holds(&self, at: [f64; 2]) -> bool {
        let inside = |i: usize| (0.0..=1.0).contains(&self.axes[i].place(at[i]));
        inside(0) && inside(1)
    }

    /// Draws grid lines, the frame, ticks, and the names of the axes.
    pub(super) fn draw(&self, picture: &mut RgbImage, names: [&str; 2]) {
        let Frame {
            left,
            top,
            size: [width, height],
            axes,
        } = *self;
        let (right, bottom) = (left + width, top + height);
        let pixel = |place: f64, side: usize| (place * (side - 1) as f64).round() as usize;
        for tick in axes[0].ticks() {
            let x = left + pixel(axes[0].place(tick), width);
            fill(picture, [x, top], [x + 1, bottom], GRID);
            fill(picture, [x, bottom], [x + 1, bottom + 6], INK);
            let text = axes[0].text(tick);
            let at = [x - font::width(&text) / 2, bottom + 8];
            font::draw(picture, &text, at, INK);
        }
        for tick in axes[1].ticks() {
            let y = bottom - 1 - pixel(axes[1].place(tick), height);
            fill(picture, [left, y], [right, y + 1], GRID);
            fill(picture, [left - 6, y], [left, y + 1], INK);
            let text = axes[1].text(tick);
            let at = [
                (left - 12).saturating_sub(font::width(&text)),
                y.saturating_sub(font::HEIGHT / 2),
            ];
            font::draw(picture, &text, at, INK);
        }
        for (from, to) in [
            ([left - 1, top - 1], [right + 1, top]),
            ([left - 1, bottom], [right + 1, bottom + 1]),
            ([left - 1, top - 1], [left, bottom + 1]),
            ([right, top - 1], [right + 1, bottom + 1]),
        ] {
            fill(picture, from, to, INK);
        }
        let at = [
            left + width.saturating_sub(font::width(names[0])) / 2,
            bottom + BELOW - font::HEIGHT - 16,
        ];
        font::draw(picture, names[0], at, INK);
        font::draw(picture, names[1], [10, EDGE - font::HEIGHT], INK);
    }

    /// Draws an anti-aliased line between two points, clipped to the frame.
    pub(super) fn line(&self, picture: &mut RgbImage, ends: [[f64; 2]; 2], colour: [u8; 3]) {
        const RADIUS: f64 = 1.25;
        let [from, to] = ends.map(|at| self.pixel(at));
        let way = [to[0] - from[0], to[1] - from[1]];
        let length = way[0].hypot(way[1]);
        if !length.is_finite() {
            return;
        }
        let start = [self.left, self.top];
        let [columns, rows] = [0, 1].map(|i| {
            let (low, high) = (from[i].min(to[i]) - 2.0, from[i].max(to[i]) + 3.0);
            let first = (low.max(0.0) as usize).max(start[i]);
            first..(high.max(0.0) as usize).min(start[i] + self.size[i])
        });
        for (y, x) in rows.flat_map(|y| columns.clone().map(move |x| (y, x))) {
            let at = [x as f64 - from[0], y as f64 - from[1]];
            let along = (at[0] * way[0] + at[1] * way[1]) / length.powi(2).max(f64::MIN_POSITIVE);
            let along = along.clamp(0.0, 1.0);
            let distance = (at[0] - along * way[0]).hypot(at[1] - along * way[1]);
            blend(picture, [x, y], colour, RADIUS + 0.5 - distance);
        }
    }
}
