//! Kernels that use the step state against their twins: the optimizer, the counters, and random draws.

use crate::common::pair::Pair;
use crate::common::report::{Limit, Report};
use crate::common::uniform;
use cvae_gpu::gpu::Gpu;
use cvae_gpu::ops::Graph;
use cvae_gpu::ops::adam::{self, Adam, Arenas, Schedule};
use cvae_gpu::ops::rng::{self, Order};
use cvae_gpu::ops::state::{self, StepState};
use cvae_gpu::plan::cpu::Values;
use cvae_gpu::plan::{Plan, Role};
use cvae_gpu::rng::Stream;

fn start() -> StepState {
    StepState::start(0x1234_5678_9abc_def0, Stream::Train)
}

/// Positive numbers from 10^-8 to 10^2.
fn magnitudes(count: usize, seed: u64) -> Vec<f32> {
    let powers = uniform(count, 5.0, seed).into_iter();
    powers.map(|p| 10f32.powf(p - 3.0)).collect()
}

const COUNT: usize = 1000;

/// Runs one update of `COUNT` weights at optimizer step `t`, from 1.
fn update(gpu: &Gpu, report: &mut Report, t: u32, adam: Adam, weights: &[f32]) {
    let mut p = Graph::new(1);
    let state = state::declare(&mut p, "state");
    let mut arena = |name: &str| p.slot(name, &[COUNT], Role::Data);
    let arenas = Arenas {
        params: arena("params"),
        grads: arena("grads"),
        m: arena("m"),
        v: arena("v"),
    };
    adam::update(&mut p, state, arenas, adam);
    let p = p.lower(gpu.target());
    let mut pair = Pair::new(gpu, &[&p]);
    let before = StepState { step: t, ..start() };
    pair.set_words(&p, "state", &before.to_words());
    // Moments have the sign and size of their gradient, so that no digits cancel.
    let signs: Vec<f32> = uniform(COUNT, 1.0, 4)
        .into_iter()
        .map(f32::signum)
        .collect();
    let mut grads = magnitudes(COUNT, 1);
    grads[17] = 0.0;
    let mut m = magnitudes(COUNT, 2);
    let mut v: Vec<f32> = m.iter().map(|m| 2.0 * m * m).collect();
    if t == 1 {
        (m, v) = (vec![0.0; COUNT], vec![0.0; COUNT]);
    }
    let signed = |values: &[f32]| -> Vec<f32> {
        let pairs = values.iter().zip(&signs);
        pairs.map(|(v, s)| v * s).collect()
    };
    pair.set(&p, "grads", &signed(&grads));
    pair.set(&p, "m", &signed(&m));
    pair.set(&p, "v", &v);
    pair.set(&p, "params", weights);
    let largest = weights.iter().fold(0f32, |l, w| l.max(w.abs()));
    let limit = |slot: &str| match slot {
        "params" if largest > 0.0 => Limit::Each {
            relative: 0.0,
            absolute: 5e-6 * 10.0 * adam.rate + f64::from(f32::EPSILON * largest),
        },
        "params" => Limit::Each {
            relative: 5e-6,
            absolute: 0.0,
        },
        _ => Limit::Each {
            relative: 1e-6,
            absolute: 0.0,
        },
    };
    let case = format!("step {t}, weights to {largest}, {adam:?}");
    pair.run(report, &case, &p, 1, limit);
}

// Weights of 0 show the update itself, which must be within 5e-6 of each value at any step.
pub fn updates_of_adam_agree_with_their_twin_from_the_first_step_to_the_millionth(gpu: &Gpu) {
    let mut report = Report::default();
    let fast = Adam {
        rate: 0.01,
        beta1: 0.5,
        beta2: 0.99,
        epsilon: 1e-3,
        ..Adam::default()
    };
    for adam in [Adam::default(), fast] {
        for t in [1, 2, 10, 1000, 100_000, 1_000_000] {
            update(gpu, &mut report, t, adam, &[0.0; COUNT]);
        }
    }
    report.finish(2 * 6 * 3);
}

// Around the end of the warm-up, at the boundaries of the stairs, and at the end of the cosine.
pub fn scheduled_updates_agree_with_their_twin(gpu: &Gpu) {
    let mut report = Report::default();
    let schedules = [
        Schedule::Constant,
        Schedule::Cosine { last: 100.0 },
        Schedule::Stairs {
            every: 3,
            factor: 0.7,
        },
    ];
    for schedule in schedules {
        let adam = Adam {
            warmup: 4.0,
            schedule,
            ..Adam::default()
        };
        for t in [1, 3, 4, 5, 6, 7, 50, 90] {
            update(gpu, &mut report, t, adam, &[0.0; COUNT]);
        }
        let decay = 0.5;
        let adam = Adam { decay, ..adam };
        update(gpu, &mut report, 5, adam, &uniform(COUNT, 0.25, 12));
    }
    report.finish(3 * 9 * 3);
}

// An update is at most ten learning rates here; the rest of the limit is the rounding of a weight.
pub fn updates_of_adam_are_subtracted_from_the_weights(gpu: &Gpu) {
    let mut report = Report::default();
    update(
        gpu,
        &mut report,
        10,
        Adam::default(),
        &uniform(COUNT, 0.25, 12),
    );
    report.finish(3);
}

fn words(pair: &Pair, plan: &Plan, name: &str) -> Vec<u32> {
    match pair.read(plan, plan.find(name).expect(name)) {
        Values::Words(words) => words,
        Values::Floats(_) => panic!("`{name}` holds floats"),
    }
}

pub fn the_state_advances_through_epochs_as_its_twin_does(gpu: &Gpu) {
    let mut report = Report::default();
    for (batch, count, steps) in [
        (1, 1, 1),
        (7, 10, 1),
        (5, 10, 0),
        (10, 10, 1),
        (32, 60_000, 1),
    ] {
        let mut p = Graph::new(batch);
        let slot = state::declare(&mut p, "state");
        state::advance(&mut p, slot, count, steps);
        let p = p.lower(gpu.target());
        let mut pair = Pair::new(gpu, &[&p]);
        let mut expected = StepState {
            step: u32::MAX - 2,
            epoch: 3,
            ..start()
        };
        pair.set_words(&p, "state", &expected.to_words());
        for times in [1, 1, 5] {
            let case = format!("{batch} of {count}, {times} more");
            pair.run(&mut report, &case, &p, times, |_| Limit::Exact);
            for _ in 0..times {
                expected = expected.advanced(batch, count, steps);
            }
            assert_eq!(words(&pair, &p, "state"), expected.to_words(), "{case}");
        }
    }
    report.finish(15);
}

pub fn time_ticks_while_the_batch_stays_and_can_be_taken_back(gpu: &Gpu) {
    let mut report = Report::default();
    let mut p = Graph::new(7);
    let slot = state::declare(&mut p, "state");
    (0..3).for_each(|_| state::tick(&mut p, slot));
    let mut back = Graph::new(7);
    let slot = state::declare(&mut back, "state");
    state::advance(&mut back, slot, 10, 3u32.wrapping_neg());
    let (p, back) = (p.lower(gpu.target()), back.lower(gpu.target()));
    let mut pair = Pair::new(gpu, &[&p, &back]);
    pair.set_words(&p, "state", &start().to_words());
    pair.run(&mut report, "three ticks", &p, 1, |_| Limit::Exact);
    let ticked = StepState { step: 3, ..start() };
    assert_eq!(words(&pair, &p, "state"), ticked.to_words());
    pair.run(&mut report, "back", &back, 1, |_| Limit::Exact);
    let next = StepState {
        position: 7,
        ..start()
    };
    assert_eq!(words(&pair, &p, "state"), next.to_words());
    report.finish(4);
}

pub fn shuffles_are_equal_to_their_twins(gpu: &Gpu) {
    let mut report = Report::default();
    for (batch, count) in [(1, 1), (2, 2), (3, 3), (10, 10), (65, 1000), (500, 60_000)] {
        for order in [Order::Shuffled, Order::File] {
            let mut p = Graph::new(batch);
            let state = state::declare(&mut p, "state");
            rng::shuffle(&mut p, state, count, order);
            let p = p.lower(gpu.target());
            let mut pair = Pair::new(gpu, &[&p]);
            // The last batch starts before the end of the set and reaches beyond it.
            for (epoch, position) in [(0, 0), (1, count - batch), (77, count - 1)] {
                let state = StepState {
                    epoch,
                    position: position as u32,
                    ..start()
                };
                pair.set_words(&p, "state", &state.to_words());
                let case = format!("{batch} of {count} from {position}, epoch {epoch}, {order:?}");
                pair.run(&mut report, &case, &p, 1, |_| Limit::Exact);
            }
        }
    }
    report.finish(36);
}

pub fn an_epoch_of_shuffled_batches_takes_every_image_once(gpu: &Gpu) {
    let (batch, count) = (100, 1000);
    let mut p = Graph::new(batch);
    let state = state::declare(&mut p, "state");
    rng::shuffle(&mut p, state, count, Order::Shuffled);
    state::advance(&mut p, state, count, 1);
    let p = p.lower(gpu.target());
    let mut pair = Pair::new(gpu, &[&p]);
    pair.set_words(&p, "state", &start().to_words());
    let mut report = Report::default();
    let mut orders = Vec::new();
    for epoch in 0..2 {
        let mut seen = Vec::new();
        for step in 0..count / batch {
            let case = format!("epoch {epoch}, step {step}");
            pair.run(&mut report, &case, &p, 1, |_| Limit::Exact);
            seen.extend(words(&pair, &p, "indices"));
        }
        let mut sorted = seen.clone();
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..count as u32), "epoch {epoch}");
        orders.push(seen);
    }
    assert_ne!(orders[0], orders[1]);
    report.finish(40);
}

// 204 000 draws, with counters that differ in each word, and latent sizes that leave blocks of four
// half used.
pub fn normals_are_within_4_ulps_of_their_twins(gpu: &Gpu) {
    let mut report = Report::default();
    let other = StepState {
        seed: 7,
        step: 123_456,
        epoch: 5,
        position: 59_000,
        stream: Stream::Picture as u32,
    };
    for (batch, latent) in [(10_000, 10), (250, 1), (100, 3), (50, 4), (128, 5), (1, 64)] {
        let mut p = Graph::new(batch);
        let state = state::declare(&mut p, "state");
        rng::normals(&mut p, state, latent);
        let p = p.lower(gpu.target());
        let mut pair = Pair::new(gpu, &[&p]);
        for state in [start(), other] {
            pair.set_words(&p, "state", &state.to_words());
            let case = format!("{batch}×{latent} at {state:?}");
            pair.run(&mut report, &case, &p, 1, |_| Limit::Ulps(4.0));
        }
    }
    report.finish(12);
}
