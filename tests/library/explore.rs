//! Codes, lines between codes, and the plan of the importance-weighted bound on the CPU.

use cvae_gpu::data::{Binarize, PackedImages};
use cvae_gpu::explore::plans::{Bound, IMAGES, STATE, bound};
use cvae_gpu::explore::{line, means};
use cvae_gpu::model::{self, Filters, Model, params};
use cvae_gpu::ops::Target;
use cvae_gpu::ops::elbo::TERMS;
use cvae_gpu::ops::fetch::Packed;
use cvae_gpu::ops::rng::Order;
use cvae_gpu::ops::state::StepState;
use cvae_gpu::plan::Plan;
use cvae_gpu::plan::cpu::{Memory, Values};
use cvae_gpu::rng::Stream;

#[test]
fn means_are_the_first_half_of_each_code() {
    let codes = [1.0, 2.0, -1.0, -2.0, 3.0, 4.0, -3.0, -4.0];
    assert_eq!(means(&codes, 2), [1.0, 2.0, 3.0, 4.0]);
}

#[test]
fn a_line_has_both_its_ends() {
    let walk = line(&[0.0, 1.0], &[4.0, -1.0], 5);
    let expected = [0.0, 1.0, 1.0, 0.5, 2.0, 0.0, 3.0, -0.5, 4.0, -1.0];
    assert_eq!(walk, expected);
    assert_eq!(line(&[7.0], &[9.0], 1), [7.0]);
}

fn model() -> Model {
    Filters {
        image: [8, 8, 1],
        latent_dim: 3,
        encoder_filters: vec![5, 4],
        decoder_base: 3,
        decoder_filters: vec![4, 5],
        ..Filters::default()
    }
    .model()
}

/// Five images: their layout and their words.
fn images() -> (Packed, Vec<u32>) {
    let pixels: Vec<u8> = (0..5 * 64u32).map(|i| (i * i % 251) as u8).collect();
    let images = PackedImages::from_bytes([8, 8, 1], &pixels, Binarize::Threshold);
    (Packed::of(&images), images.device_words().unwrap())
}

fn fill(memory: &mut Memory, plan: &Plan, state: &str) {
    memory.fit(plan);
    let specs = model().params();
    for (spec, values) in specs.iter().zip(params::initial(&specs, 3)) {
        if plan.find(&spec.name).is_some() {
            memory.set_floats(plan, &spec.name, &values);
        }
    }
    let words = StepState::start(7, Stream::Evaluate).to_words().to_vec();
    for (name, words) in [(state, words), (IMAGES, images().1)] {
        if let Some(slot) = plan.find(name) {
            memory.set(plan, slot, &Values::Words(words));
        }
    }
}

/// log w of each image for draw `k`, from the plan of the ELBO.
fn log_weights(k: u32) -> Vec<f64> {
    let feed = model::Feed::Images(IMAGES, images().0, Order::File);
    let plan = model::evaluate(&model(), feed, 5, &Target::portable());
    let mut memory = Memory::default();
    fill(&mut memory, &plan, "evaluate.state");
    let mut state = StepState::start(7, Stream::Evaluate);
    state.step = k;
    let slot = plan.find("evaluate.state").expect("the state");
    memory.set(&plan, slot, &Values::Words(state.to_words().to_vec()));
    memory.run(&plan);
    let terms = memory.floats(&plan, "terms");
    terms.chunks(TERMS).map(|t| t[0] + t[1] - t[2]).collect()
}

// The reference exponentiates relative to the mean of the weights, not their maximum.
#[test]
fn the_bound_is_the_log_of_the_mean_weight_whatever_the_batch() {
    let samples = 4;
    let weights: Vec<Vec<f64>> = (0..samples).map(log_weights).collect();
    let expected: Vec<f64> = (0..5)
        .map(|n| {
            let of = |k: usize| weights[k][n];
            let mean = (0..4).map(of).sum::<f64>() / 4.0;
            mean + ((0..4).map(|k| (of(k) - mean).exp()).sum::<f64>() / 4.0).ln()
        })
        .collect();
    for batches in [vec![5], vec![2, 2, 1]] {
        let mut memory = Memory::default();
        let build = |b: &usize| bound(&model(), images().0, samples, *b, &Target::portable());
        let plans: Vec<Bound> = batches.iter().map(build).collect();
        for Bound {
            encode,
            draw,
            record,
        } in &plans
        {
            for plan in [encode, draw, record] {
                plan.check().expect("a sound plan");
                memory.fit(plan);
            }
        }
        let first = &plans[0];
        for plan in [&first.encode, &first.draw] {
            fill(&mut memory, plan, STATE);
        }
        for plans in &plans {
            memory.run(&plans.encode);
            (0..samples).for_each(|_| memory.run(&plans.draw));
            memory.run(&plans.record);
        }
        let found = memory.floats(&first.record, "bounds");
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-9, "{found} for {expected}");
        }
    }
}
