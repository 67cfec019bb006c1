//! Register tiles of 4 pixels × 32 or 16 channels; weights are loaded once per subgroup and broadcast.

use super::kernels::{Call, Kernels, Site};
use super::spec::{Conv, Side};
use crate::ops::heuristics::Tiles;
use crate::ops::target::Target;
use crate::ops::wgsl::files;
use crate::plan::{Constants, Source, flag, groups};

/// The `broadcast` kernels.
pub struct Broadcast;

static SOURCES: [Source; 2] = [
    Source::new(
        "conv_broadcast",
        files!(
            "common/buffers",
            "common/activation",
            "common/conv",
            "conv_broadcast"
        ),
    )
    .with_subgroups(),
    Source::new(
        "conv_broadcast_texels",
        files!(
            "common/texels",
            "common/activation",
            "common/conv",
            "conv_broadcast"
        ),
    )
    .with_subgroups(),
];

/// Quads of channels per iteration. In the weight gradient, positions per iteration and quarter of a
/// split, which must not exceed a row.
fn unroll(&Site { target, spec, .. }: &Site) -> usize {
    match target.heuristics.tiles {
        Tiles::Large => spec.small[1].min(2),
        Tiles::Small | Tiles::Medium => 1,
    }
}

/// Whether tiles have 32 channels: the adapter has enough registers, and the channels fill such tiles
/// as well as tiles of 16.
fn is_wide(&Site { target, spec, .. }: &Site, call: Call) -> bool {
    target.heuristics.tiles != Tiles::Small && owned(&spec, call).div_ceil(16).is_multiple_of(2)
}

/// Number of channels that are divided into tiles.
fn owned(spec: &Conv, call: Call) -> usize {
    match call {
        Call::Correlate | Call::WeightGrad(_) => spec.small[2],
        Call::Adjoint => spec.big[2],
    }
}

impl Kernels for Broadcast {
    fn sources(&self) -> &'static [Source] {
        &SOURCES
    }

    /// Needs subgroups of at least 8, and enough channels on both sides to feed 8 lanes.
    fn fits(&self, target: &Target, spec: &Conv) -> bool {
        let wide = |channels: usize| channels >= 16 && channels.is_multiple_of(8);
        target.caps.subgroup_min >= 8 && wide(spec.big[2]) && wide(spec.small[2])
    }

    fn source(&self, _: &Site, _: Call, texels: bool) -> &'static Source {
        &SOURCES[usize::from(texels)]
    }

    fn constants(&self, site: &Site, call: Call) -> Constants {
        let wide = flag(is_wide(site, call));
        vec![("WIDE", wide), ("UNROLL", unroll(site) as f64)]
    }

    fn grid(&self, site: &Site, call: Call) -> [u32; 3] {
        let &Site { spec, batch, .. } = site;
        let channels = if is_wide(site, call) { 32 } else { 16 };
        let blocks = groups(owned(&spec, call), channels);
        let phases = groups(spec.stride * spec.stride, 1);
        let rows = spec.kernel * spec.kernel * spec.big[2] / 4;
        let pixels = |count: usize| groups(batch * count, 4 * 8);
        match call {
            Call::Correlate => [blocks, pixels(spec.small_pixels()), 1],
            Call::Adjoint => [phases * blocks, pixels(spec.phase_pixels()), 1],
            Call::WeightGrad(splits) => [blocks, groups(rows, 8), groups(splits, 1)],
        }
    }

    /// Its weight gradient always sums dy too, so the taps must reach every pixel of dy.
    fn takes_weight_grad(&self, spec: &Conv, dy: Side) -> bool {
        let reaches_all = |axis: usize| {
            let (big, small) = (spec.big[axis], spec.small[axis]);
            small * spec.stride >= big && spec.kernel >= spec.pad[axis] + spec.stride
        };
        dy == Side::Small || reaches_all(0) && reaches_all(1)
    }

    fn weight_grad(&self, site: &Site, dy: Side, splits: usize) -> (&'static str, Option<usize>) {
        let stride = site.spec.stride;
        match dy {
            Side::Small => ("weight_grad_sum_small", Some(2 * splits)),
            Side::Big => ("weight_grad_sum_big", Some(splits * stride * stride)),
        }
    }

    /// Small dy: one sum for the first two quarters of a split's positions and one for the others.
    /// Big dy: one sum per place in the `stride`×`stride` square of big pixels of a position.
    fn sum_of(&self, site: &Site, dy: Side, size: usize, pixel: usize) -> usize {
        let spec = site.spec;
        let (stride, [height, width, _]) = (spec.stride, spec.big);
        match dy {
            Side::Small => {
                let quarter = size.div_ceil(4).next_multiple_of(unroll(site));
                2 * (pixel / size) + pixel % size / quarter / 2
            }
            Side::Big => {
                let (row, x) = (pixel / width, pixel % width);
                let (n, y) = (row / height, row % height);
                let position = (n * spec.small[0] + y / stride) * spec.small[1] + x / stride;
                (position / size * stride + y % stride) * stride + x % stride
            }
        }
    }
}
