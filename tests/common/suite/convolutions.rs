//! Every convolution kernel against its twin, over geometries that reach each edge of its tiles.
//!
//! Limits are 4e-6 of the largest value of a slot. The sums have up to 2304 terms in (-1, 1). Single
//! precision gives errors of about 1e-6 of the largest value; one term omitted or added twice gives
//! 1e-3 and more.

use crate::common::convolutions::{
    Ending, Shape, assert_variant, fill, plan, serves, sizes, target,
};
use crate::common::pair::Pair;
use crate::common::report::{Limit, Report};
use crate::common::{self, say};
use cvae_gpu::gpu::{Feature, Gpu};
use cvae_gpu::ops::Tiles;
use cvae_gpu::ops::conv::Padding;
use cvae_gpu::ops::conv::Variant;

const LIMIT: Limit = Limit::OfLargest(4e-6);

const PLAIN: &[Shape] = &[
    (1, [5, 6, 1], 3, 3, 1, Padding::Valid),
    (2, [7, 7, 3], 5, 3, 2, Padding::Same),
    (7, [13, 13, 33], 8, 3, 2, Padding::Valid),
    (33, [5, 6, 4], 33, 5, 1, Padding::Same),
    (2, [28, 28, 1], 32, 5, 2, Padding::Same),
    (7, [7, 7, 48], 16, 5, 2, Padding::Valid),
    (2, [13, 13, 64], 5, 3, 1, Padding::Same),
    // 175 positions in three splits of 59, the last of them shorter
    (7, [11, 11, 1], 5, 3, 2, Padding::Valid),
    // a kernel smaller than its stride
    (2, [6, 8, 3], 5, 1, 2, Padding::Valid),
];

const THIN: &[Shape] = &[
    (3, [28, 28, 1], 32, 3, 2, Padding::Valid),
    (33, [7, 8, 1], 4, 5, 1, Padding::Same),
    (7, [5, 8, 2], 48, 3, 1, Padding::Valid),
    (2, [13, 12, 3], 16, 3, 2, Padding::Same),
    (2, [28, 28, 3], 64, 3, 1, Padding::Same),
    // a dense layer from a latent code, of 12 images
    (1, [1, 12, 2], 1568, 1, 1, Padding::Valid),
    (2, [6, 8, 3], 8, 1, 2, Padding::Valid),
];

const TILE: &[Shape] = &[
    (1, [5, 6, 4], 8, 3, 1, Padding::Valid),
    (2, [7, 7, 8], 4, 5, 2, Padding::Same),
    (7, [13, 13, 32], 64, 3, 2, Padding::Valid),
    (33, [7, 7, 16], 48, 3, 2, Padding::Same),
    (2, [28, 28, 48], 16, 3, 1, Padding::Same),
    (7, [5, 6, 64], 12, 5, 1, Padding::Valid),
    // a dense layer to a latent code
    (7, [1, 1, 2304], 4, 1, 1, Padding::Valid),
    (2, [6, 8, 4], 8, 1, 2, Padding::Valid),
];

const BROADCAST: &[Shape] = &[
    (1, [5, 6, 16], 16, 3, 1, Padding::Valid),
    (2, [7, 7, 32], 48, 5, 2, Padding::Same),
    (7, [13, 13, 32], 64, 3, 2, Padding::Valid),
    (33, [7, 7, 16], 24, 3, 2, Padding::Same),
    (2, [28, 28, 64], 32, 3, 1, Padding::Same),
    (2, [13, 13, 40], 48, 5, 1, Padding::Valid),
    (7, [1, 1, 128], 24, 1, 1, Padding::Valid),
    (2, [6, 8, 16], 16, 1, 2, Padding::Valid),
];

const WORKGROUP: &[Shape] = &[
    (1, [5, 6, 4], 8, 3, 1, Padding::Valid),
    (2, [7, 7, 20], 36, 5, 2, Padding::Same),
    (7, [13, 13, 32], 64, 3, 2, Padding::Valid),
    (33, [7, 7, 16], 48, 3, 2, Padding::Same),
    (2, [28, 28, 68], 32, 3, 1, Padding::Same),
    // a dense layer to a latent code
    (7, [1, 1, 2304], 4, 1, 1, Padding::Valid),
    // uneven splits, as above
    (7, [11, 11, 4], 8, 3, 2, Padding::Valid),
    (2, [6, 8, 4], 8, 1, 2, Padding::Valid),
];

pub fn shapes(variant: Variant) -> &'static [Shape] {
    match variant {
        Variant::Plain => PLAIN,
        Variant::Thin => THIN,
        Variant::Tile => TILE,
        Variant::Broadcast => BROADCAST,
        Variant::Workgroup => WORKGROUP,
    }
}

/// Number of a variant's shapes that also run with the other memory and with other tile sizes. The
/// compilation of each kernel dominates the time of these tests.
pub const ELSEWHERE: usize = 4;

/// The epilogue of case `i`; four cases cover all epilogues.
pub fn ending(i: usize) -> Ending {
    Ending::ALL[i % 4]
}

/// Whether case `i` uses the heuristics of a CPU instead of a GPU.
pub fn software(i: usize) -> bool {
    i % 3 == 1
}

fn check(gpu: &Gpu, variant: Variant, texels: bool) {
    let without = common::selection().disable;
    if texels && without.contains(&Feature::Texels) {
        return say("convolutions in textures are not tested: CVAE_GPU_DISABLE has texels");
    }
    let adapter = gpu.target();
    if variant == Variant::Broadcast && adapter.caps.subgroup_min < 8 {
        let name = common::adapter_name();
        return say(&format!(
            "conv_broadcast is not tested: {name} has no subgroups of 8 or more"
        ));
    }
    let own = matches!(variant, Variant::Plain | Variant::Workgroup)
        || texels == adapter.heuristics.texels;
    let mut report = Report::default();
    let mut checked = 0;
    let cases = shapes(variant).iter().enumerate();
    let sizes = sizes(variant).iter().enumerate();
    for ((i, shape), (size, &tiles)) in cases.flat_map(|c| sizes.clone().map(move |s| (c, s))) {
        if i >= ELSEWHERE && !(own && size == 0) {
            continue;
        }
        if serves(adapter, variant, *shape) {
            check_case(gpu, &mut report, variant, texels, tiles, i);
            checked += 1;
        } else {
            say(&format!(
                "{variant:?} of {shape:?} is not tested: this adapter would not take it"
            ));
        }
    }
    report.finish(3 * checked);
}

/// Checks case `i` of a variant, with buffers or textures.
pub fn check_case(
    gpu: &Gpu,
    report: &mut Report,
    variant: Variant,
    texels: bool,
    tiles: Tiles,
    i: usize,
) {
    let shape = shapes(variant)[i];
    let ending = ending(i);
    let target = target(gpu.target(), variant, texels, tiles, software(i));
    let plan = plan(shape, &target, ending);
    assert_variant(&plan, &target, variant, texels, shape);
    let mut pair = Pair::new(gpu, &[&plan]);
    fill(&mut pair, &plan, i as u64);
    let case = format!("{shape:?} {ending:?} {tiles:?}");
    pair.run(report, &case, &plan, 1, |_| LIMIT);
}

pub fn plain_kernels_agree_with_their_twins(gpu: &Gpu) {
    check(gpu, Variant::Plain, false);
}

pub fn thin_kernels_agree_with_their_twins(gpu: &Gpu) {
    check(gpu, Variant::Thin, false);
}

pub fn thin_kernels_in_textures_agree_with_their_twins(gpu: &Gpu) {
    check(gpu, Variant::Thin, true);
}

pub fn tile_kernels_agree_with_their_twins(gpu: &Gpu) {
    check(gpu, Variant::Tile, false);
}

pub fn tile_kernels_in_textures_agree_with_their_twins(gpu: &Gpu) {
    check(gpu, Variant::Tile, true);
}

pub fn broadcast_kernels_agree_with_their_twins(gpu: &Gpu) {
    check(gpu, Variant::Broadcast, false);
}

pub fn broadcast_kernels_in_textures_agree_with_their_twins(gpu: &Gpu) {
    check(gpu, Variant::Broadcast, true);
}

pub fn workgroup_kernels_agree_with_their_twins(gpu: &Gpu) {
    check(gpu, Variant::Workgroup, false);
}

// More outputs than 64 × 32 768, so that the grid has two rows of workgroups.
pub fn plain_outputs_of_more_than_a_row_of_workgroups_are_all_computed(gpu: &Gpu) {
    let shape = (17, [64, 64, 1], 32, 1, 1, Padding::Valid);
    let target = target(gpu.target(), Variant::Plain, false, Tiles::Medium, false);
    let plan = plan(shape, &target, Ending::Forward { relu: false });
    let correlate = &plan.steps()[0];
    assert_eq!(correlate.grid[1], 2, "{:?}", correlate.grid);
    let mut pair = Pair::new(gpu, &[&plan]);
    pair.set_random(&plan, 1.0, 5);
    let mut report = Report::default();
    pair.run(&mut report, "17 images of 64×64×32", &plan, 1, |_| LIMIT);
    report.finish(3);
}
