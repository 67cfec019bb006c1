//! Convolution against a picture of few channels: where it fits and its grids.
//! Steps and twins are those of [`super::conv`].

use super::conv::{Call, Conv};
use crate::plan::groups;

/// Few big channels, in any number; quads of small ones.
pub fn fits(spec: &Conv) -> bool {
    spec.big[2] <= 4 && spec.small[2].is_multiple_of(4)
}

/// Workgroups of a call.
pub fn grid(spec: &Conv, batch: usize, call: Call) -> [u32; 3] {
    let phases = spec.stride * spec.stride;
    let rows = groups(spec.kernel * spec.kernel * spec.big[2], 1);
    match call {
        Call::Correlate => [
            groups(spec.small[2], 16),
            groups(batch * spec.small_pixels(), 4 * 32),
            1,
        ],
        Call::Adjoint => {
            let pixels = groups(batch * spec.phase_pixels(), 4 * 32);
            [groups(phases * spec.big[2], 1), pixels, 1]
        }
        Call::WeightGrad(splits) => [
            (rows * groups(spec.small[2], 16)).div_ceil(8),
            groups(splits, 1),
            1,
        ],
    }
}
