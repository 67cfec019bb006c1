//! Register tiles of 4 pixels × 16 channels whose weights are loaded once per subgroup: where
//! they fit and their grids. Steps and twins are those of [`super::conv`].

use super::conv::{Call, Conv};
use crate::plan::{Caps, groups};

/// Needs subgroups of at least 8, and enough channels on both sides to feed 8 lanes.
pub fn fits(caps: &Caps, spec: &Conv) -> bool {
    let wide = |channels: usize| channels >= 16 && channels.is_multiple_of(8);
    caps.subgroup_min >= 8 && wide(spec.big[2]) && wide(spec.small[2])
}

/// Workgroups of a call.
pub fn grid(spec: &Conv, batch: usize, call: Call) -> [u32; 3] {
    let blocks = |channels: usize| groups(channels, 16);
    let phases = groups(spec.stride * spec.stride, 1);
    let rows = spec.kernel * spec.kernel * spec.big[2] / 4;
    match call {
        Call::Correlate => {
            let pixels = groups(batch * spec.small_pixels(), 4 * 32);
            [blocks(spec.small[2]), pixels, 1]
        }
        Call::Adjoint => {
            let pixels = groups(batch * spec.phase_pixels(), 4 * 32);
            [phases * blocks(spec.big[2]), pixels, 1]
        }
        Call::WeightGrad(splits) => [blocks(spec.small[2]), groups(rows, 8), groups(splits, 1)],
    }
}
