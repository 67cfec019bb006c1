//! Every convolution kernel against its twin: tests/common/suite/convolutions.rs.

mod common;

use std::collections::BTreeSet;

use common::convolutions::{caps, plan};
use common::suite::convolutions::{ELSEWHERE, flags, shapes};
use cvae_gpu::plan::{Caps, Variant, shader};

tests! { convolutions:
    plain_kernels_agree_with_their_twins,
    thin_kernels_agree_with_their_twins,
    thin_kernels_in_textures_agree_with_their_twins,
    tile_kernels_agree_with_their_twins,
    tile_kernels_in_textures_agree_with_their_twins,
    broadcast_kernels_agree_with_their_twins,
    broadcast_kernels_in_textures_agree_with_their_twins,
    plain_outputs_of_more_than_a_row_of_workgroups_are_all_computed,
}

// Without a GPU: the tables above leave no kernel and no epilogue out.
#[test]
fn the_cases_reach_every_convolution_kernel_with_and_without_relu_and_gate() {
    let base = Caps {
        subgroup_min: 8,
        subgroup_max: 8,
        ..Caps::portable()
    };
    let mut reached = BTreeSet::new();
    for variant in Variant::ALL {
        for texels in [false, true] {
            for (i, shape) in shapes(variant).iter().enumerate().take(ELSEWHERE) {
                let (relu, gated) = flags(i);
                let plan = plan(*shape, caps(&base, variant, texels, false), relu, gated);
                plan.check().expect("a sound plan");
                for step in plan.steps() {
                    let set = |name| step.kernel.constants.contains(&(name, 1.0));
                    let entry = step.kernel.entry;
                    let on = match entry {
                        "correlate" | "adjoint" => set("RELU"),
                        _ => set("GATED"),
                    };
                    reached.insert((step.kernel.module, entry.to_owned(), on));
                }
            }
        }
    }
    let entries = shader::entry_points().expect("sound shaders");
    for (module, entry) in entries.into_iter().filter(|(m, _)| m.starts_with("conv")) {
        let ways: &[bool] = match entry.as_str() {
            "weight_grad" => &[false],
            _ => &[false, true],
        };
        for on in ways {
            let wanted = (module, entry.clone(), *on);
            assert!(reached.contains(&wanted), "no case reaches {wanted:?}");
        }
    }
}
