//! No kernel leaves its slots or divides by zero, in any workgroup of any grid. Drivers get the shaders
//! without bounds checks, so nothing would catch it.
//!
//! A checked device tests every access and every division (src/plan/bounds.rs) and names the first
//! error. Indices in these plans do not depend on the contents of the slots, so zeros suffice.

use crate::common::mutants::Mistake;
use crate::common::suite::convolutions::{
    Ending, ending, plan, serves, shapes, sizes, software, target,
};
use crate::common::suite::step::{TAIL, as_gpus, feed, images, small_model};
use crate::common::{naming_gpu, say};
use cvae_gpu::gpu::{Gpu, GpuError, Memory, Replay};
use cvae_gpu::model;
use cvae_gpu::ops::adam::Adam;
use cvae_gpu::ops::conv::{Padding, Variant};
use cvae_gpu::ops::rng::Order;
use cvae_gpu::ops::{Activation, Target, Tiles};
use cvae_gpu::plan::Plan;

/// Runs a plan twice on one memory, so that the second run starts past the end of short data sets.
fn run(gpu: &Gpu, plan: &Plan) -> Result<(), GpuError> {
    let memory = pollster::block_on(Memory::allocate(gpu, &[plan]))?;
    let replay = pollster::block_on(Replay::compile(gpu, plan, &memory))?;
    for _ in 0..2 {
        pollster::block_on(gpu.submit(&[(&replay, 1)], None)?.words(gpu))?;
    }
    Ok(())
}

/// Adds a row of workgroups to kernels that number their outputs over two grid axes. Such surplus rows
/// occur if a grid is too long for one axis.
fn with_surplus_workgroups(plan: &mut Plan) {
    for step in plan.steps_mut() {
        let entry = step.kernel.reflect().expect("an entry point");
        if entry.parameters.contains(&naga::BuiltIn::NumWorkGroups) {
            let in_tiles = step.kernel.source.name.starts_with("conv_workgroup");
            step.grid[if in_tiles { 2 } else { 1 }] += 1;
        }
    }
}

/// Three geometries of each variant, the last with a kernel smaller than its stride, and one of them with
/// textures and with each tile size. Checked accesses compile slowly.
fn convolutions(variant: Variant, gpu: &Gpu) {
    let has_texels = !matches!(variant, Variant::Plain | Variant::Workgroup);
    if variant == Variant::Broadcast && gpu.caps().subgroup_min < 8 {
        return say("conv_broadcast is not tested: the adapter has no subgroups of 8 or more");
    }
    for (size, &tiles) in sizes(variant).iter().enumerate() {
        for texels in [false, true] {
            for (i, &shape) in shapes(variant).iter().enumerate() {
                let own = size == 0 && !texels;
                let chosen = match own {
                    true => i == 0 || i == 2 || i + 1 == shapes(variant).len(),
                    false => i == 1 && (size == 0 || !texels),
                };
                if !chosen || texels && !has_texels || !serves(gpu.target(), variant, shape) {
                    continue;
                }
                let target = target(gpu.target(), variant, texels, tiles, software(i));
                let mut plan = plan(shape, &target, ending(i));
                with_surplus_workgroups(&mut plan);
                let case = format!("{variant:?} {tiles:?}, texels {texels}: {shape:?}");
                run(gpu, &plan).unwrap_or_else(|e| panic!("{case}: {e}"));
            }
        }
    }
}

macro_rules! convolutions {
    ($($name:ident: $variant:ident),* $(,)?) => {
        $(
            #[test]
            fn $name() {
                convolutions(Variant::$variant, naming_gpu());
            }
        )*
    };
}

convolutions! {
    plain_convolutions_stay_in_bounds: Plain,
    thin_convolutions_stay_in_bounds: Thin,
    tiled_convolutions_stay_in_bounds: Tile,
    broadcast_convolutions_stay_in_bounds: Broadcast,
    workgroup_convolutions_stay_in_bounds: Workgroup,
}

// As on GPUs, fused and bundled, with WebGPU's minimum of buffers and with more.
#[test]
fn whole_plans_stay_in_bounds_as_gpus_run_them() {
    let gpu = naming_gpu();
    let model = small_model();
    let few = Target::portable();
    let train = |batch, target: &Target| {
        let feed = feed("train.images", &images(&model, 1), Order::Shuffled);
        model::train_step(&model, feed, Adam::default(), batch, target)
    };
    let test = feed("test.images", &images(&model, 2), Order::File);
    let many = as_gpus(gpu);
    for (case, plan) in [
        ("a train step", train(TAIL, &many)),
        ("an evaluation", model::evaluate(&model, test, TAIL, &many)),
        ("codes decoded", model::decode(&model, TAIL, &few).0),
    ] {
        run(gpu, &plan).unwrap_or_else(|e| panic!("{case}: {e}"));
    }
}

// A former bug: in batches of 7 the last workgroup has strips past the last image.
#[test]
fn an_access_out_of_bounds_is_named() {
    let gpu = naming_gpu();
    let unguarded = Mistake::new("conv_thin", "y < BIG_H && s.n < BATCH;", "y < BIG_H;");
    let wrong = unguarded.plant(gpu).expect("a mistake");
    let shape = (7, [28, 28, 1], 32, 3, 2, Padding::Valid);
    let target = target(gpu.target(), Variant::Thin, false, Tiles::Medium, false);
    let plan = plan(shape, &target, Ending::Forward(Activation::Relu));
    if !serves(gpu.target(), Variant::Thin, shape) {
        return say("conv_thin is not tested: this adapter would not take it");
    }
    run(gpu, &plan).expect("no access out of bounds");
    let refused = run(&wrong, &plan)
        .expect_err("an access out of bounds")
        .to_string();
    assert!(refused.contains("`big_quad` of conv_thin"), "{refused}");
    // The error does not carry over to the next run.
    run(gpu, &plan).expect("no access out of bounds");
}
