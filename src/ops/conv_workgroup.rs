//! Tiles of 64 rows × 32 columns in workgroup memory, for GPUs: where they fit and their grids.
//! Steps and twins are those of [`super::conv`].

use super::conv::{Call, Conv};
use crate::plan::groups;

/// Quads need channel counts which are multiples of 4.
pub fn fits(spec: &Conv) -> bool {
    spec.big[2].is_multiple_of(4) && spec.small[2].is_multiple_of(4)
}

/// Workgroups of a call.
pub fn grid(spec: &Conv, batch: usize, call: Call) -> [u32; 3] {
    // An axis of a grid has 65 535 workgroups at most.
    const COLUMN: u32 = 32_768;
    let tiles = |x: u32, pixels: usize| {
        let all = groups(pixels, 64);
        [x, all.min(COLUMN), all.div_ceil(COLUMN)]
    };
    let blocks = |channels: usize| groups(channels, 32);
    let phases = groups(spec.stride * spec.stride, 1);
    match call {
        Call::Correlate => tiles(blocks(spec.small[2]), batch * spec.small_pixels()),
        Call::Adjoint => tiles(phases * blocks(spec.big[2]), batch * spec.phase_pixels()),
        Call::WeightGrad(splits) => {
            let rows = spec.kernel * spec.kernel * spec.big[2];
            [blocks(spec.small[2]), groups(rows, 64), groups(splits, 1)]
        }
    }
}
