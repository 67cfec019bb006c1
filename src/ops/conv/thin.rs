//! Convolutions with an image of few channels; an invocation computes a strip of a row.

use super::kernels::{Call, Kernels, Site};
use super::spec::{Conv, Side};
use crate::ops::target::Target;
use crate::ops::wgsl::files;
use crate::plan::{Constants, Source, flag, groups};

/// The `thin` kernels.
pub struct Thin;

static SOURCES: [Source; 2] = [
    Source::new(
        "conv_thin",
        files!(
            "common/buffers",
            "common/activation",
            "common/conv",
            "conv_thin"
        ),
    ),
    Source::new(
        "conv_thin_texels",
        files!(
            "common/texels",
            "common/activation",
            "common/conv",
            "conv_thin"
        ),
    ),
];

/// Fewest positions per workgroup of a deep weight gradient: two strips of 8 for each of 16 slices.
const DEEP: usize = 16 * 2 * 8;

/// Workgroup size of the adjoint.
const WALKERS: usize = 8;

/// Rows per invocation of the adjoint: as many as leave enough workgroups. Each row after the first
/// reuses most loads of the row above.
fn band(
    &Site {
        target,
        spec,
        batch,
    }: &Site,
) -> usize {
    let strips = batch * spec.big[1].div_ceil(8);
    let bands = (target.heuristics.groups / 4 * WALKERS).div_ceil(strips);
    spec.big[0].div_ceil(bands)
}

impl Kernels for Thin {
    fn sources(&self) -> &'static [Source] {
        &SOURCES
    }

    /// Up to 4 big channels, quads of small channels, rows of whole quads, and windows that fit into
    /// registers. Loops over taps and channels are unrolled, so more of them compile slowly.
    fn fits(&self, target: &Target, spec: &Conv) -> bool {
        const UNROLLED: usize = 27;
        target.heuristics.thin
            && spec.big[2] <= 4
            && spec.big[1].is_multiple_of(4)
            && spec.small[2].is_multiple_of(4)
            && spec.kernel <= 5
            && spec.kernel * spec.kernel * spec.big[2] <= UNROLLED
            && spec.stride <= 2
            && spec.pad[1] <= 4
    }

    fn source(&self, _: &Site, _: Call, texels: bool) -> &'static Source {
        &SOURCES[usize::from(texels)]
    }

    fn constants(&self, site: &Site, _: Call) -> Constants {
        let reversed = flag(site.spec.reversed);
        vec![("BAND", band(site) as f64), ("REVERSED", reversed)]
    }

    fn grid(&self, site: &Site, call: Call) -> [u32; 3] {
        const ROW: u32 = 32_768;
        let &Site { spec, batch, .. } = site;
        let quads = spec.small[2] / 4;
        let strips = |rows: usize, width: usize| batch * rows * width.div_ceil(8);
        let ([height, width, _], [big_height, big_width, _]) = (spec.small, spec.big);
        let all = match call {
            Call::Correlate => groups(strips(height, width) * quads, 32),
            Call::Adjoint => groups(strips(big_height.div_ceil(band(site)), big_width), WALKERS),
            Call::WeightGrad(splits) => return [groups(quads, 8), groups(splits, 1), 1],
        };
        [all.min(ROW), all.div_ceil(ROW), 1]
    }

    /// If the output is the thin image, its bias, gate and output are buffers with other names.
    fn of_big(&self, name: &'static str) -> &'static str {
        match name {
            "big_out" => "picture_out",
            "gate" => "picture_gate",
            "bias" => "bias_values",
            _ => name,
        }
    }

    fn weight_grad(&self, site: &Site, dy: Side, splits: usize) -> (&'static str, Option<usize>) {
        match (dy, site.target.heuristics.thin_deep) {
            (Side::Big, false) => ("weight_grad", None),
            (Side::Big, true) => ("weight_grad_deep", None),
            (Side::Small, false) => ("weight_grad_sum_small", Some(splits)),
            (Side::Small, true) => ("weight_grad_sum_small_deep", Some(splits)),
        }
    }

    fn split_limits(&self, target: &Target) -> (usize, usize) {
        if target.heuristics.thin_deep {
            (DEEP, usize::MAX)
        } else {
            (64, target.heuristics.splits)
        }
    }
}
