//! Whether a resumed run keeps its kernels.

use cvae_gpu::gpu::{Feature, Selection};

/// The differences in the choice of kernels; none where the same adapter computes the same bits.
pub fn differences(now: &Selection, before: &Selection) -> Vec<String> {
    let mut found = Vec::new();
    if now.tuning != before.tuning {
        found.push(format!("{} instead of {}", now.tuning, before.tuning));
    }
    // The other features change how fast a step is, not what it computes.
    let unused = |selection: &Selection| {
        let kernels = [Feature::Subgroups, Feature::Texels, Feature::Fusion];
        kernels.map(|feature| selection.disable.contains(&feature))
    };
    if unused(now) != unused(before) {
        found.push("another --disable".into());
    }
    if now.checked != before.checked {
        found.push("--checked".into());
    }
    found
}
