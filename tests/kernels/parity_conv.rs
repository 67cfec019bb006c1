//! Every convolution kernel against its twin: tests/common/suite/convolutions.rs.

use crate::common::convolutions::{Ending, plan, sizes, target};
use crate::common::entry_points;
use crate::common::suite::convolutions::{ELSEWHERE, ending, shapes, software};
use cvae_gpu::ops::Target;
use cvae_gpu::ops::conv::Variant;
use cvae_gpu::plan::Caps;

crate::tests! { convolutions:
    plain_kernels_agree_with_their_twins,
    thin_kernels_agree_with_their_twins,
    thin_kernels_in_textures_agree_with_their_twins,
    tile_kernels_agree_with_their_twins,
    tile_kernels_in_textures_agree_with_their_twins,
    broadcast_kernels_agree_with_their_twins,
    broadcast_kernels_in_textures_agree_with_their_twins,
    workgroup_kernels_agree_with_their_twins,
    plain_outputs_of_more_than_a_row_of_workgroups_are_all_computed,
}

// Needs no GPU: the tables above cover every kernel and every epilogue.
#[test]
fn the_cases_reach_every_convolution_kernel_with_every_ending() {
    let base = Target::new(Caps {
        subgroup_min: 8,
        subgroup_max: 8,
        ..Caps::portable()
    });
    let mut reached = Vec::new();
    for variant in Variant::ALL {
        for texels in [false, true] {
            let cases = shapes(variant).iter().enumerate().take(ELSEWHERE);
            let sizes = sizes(variant).iter();
            for ((i, shape), &tiles) in cases.flat_map(|c| sizes.clone().map(move |s| (c, s))) {
                let ending = ending(i);
                let target = target(&base, variant, texels, tiles, software(i));
                let plan = plan(*shape, &target, ending);
                plan.check().expect("a sound plan");
                for step in plan.steps() {
                    let has_ending = !step.kernel.entry.starts_with("weight_grad");
                    let ending = has_ending.then_some(ending);
                    reached.push((step.kernel.source.name, step.kernel.entry, ending));
                }
            }
        }
    }
    let entries = entry_points().into_iter();
    for (module, entry) in entries.filter(|(m, _)| m.starts_with("conv")) {
        let forward = matches!(entry, "correlate" | "adjoint");
        let endings = match entry {
            gradient if gradient.starts_with("weight_grad") => vec![None],
            _ if forward => [false, true]
                .map(|relu| Some(Ending::Forward { relu }))
                .to_vec(),
            _ => [false, true]
                .map(|gated| Some(Ending::Backward { gated }))
                .to_vec(),
        };
        for ending in endings {
            let wanted = (module, entry, ending);
            assert!(reached.contains(&wanted), "no case reaches {wanted:?}");
        }
    }
}
