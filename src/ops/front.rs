//! Fused: the batch and the encoder's first convolution.

use super::fused;
use crate::plan::{Plan, Step, groups};

/// Values of an image that a workgroup has room for.
const MOST: f64 = 3072.0;

/// The draw of the images, their values and the convolution in one step; none where the
/// convolution does not fit.
pub fn forward(plan: &Plan, shuffle: &Step, fetch: &Step, conv: &Step) -> Option<Step> {
    let of = |name| conv.kernel.constant(name);
    if of("BIG_H")? * of("BIG_W")? * of("BIG_C")? > MOST || of("SMALL_C")? % 4.0 != 0.0 {
        return None;
    }
    let mut constants = vec![
        ("COUNT", shuffle.kernel.constant("COUNT")?),
        ("SHUFFLE", shuffle.kernel.constant("SHUFFLE")?),
        ("BITS", fetch.kernel.constant("BITS")?),
    ];
    for name in [
        "BATCH", "KERNEL", "STRIDE", "PAD_Y", "PAD_X", "BIG_H", "BIG_W", "BIG_C", "SMALL_H",
        "SMALL_W", "SMALL_C", "RELU",
    ] {
        constants.push((name, of(name)?));
    }
    let bindings = vec![
        ("state", shuffle.bound("state")?),
        ("images", fetch.bound("images")?),
        ("indices", shuffle.bound("indices")?),
        ("x", fetch.bound("x")?),
        ("weights", conv.bound("weights")?),
        ("bias", conv.bound("bias")?),
        ("y", conv.bound("small_out")?),
    ];
    let grid = [groups(plan.batch, 1), 1, 1];
    let steps = [shuffle, fetch, conv];
    let label = format!("fetch, {}", conv.label);
    Some(fused(
        plan,
        label,
        ("front", "forward"),
        constants,
        bindings,
        grid,
        &steps,
    ))
}
