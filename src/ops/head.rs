//! Fused: the decoder's last layer, the loss's gradient, and the way back through the layer.

use super::fused;
use crate::plan::{Plan, Step, groups};

/// Values of a band, and of the rows around it, that a workgroup has room for, one for each invocation
/// that shares in them.
const MOST: usize = 2048;
/// Rows of a band, where there is room: an image of 28 rows makes four.
const BAND: usize = 7;

/// The transposed convolution, the gradient of the loss on its output, and the gradient on its
/// input in one step; none where the layer does not fit. The loss itself is a step of its own.
pub fn forward_and_back(plan: &Plan, layer: &Step, loss: &Step, gradient: &Step) -> Option<Step> {
    let of = |name| layer.kernel.constant(name);
    let [height, width, channels] =
        ["BIG_H", "BIG_W", "BIG_C"].map(|name| of(name).map(|v| v as usize));
    let (height, width, channels) = (height?, width?, channels?);
    let around = of("KERNEL")? as usize - 1;
    let quads = of("SMALL_C")? as usize / 4;
    let band = |team: usize| (MOST / (width * channels * team)).saturating_sub(around);
    let teams = [8, 4, 2, 1].into_iter();
    let team = teams.filter(|&t| t <= quads).find(|&t| band(t) > 0)?;
    let band = band(team).min(BAND);
    let same_size = of("SMALL_H") == of("BIG_H") && of("SMALL_W") == of("BIG_W");
    let fits = of("STRIDE") == Some(1.0) && same_size && of("SMALL_C")? % 4.0 == 0.0;
    if !fits || of("RELU") != Some(0.0) {
        return None;
    }
    let mut constants = vec![
        ("HEIGHT", height as f64),
        ("WIDTH", width as f64),
        ("BAND", band as f64),
        ("TEAM", team as f64),
        ("GATED", gradient.kernel.constant("GATED")?),
    ];
    for name in ["BATCH", "KERNEL", "PAD_Y", "PAD_X", "BIG_C", "SMALL_C"] {
        constants.push((name, of(name)?));
    }
    let bindings = vec![
        ("h", layer.bound("small")?),
        ("weights", layer.bound("weights")?),
        ("bias", layer.bound("bias_values")?),
        ("x", loss.bound("x")?),
        ("logits", loss.bound("logits")?),
        ("dlogits", loss.bound("dlogits")?),
        ("dh", gradient.bound("small_out")?),
    ];
    let grid = [groups(height, band), groups(plan.batch, 1), 1];
    let steps = [layer, loss, gradient];
    let label = format!("{}, bce gradient, {}", layer.label, gradient.label);
    Some(fused(
        plan,
        label,
        ("head", "forward_and_back"),
        constants,
        bindings,
        grid,
        &steps,
    ))
}
