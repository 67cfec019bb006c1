//! Which operations are fused, and what that saves.

use cvae_gpu::data::Depth;
use cvae_gpu::model::{self, Feed, Model};
use cvae_gpu::ops::adam::Adam;
use cvae_gpu::ops::fetch::Packed;
use cvae_gpu::ops::rng::Order;
use cvae_gpu::ops::{Target, Tuning};
use cvae_gpu::plan::{Caps, Plan};

const BATCH: u64 = 32;

fn step(target: &Target) -> Plan {
    let data = Packed {
        shape: [28, 28, 1],
        count: 60_000,
        depth: Depth::Bit,
        drawn: false,
        flipped: false,
        window: 60_000,
    };
    let feed = Feed::Images("train.images", data, Order::Shuffled);
    let (model, adam) = (Model::default(), Adam::default());
    let plan = model::train_step(&model, feed, adam, BATCH as usize, target);
    plan.check().expect("a sound plan");
    plan
}

fn unfused() -> Plan {
    let fuse = Some(false);
    step(&Target::gpu().tuned(&Tuning {
        fuse,
        ..Tuning::default()
    }))
}

fn dispatches(plan: &Plan) -> usize {
    plan.bundles().expect("bundles").len()
}

// Forward: fetch with conv1, conv2, latent space, three decoder layers, the last layer with loss
// and input gradient. Backward: two layers, latent space, conv2, the weights of conv1. Then the
// update.
#[test]
fn a_step_on_a_gpu_is_twelve_dispatches() {
    assert_eq!(dispatches(&step(&Target::gpu())), 6 + 5 + 1);
    assert_eq!(dispatches(&unfused()), unfused().steps().len());
}

/// Tests each rule, on a software adapter with `--fuse` and on a GPU.
#[test]
fn every_rule_finds_its_operations_in_a_train_step() {
    let software = Target::new(Caps {
        subgroup_min: 8,
        subgroup_max: 8,
        software: true,
        max_buffers: 32,
        ..Caps::portable()
    });
    let fuse = Some(true);
    let fused = software.tuned(&Tuning {
        fuse,
        ..Tuning::default()
    });
    for target in [fused, Target::gpu()] {
        let plan = step(&target);
        let modules: Vec<_> = plan.steps().iter().map(|s| s.kernel.source.name).collect();
        let entries: Vec<_> = plan.steps().iter().map(|s| s.kernel.entry).collect();
        let count = |module| modules.iter().filter(|m| **m == module).count();
        assert_eq!(["front", "head", "latent"].map(count), [1, 1, 2]);
        assert!(entries.contains(&"update_sums"), "{entries:?}");
    }
    let plain = step(&software);
    assert!(
        plain
            .steps()
            .iter()
            .all(|s| s.kernel.source.name != "front")
    );
}

// A plan's check covers the memory of each kernel; a bundle needs that of all its parts.
#[test]
fn a_step_fits_the_workgroup_memory_that_an_adapter_has() {
    for workgroup_memory in [16_384, 16_352, 12_288, 8_192] {
        let plan = step(&Target::new(Caps {
            workgroup_memory,
            ..Caps::gpu()
        }));
        for bundle in plan.bundles().expect("bundles") {
            let entries = bundle.iter().map(|&i| plan.steps()[i].kernel.reflect());
            let mut memory: Vec<_> = entries
                .flat_map(|entry| entry.expect("an entry point").memory.clone())
                .collect();
            memory.sort();
            // Parts share variables of the same name; the larger one counts.
            memory.dedup_by(|next, before| {
                let same = next.0 == before.0;
                before.1 = before.1.max(if same { next.1 } else { 0 });
                same
            });
            let bytes: u32 = memory.iter().map(|(_, bytes)| bytes).sum();
            assert!(bytes <= workgroup_memory, "{bytes} of {workgroup_memory}");
        }
    }
}

// With WebGPU's minimum of eight buffers the latent space stays three steps in each direction, and
// some bundles do not fit.
#[test]
fn with_few_buffers_a_step_takes_more_dispatches() {
    let dispatches = dispatches(&step(&Target::portable()));
    assert_eq!(dispatches, 19);
}

// Fused kernels do not reload intermediate results, and load shared inputs once.
#[test]
fn fused_kernels_move_what_they_hand_on_once() {
    let moved = |plan: &Plan| -> u64 { plan.steps().iter().map(|s| plan.step_bytes(s)).sum() };
    let (image, layer, code) = (28 * 28, 28 * 28 * 32, 2);
    let batch = 1 + image; //                      indices and x
    let latent = 2 * code + code; //               q and z
    let head = 2 * image + layer - 2 * image; //   logits, dlogits and h; the loss reads logits and x again
    let back = code + 2 * code + code; //          dz, dq and z
    let weights = 288 + (288 + 32); //             of the last layer; two gradients of the first
    let saved = 4 * (BATCH * (batch + latent + head + back) + weights);
    assert_eq!(moved(&unfused()) - moved(&step(&Target::gpu())), saved);
}
