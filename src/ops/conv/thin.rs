//! Convolution against a picture of few channels, a strip of a row at a time: where it fits and
//! its grids. Steps and twins are those of [`super`].

use super::{Call, Conv};
use crate::plan::{Caps, groups};

/// Up to 4 big channels in rows of whole quads, quads of small ones, and windows of a row that
/// registers can hold. The loops over taps and channels are unrolled, so that more of them would
/// take long to compile, and a weight gradient has sums for no more; SwiftShader, a software adapter
/// with narrow subgroups, takes minutes and gigabytes for some of the few.
pub fn fits(caps: &Caps, spec: &Conv) -> bool {
    const UNROLLED: usize = 27;
    let narrow = caps.software && (1..8).contains(&caps.subgroup_min);
    !narrow
        && spec.big[2] <= 4
        && spec.big[1].is_multiple_of(4)
        && spec.small[2].is_multiple_of(4)
        && spec.kernel <= 5
        && spec.kernel * spec.kernel * spec.big[2] <= UNROLLED
        && spec.stride <= 2
        && spec.pad[1] <= 4
}

/// Whether the invocations of a workgroup share the positions of a weight gradient. A GPU waits so long
/// for what each reads that it needs many side by side; a CPU has nothing but the work of joining them.
pub fn is_deep(caps: &Caps) -> bool {
    !caps.software
}

/// The fewest positions that a workgroup sums over: two strips for each of its 16 slices.
pub const DEEP: usize = 16 * 2 * 8;

/// The entry point of the weight gradient, with sums of the small image or without.
pub fn weight_grad(caps: &Caps, sums_small: bool) -> &'static str {
    match (sums_small, is_deep(caps)) {
        (false, false) => "weight_grad",
        (false, true) => "weight_grad_deep",
        (true, false) => "weight_grad_sum_small",
        (true, true) => "weight_grad_sum_small_deep",
    }
}

/// Rows of the picture that an invocation of the adjoint makes, one below the other: as many as leave
/// enough workgroups. More need fewer loads, since each row but the first finds most of what it reads
/// loaded.
pub fn band(caps: &Caps, spec: &Conv, batch: usize) -> usize {
    let strips = batch * spec.big[1].div_ceil(8);
    let bands = (caps.groups / 4 * WALKERS).div_ceil(strips);
    spec.big[0].div_ceil(bands)
}

/// Invocations of the adjoint that share a workgroup.
const WALKERS: usize = 8;

/// Workgroups of a call.
pub fn grid(caps: &Caps, spec: &Conv, batch: usize, call: Call) -> [u32; 3] {
    const ROW: u32 = 32_768;
    let quads = spec.small[2] / 4;
    let strips = |rows: usize, width: usize| batch * rows * width.div_ceil(8);
    let [height, width, _] = spec.small;
    let [big_height, big_width, _] = spec.big;
    let all = match call {
        Call::Correlate => groups(strips(height, width) * quads, 32),
        Call::Adjoint => {
            let bands = big_height.div_ceil(band(caps, spec, batch));
            groups(strips(bands, big_width), WALKERS)
        }
        Call::WeightGrad(splits) => return [groups(quads, 8), groups(splits, 1), 1],
    };
    [all.min(ROW), all.div_ceil(ROW), 1]
}
