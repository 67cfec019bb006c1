//! Register tiles of 8 pixels × 8 channels, for every adapter: where they fit and their grids.
//! Steps and twins are those of [`super`].

use super::{Call, Conv};
use crate::plan::groups;

/// Quads need channel counts which are multiples of 4.
pub fn fits(spec: &Conv) -> bool {
    spec.big[2].is_multiple_of(4) && spec.small[2].is_multiple_of(4)
}

/// Workgroups of a call.
pub fn grid(spec: &Conv, batch: usize, call: Call) -> [u32; 3] {
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
