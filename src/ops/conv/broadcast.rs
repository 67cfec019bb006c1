//! Register tiles of 4 pixels × 32 or 16 channels whose weights are loaded once per subgroup: where
//! they fit and their grids. Steps and twins are those of [`super`].

use super::{Call, Conv, Side};
use crate::ops::flag;
use crate::plan::{Caps, Tiles, groups};

/// Needs subgroups of at least 8, and enough channels on both sides to feed 8 lanes.
pub fn fits(caps: &Caps, spec: &Conv) -> bool {
    let wide = |channels: usize| channels >= 16 && channels.is_multiple_of(8);
    caps.subgroup_min >= 8 && wide(spec.big[2]) && wide(spec.small[2])
}

/// Constants of a call's tiles. They have 32 channels where the adapter has registers for them and
/// tiles of 16 would leave no fewer idle.
pub fn constants(caps: &Caps, spec: &Conv, call: Call) -> [(&'static str, f64); 2] {
    let wide = flag(is_wide(caps, spec, call));
    [("WIDE", wide), ("QUADS", quads(caps, spec) as f64)]
}

/// Quads of channels that an iteration takes, or positions of each quarter of a range, of which it
/// cannot count more than a row holds.
fn quads(caps: &Caps, spec: &Conv) -> usize {
    if caps.tiles == Tiles::Large {
        spec.small[1].min(2)
    } else {
        1
    }
}

fn is_wide(caps: &Caps, spec: &Conv, call: Call) -> bool {
    caps.tiles != Tiles::Small && owned(spec, call).div_ceil(16).is_multiple_of(2)
}

/// The channels that tiles divide among them.
fn owned(spec: &Conv, call: Call) -> usize {
    match call {
        Call::Correlate | Call::WeightGrad(_) => spec.small[2],
        Call::Adjoint => spec.big[2],
    }
}

/// Workgroups of a call.
pub fn grid(caps: &Caps, spec: &Conv, batch: usize, call: Call) -> [u32; 3] {
    let blocks = groups(
        owned(spec, call),
        if is_wide(caps, spec, call) { 32 } else { 16 },
    );
    let phases = groups(spec.stride * spec.stride, 1);
    let rows = spec.kernel * spec.kernel * spec.big[2] / 4;
    match call {
        Call::Correlate => {
            let pixels = groups(batch * spec.small_pixels(), 4 * 8);
            [blocks, pixels, 1]
        }
        Call::Adjoint => {
            let pixels = groups(batch * spec.phase_pixels(), 4 * 8);
            [phases * blocks, pixels, 1]
        }
        Call::WeightGrad(splits) => [blocks, groups(rows, 8), groups(splits, 1)],
    }
}

/// Whether the taps of the weight gradient meet all pixels of dy, so that it can sum them on its way.
pub fn sums_all(spec: &Conv, dy: Side) -> bool {
    let meets_all = |axis: usize| {
        let (big, small) = (spec.big[axis], spec.small[axis]);
        small * spec.stride >= big && spec.kernel >= spec.pad[axis] + spec.stride
    };
    dy == Side::Small || meets_all(0) && meets_all(1)
}

/// The entry point of the weight gradient, and how many sums of dy it takes on its way.
pub fn sums(spec: &Conv, dy: Side, splits: usize) -> (&'static str, usize) {
    match dy {
        Side::Small => ("weight_grad_sum_small", 2 * splits),
        Side::Big => ("weight_grad_sum_big", splits * spec.stride * spec.stride),
    }
}

/// To which of these sums a pixel of dy belongs, where a range of positions of the small image has
/// `size`: one for the first two quarters of these and one for the others, or one for each place in
/// the square of big pixels that belongs to a position.
pub fn sum_of(caps: &Caps, spec: &Conv, dy: Side, size: usize, pixel: usize) -> usize {
    let (stride, [height, width, _]) = (spec.stride, spec.big);
    match dy {
        Side::Small => {
            let quarter = size.div_ceil(4).next_multiple_of(quads(caps, spec));
            2 * (pixel / size) + pixel % size / quarter / 2
        }
        Side::Big => {
            let (n, y, x) = (
                pixel / (height * width),
                pixel / width % height,
                pixel % width,
            );
            let position = (n * spec.small[0] + y / stride) * spec.small[1] + x / stride;
            (position / size * stride + y % stride) * stride + x % stride
        }
    }
}
