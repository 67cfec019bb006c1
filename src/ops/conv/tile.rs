//! Register tiles of 8 pixels × 8 channels, for every adapter.

use super::kernels::{Call, Kernels, Site};
use super::spec::Conv;
use crate::ops::target::Target;
use crate::ops::wgsl::files;
use crate::plan::{Source, groups};

/// The `tile` kernels.
pub struct Tile;

static SOURCES: [Source; 2] = [
    Source::new(
        "conv_tile",
        files!(
            "common/buffers",
            "common/activation",
            "common/conv",
            "conv_tile"
        ),
    ),
    Source::new(
        "conv_tile_texels",
        files!(
            "common/texels",
            "common/activation",
            "common/conv",
            "conv_tile"
        ),
    ),
];

impl Kernels for Tile {
    fn sources(&self) -> &'static [Source] {
        &SOURCES
    }

    /// Channel counts must be multiples of 4.
    fn fits(&self, _: &Target, spec: &Conv) -> bool {
        spec.has_quads()
    }

    fn source(&self, _: &Site, _: Call, texels: bool) -> &'static Source {
        &SOURCES[usize::from(texels)]
    }

    fn grid(&self, &Site { spec, batch, .. }: &Site, call: Call) -> [u32; 3] {
        let blocks = |channels: usize| groups(channels, 8);
        let (big, small) = (blocks(spec.big[2]), blocks(spec.small[2]));
        let phases = groups(spec.stride * spec.stride, 1);
        let taps = groups(spec.kernel * spec.kernel, 1);
        let tiles = groups(batch * spec.phase_pixels(), 8).saturating_mul(big);
        match call {
            Call::Correlate => [small, groups(batch * spec.small_pixels(), 8 * 32), 1],
            Call::Adjoint => [phases, tiles.div_ceil(32), 1],
            Call::WeightGrad(splits) => [(taps * big * small).div_ceil(32), groups(splits, 1), 1],
        }
    }
}
