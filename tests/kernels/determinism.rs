//! The same plan on the same adapter gives the same bits, however its runs are submitted: sums have a
//! fixed order, and there are no races. (tests/train tests whole runs.)

use crate::common::suite::step::{BATCH, as_gpus, feed, images, pinned, small_model};
use crate::common::{adapter_name, gpu, say, selection};
use cvae_gpu::gpu::{Backend, Feature, Gpu, Memory, Replay};
use cvae_gpu::model::params;
use cvae_gpu::model::{self, Model};
use cvae_gpu::ops::Target;
use cvae_gpu::ops::adam::Adam;
use cvae_gpu::ops::conv::Variant;
use cvae_gpu::ops::rng::Order;
use cvae_gpu::ops::state::StepState;
use cvae_gpu::plan::Plan;
use cvae_gpu::rng::Stream;

const STEPS: usize = 3;

// The batch of tests/common/suite/step.rs, to share its compiled kernels.
fn plan(model: &Model, target: &Target) -> Plan {
    let feed = feed("train.images", &images(model, 1), Order::Shuffled);
    model::train_step(model, feed, Adam::default(), BATCH, target)
}

/// Slots by name, with their bits.
type Bits = Vec<(String, Vec<u32>)>;

/// The bits of all slots after some steps from the same start; `steps` gives the steps of each
/// submission.
fn bits(gpu: &Gpu, model: &Model, plan: &Plan, steps: &[usize]) -> Bits {
    let memory = pollster::block_on(Memory::allocate(gpu, &[plan])).expect("memory");
    let replay = pollster::block_on(Replay::compile(gpu, plan, &memory)).expect("a replay");
    let specs = model.params();
    for (spec, values) in specs.iter().zip(params::initial(&specs, 5)) {
        memory
            .write(gpu, plan, &spec.name, &values)
            .expect("a write");
    }
    let state = StepState::start(5, Stream::Train).to_words();
    for (name, words) in [
        ("state", state.to_vec()),
        ("train.images", images(model, 1).device_words().unwrap()),
    ] {
        memory
            .write_words(gpu, plan, name, &words)
            .expect("a write");
    }
    for &times in steps {
        gpu.submit(&[(&replay, times)], None).expect("a run");
    }
    let read = |name: &str| pollster::block_on(memory.read_words(gpu, plan, name));
    let slots = plan.slots().filter(|(_, s)| s.owns_memory());
    slots
        .map(|(_, s)| (s.name.clone(), read(&s.name).expect("a readback")))
        .collect()
}

fn check(target: &Target, model: &Model) {
    let plan = plan(model, target);
    let first = bits(gpu(), model, &plan, &[STEPS]);
    let moved = first
        .iter()
        .find(|(name, _)| name == "adam_m")
        .expect("moments");
    assert!(moved.1.iter().any(|bits| *bits != 0), "nothing was trained");
    for steps in [&[STEPS][..], &[1; STEPS]] {
        assert_same(&first, &bits(gpu(), model, &plan, steps), steps);
    }
}

fn assert_same(first: &Bits, second: &Bits, steps: &[usize]) {
    for ((name, once), (_, again)) in first.iter().zip(second) {
        let same = once == again;
        assert!(same, "`{name}` by {steps:?} differs on {}", adapter_name());
    }
}

#[test]
fn steps_give_the_same_bits_twice_as_the_adapter_runs_them() {
    check(gpu().target(), &Model::default());
}

#[test]
fn steps_give_the_same_bits_twice_in_plain_kernels() {
    check(&pinned(gpu(), Variant::Plain, false), &small_model());
}

#[test]
fn steps_give_the_same_bits_twice_in_tile_kernels_in_textures() {
    check(&pinned(gpu(), Variant::Tile, true), &small_model());
}

#[test]
fn steps_give_the_same_bits_twice_as_gpus_run_them() {
    check(&as_gpus(gpu()), &small_model());
}

// Compares mirrors that alias their slots with mirrors that are copies.
#[test]
fn copied_mirrors_give_the_same_bits_as_shared_ones_in_more_memory() {
    let mut copying = selection();
    let without = [Feature::Aliasing, Feature::Texels];
    let is_off =
        without.iter().any(|f| copying.disable.contains(f)) || !gpu().target().heuristics.texels;
    if is_off || gpu().adapter.backend != Backend::Vulkan || !cfg!(target_os = "linux") {
        let name = adapter_name();
        return say(&format!(
            "no mirrors are shared on {name}, as it is used here"
        ));
    }
    copying.disable.push(Feature::Aliasing);
    let copying = pollster::block_on(Gpu::open(&copying)).expect("an adapter");
    let plan = plan(&small_model(), gpu().target());
    let [shared, copied] = [gpu(), &copying].map(|gpu| bits(gpu, &small_model(), &plan, &[STEPS]));
    assert_same(&shared, &copied, &[STEPS]);
    let [less, more] = [gpu(), &copying].map(|gpu| Memory::need(gpu, &[&plan]));
    assert!(less < more, "{less} and {more} bytes on {}", adapter_name());
}
