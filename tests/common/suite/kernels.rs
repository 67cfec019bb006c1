//! Every kernel except the convolutions (convolutions.rs) and the counters (state.rs) against its
//! twin, in plans of a few steps.
//!
//! Each test explains its limits. In single precision, sums of terms in (-1, 1) have errors of about
//! 1e-6 of their largest result; an omitted term gives 1e-3 and more.

use crate::common::dense as dense_layers;
use crate::common::pair::Pair;
use crate::common::report::{Limit, Report};
use crate::common::{say, uniform};
use cvae_gpu::data::{Binarize, Depth, PackedImages};
use cvae_gpu::gpu::Gpu;
use cvae_gpu::ops::dense::Dense;
use cvae_gpu::ops::elbo::{self, COLUMNS, RING};
use cvae_gpu::ops::fetch::{self, Packed};
use cvae_gpu::ops::gaussian::LogSigma;
use cvae_gpu::ops::likelihood::{self, Head};
use cvae_gpu::ops::objective::{Divergence, KlTerm};
use cvae_gpu::ops::posterior::{self, Posterior, Sampled};
use cvae_gpu::ops::reduce::SumRows;
use cvae_gpu::ops::rng::{self, Order};
use cvae_gpu::ops::state::{self, StepState};
use cvae_gpu::ops::{Activation, Graph, Target, Tuning, clip, importance, input, lanes, peak};
use cvae_gpu::plan::cpu::Values;
use cvae_gpu::plan::{Caps, Plan, Role, SlotId};
use cvae_gpu::rng::Stream;

const SUMS: Limit = Limit::OfLargest(4e-6);

// From 128 terms on, a workgroup of 64 shares a sum.
pub fn dense_layers_agree_with_their_twins(gpu: &Gpu) {
    let mut report = Report::default();
    let mut entries = Vec::new();
    let cases = [
        (1, 1, 1),
        (2, 127, 3),
        (7, 128, 4),
        (33, 130, 65),
        (7, 5, 128),
        (2, 200, 130),
        (33, 2, 129),
        (1, 2304, 20),
    ];
    for (i, (batch, inputs, outputs)) in cases.into_iter().enumerate() {
        let on = |on: bool| {
            if on {
                Activation::Relu
            } else {
                Activation::None
            }
        };
        let (forward, backward) = (on(i.is_multiple_of(2)), on((i / 2).is_multiple_of(2)));
        let spec = Dense { inputs, outputs };
        let plan = dense_layers::plan(gpu.target(), batch, spec, forward, backward);
        let on = |label: &str| {
            if label == "forward" {
                forward
            } else {
                backward
            }
        };
        let steps = plan.steps().iter();
        entries.extend(steps.map(|s| (s.kernel.entry, on(&s.label))));
        let mut pair = Pair::new(gpu, &[&plan]);
        dense_layers::fill(&mut pair, &plan, i as u64);
        let case = format!("{batch}×{inputs} to {outputs}, {forward:?}, {backward:?}");
        pair.run(&mut report, &case, &plan, 1, |_| SUMS);
    }
    for entry in ["forward", "forward_deep", "input_grad", "input_grad_deep"] {
        for on in [Activation::None, Activation::Relu] {
            assert!(entries.contains(&(entry, on)), "{entry} {on:?}");
        }
    }
    report.finish(4 * cases.len());
}

pub fn dense_activations_agree_with_their_twins(gpu: &Gpu) {
    let mut report = Report::default();
    let spec = Dense {
        inputs: 130,
        outputs: 65,
    };
    for (i, activation) in Activation::ALL.into_iter().enumerate() {
        let plan = dense_layers::plan(gpu.target(), 7, spec, activation, activation);
        let mut pair = Pair::new(gpu, &[&plan]);
        pair.set_random(&plan, 1.0, i as u64);
        let case = format!("{activation:?}");
        pair.run(&mut report, &case, &plan, 1, |_| SUMS);
    }
    report.finish(4 * 6);
}

/// Encoder outputs with means in ±3 and log-variances in ±6.
fn encodings(batch: usize, latent: usize, seed: u64) -> Vec<f32> {
    let wide = uniform(batch * 2 * latent, 6.0, seed);
    let half = |(i, v): (usize, f32)| {
        if (i / latent).is_multiple_of(2) {
            v / 2.0
        } else {
            v
        }
    };
    wide.into_iter().enumerate().map(half).collect()
}

/// Both forms, with a weight of 1 and another.
fn kl_terms() -> [KlTerm; 4] {
    [
        (Divergence::MonteCarlo, 1.0),
        (Divergence::MonteCarlo, 4.0),
        (Divergence::Analytic, 1.0),
        (Divergence::Analytic, 0.25),
    ]
    .map(|(form, beta)| KlTerm {
        form,
        beta,
        ..KlTerm::PLAIN
    })
}

/// A plan of the sampling from `q` and `eps`, and its gradient from `dz`.
pub fn sampling(gpu: &Gpu, batch: usize, latent: usize, kl_term: KlTerm) -> Plan {
    let mut p = Graph::new(batch);
    let q = p.slot("q", &[batch, 2 * latent], Role::Data);
    let eps = p.slot("eps", &[batch, latent], Role::Data);
    let dz = p.slot("dz", &[batch, latent], Role::Data);
    let sampled = posterior::sample(&mut p, Posterior::Diagonal, q, eps);
    posterior::backward(&mut p, kl_term, sampled, None, dz);
    p.lower(gpu.target())
}

// With a small variance, z − mean cancels digits of log q(z|x): at a log-variance of −6 the absolute
// error is 2e-5, in sums of 10 and more.
pub fn sampling_and_its_gradient_agree_with_their_twins(gpu: &Gpu) {
    let mut report = Report::default();
    let cases = [(1, 1), (7, 2), (65, 3), (33, 10), (2, 64)];
    for kl_term in kl_terms() {
        for (i, (batch, latent)) in cases.into_iter().enumerate() {
            let p = sampling(gpu, batch, latent, kl_term);
            let mut pair = Pair::new(gpu, &[&p]);
            pair.set_random(&p, 3.0, i as u64);
            pair.set(&p, "q", &encodings(batch, latent, 50 + i as u64));
            let case = format!("{batch}×{latent} {kl_term:?}");
            pair.run(&mut report, &case, &p, 1, |_| Limit::OfLargest(5e-6));
        }
    }
    report.finish(4 * 5 * cases.len());
}

/// Plans of the loss, of its gradient, and of the means, from slots `logits` and `x`.
fn likelihoods(gpu: &Gpu, head: Head, scale: f64, batch: usize, values: usize) -> [Plan; 3] {
    [0, 1, 2].map(|kind| {
        let mut p = Graph::new(batch);
        let logits = p.slot("logits", &[batch, values], Role::Data);
        let x = p.slot("x", &[batch, values], Role::Data);
        match kind {
            0 => drop(likelihood::loss(&mut p, head, logits, x)),
            1 => drop(likelihood::loss_and_grad(&mut p, head, scale, logits, x)),
            _ => drop(likelihood::decode(&mut p, head, logits)),
        }
        p.lower(gpu.target())
    })
}

// WGSL allows exp(-80) an error of 163 ULP, or 2e-5, but of a value of 1e-35.
pub fn cross_entropy_agrees_with_its_twin_for_logits_to_80_and_real_targets(gpu: &Gpu) {
    let mut report = Report::default();
    let cases = [
        (1, 4, 80.0),
        (2, 252, 4.0),
        (7, 256, 80.0),
        (33, 260, 0.5),
        (2, 784, 80.0),
        (7, 3072, 4.0),
    ];
    for (i, (batch, values, limit)) in cases.into_iter().enumerate() {
        let logits = uniform(batch * values, limit, i as u64);
        let x = uniform(batch * values, 0.5, 40).into_iter();
        let x: Vec<f32> = x.map(|v| v + 0.5).collect();
        for plan in likelihoods(gpu, Head::Bernoulli(false), 1.0, batch, values) {
            let mut pair = Pair::new(gpu, &[&plan]);
            pair.set(&plan, "logits", &logits);
            pair.set(&plan, "x", &x);
            let case = format!("{batch}×{values} to ±{limit}, {}", plan.steps()[0].label);
            pair.run(&mut report, &case, &plan, 1, |_| Limit::OfLargest(2e-6));
        }
    }
    report.finish(4 * cases.len());
}

// Each pixel is nearly certain and right, so log p(x|z) is a sum of small logarithms, in which absolute
// errors would add up. A pixel has at most 7e-3.
pub fn cross_entropy_of_nearly_certain_pixels_is_exact_too(gpu: &Gpu) {
    let (batch, values) = (7, 784);
    let distance = uniform(batch * values, 7.5, 3).into_iter();
    let distance: Vec<f32> = distance.map(|v| v + 12.5).collect();
    let one = |i: usize| i.is_multiple_of(3);
    let logits = distance.iter().enumerate();
    let logits: Vec<f32> = logits.map(|(i, d)| if one(i) { *d } else { -d }).collect();
    let x = (0..logits.len()).map(|i| f32::from(u8::from(one(i))));
    let x: Vec<f32> = x.collect();
    let mut report = Report::default();
    for plan in &likelihoods(gpu, Head::Bernoulli(false), 1.0, batch, values)[..2] {
        let mut pair = Pair::new(gpu, &[plan]);
        pair.set(plan, "logits", &logits);
        pair.set(plan, "x", &x);
        let limit = |slot: &str| match slot {
            // With a target of 1 the error of the sigmoid's last digit, 6e-8, remains. WGSL allows
            // 2.5 ULP for the quotient and the divisor has half a ULP.
            "dlogits" => Limit::Each {
                relative: 5e-6,
                absolute: 2e-7 / batch as f64,
            },
            _ => Limit::Each {
                relative: 5e-6,
                absolute: 0.0,
            },
        };
        let case = format!("certain pixels, {}", plan.steps()[0].label);
        pair.run(&mut report, &case, plan, 1, limit);
    }
    report.finish(3);
}

/// A plan whose inputs are the four ELBO terms of each image.
fn elbo_plan(gpu: &Gpu, batch: usize, add: impl FnOnce(&mut Graph, Sampled)) -> Plan {
    let mut p = Graph::new(batch);
    let mut term = |name: &str| p.slot(name, &[batch], Role::Data);
    let sampled = Sampled {
        posterior: Posterior::Diagonal,
        q: term("q"),
        eps: term("eps"),
        z: term("z"),
        logpz: term("logpz"),
        logqz_x: term("logqz_x"),
        kl: term("kl"),
    };
    add(&mut p, sampled);
    p.lower(gpu.target())
}

fn at(step: u32, position: u32) -> StepState {
    StepState {
        step,
        position,
        ..StepState::start(1, Stream::Train)
    }
}

pub fn batch_means_go_to_the_row_of_their_step_and_nowhere_else(gpu: &Gpu) {
    let mut report = Report::default();
    let cases = [(1, 0), (7, 511), (64, 512), (65, 1000), (200, 70_001)];
    for kl_term in kl_terms() {
        for (batch, step) in cases {
            let plan = elbo_plan(gpu, batch, |p, sampled| {
                let state = state::declare(p, "state");
                let logpx_z = p.slot("logpx_z", &[batch], Role::Data);
                elbo::batch_means(p, kl_term, logpx_z, sampled, None, state);
            });
            let mut pair = Pair::new(gpu, &[&plan]);
            pair.set_random(&plan, 1.0, batch as u64);
            // The likelihood is larger than the other terms, as in training.
            pair.set(&plan, "logpx_z", &uniform(batch, 100.0, 9));
            pair.set_words(&plan, "state", &at(step, 0).to_words());
            let case = format!("{batch} images, step {step}, {kl_term:?}");
            pair.run(&mut report, &case, &plan, 1, |_| Limit::OfLargest(1e-6));
            let ring = plan.find("metrics").expect("metrics");
            let Values::Floats(ring) = pair.read(&plan, ring) else {
                panic!("the ring holds floats");
            };
            let written = ring.iter().enumerate().filter(|(_, v)| !v.is_nan());
            let rows: Vec<_> = written.map(|(i, _)| i / COLUMNS).collect();
            assert_eq!(rows, [step as usize % RING; COLUMNS], "{case}");
        }
    }
    report.finish(4 * cases.len());
}

pub fn terms_are_recorded_in_the_rows_of_their_images_and_nowhere_else(gpu: &Gpu) {
    let mut report = Report::default();
    for (batch, position) in [(1, 99), (7, 30), (65, 35), (100, 0)] {
        let plan = elbo_plan(gpu, batch, |p, sampled| {
            let state = state::declare(p, "state");
            let logpx_z = p.slot("logpx_z", &[batch], Role::Data);
            elbo::record(p, 100, logpx_z, sampled, state);
        });
        let mut pair = Pair::new(gpu, &[&plan]);
        pair.set_random(&plan, 1.0, batch as u64);
        pair.set_words(&plan, "state", &at(3, position).to_words());
        let case = format!("{batch} images from {position}");
        pair.run(&mut report, &case, &plan, 1, |_| Limit::Exact);
    }
    report.finish(4);
}

// Log-weights of very different size, as of draws far from an image. The sum must not overflow, and the
// small weights must not hide the large one, in either order.
pub fn bounds_over_draws_agree_with_their_twins_and_with_their_definition(gpu: &Gpu) {
    let mut report = Report::default();
    let draws = [[-150.0, -3.0, 2.0], [-90.0, -2.5, 3.5], [-91.0, -4.0, 1.0]];
    for (batch, position) in [(1, 99), (7, 30), (65, 35)] {
        let draw = elbo_plan(gpu, batch, |p, sampled| {
            let state = state::declare(p, "state");
            let logpx_z = p.slot("logpx_z", &[batch], Role::Data);
            importance::accumulate(p, logpx_z, sampled, state);
            state::tick(p, state);
        });
        let mut record = Graph::new(batch);
        let state = state::declare(&mut record, "state");
        importance::record(&mut record, 100, draws.len(), state);
        let record = record.lower(gpu.target());
        let mut pair = Pair::new(gpu, &[&draw, &record]);
        pair.set_words(&draw, "state", &at(0, position).to_words());
        // Row n is shifted by n nats, so that swapped rows show.
        let rows = |value: f32| (0..batch).map(|n| value + n as f32).collect::<Vec<_>>();
        let case = format!("{batch} images from {position}");
        for [logpx_z, logpz, logqz_x] in draws {
            pair.set(&draw, "logpx_z", &rows(logpx_z));
            pair.set(&draw, "logpz", &vec![logpz; batch]);
            pair.set(&draw, "logqz_x", &vec![logqz_x; batch]);
            pair.run(&mut report, &case, &draw, 1, |_| Limit::OfLargest(1e-6));
        }
        pair.run(&mut report, &case, &record, 1, |_| Limit::OfLargest(1e-6));
        let bounds = record.find("bounds").expect("bounds");
        let Values::Floats(bounds) = pair.read(&record, bounds) else {
            panic!("bounds are floats");
        };
        let weight = |[x, z, q]: [f32; 3]| f64::from(x + z - q);
        let expected = (draws.map(weight).map(f64::exp).iter().sum::<f64>() / 3.0).ln();
        for (i, found) in bounds.iter().enumerate() {
            match i.checked_sub(position as usize).filter(|n| *n < batch) {
                Some(n) => assert!(
                    (found - expected - n as f64).abs() < 1e-4,
                    "{case}: {found}"
                ),
                None => assert!(found.is_nan(), "{case}: row {i} was written"),
            }
        }
    }
    report.finish(3 * (3 * 2 + 1));
}

// One invocation adds a few rows, a workgroup more. On a GPU three kinds of sums take two steps of
// √rows terms each and have an intermediate result: 17 000 rows, 5000 rows of several columns, and
// 1000 rows with eight quads per workgroup.
pub fn sums_over_rows_agree_with_their_twins_from_buffers_and_textures(gpu: &Gpu) {
    let mut report = Report::default();
    let adapters = [(false, false), (true, false), (true, true)].into_iter();
    for ((software, texels), rows) in adapters
        .flat_map(|adapter| [1, 8, 9, 64, 65, 1000, 5000, 17_000].map(|rows| (adapter, rows)))
    {
        // Every number of rows with and without quads; other widths where rows are few and many.
        let columns: &[usize] = match rows {
            9 | 1000 | 17_000 => &[1, 3, 4, 8, 12, 32],
            _ => &[1, 4],
        };
        for &columns in columns {
            let mut p = Graph::new(1);
            let x = p.slot("x", &[rows, columns], Role::Data);
            let y = p.slot("y", &[columns], Role::Activation);
            let label = "sum".into();
            p.push(SumRows { label, x, rows, y });
            let target = Target::new(Caps {
                software,
                ..gpu.caps().clone()
            });
            let p = p.lower(&reading(&target, texels));
            let mut pair = Pair::new(gpu, &[&p]);
            // Not centred on zero, so that no sum is small by chance.
            let x = uniform(rows * columns, 1.0, 6).into_iter();
            pair.set(&p, "x", &x.map(|v| v + 0.5).collect::<Vec<_>>());
            let case = format!("{rows}×{columns}, software {software}, texels {texels}");
            pair.run(&mut report, &case, &p, 1, |_| Limit::OfLargest(1e-6));
        }
    }
    // Eight of them sum ranges first.
    report.finish(3 * (3 * 6 + 5 * 2) + 8);
}

// Reads a mirror texel by texel and compares it with its slot.
pub fn mirrors_hold_what_they_mirror(gpu: &Gpu) {
    let mut report = Report::default();
    // A row of the texture holds 4 × 4096 values.
    for len in [4, 256, 16_384, 16_388, 3 * 16_384 + 8] {
        let mut p = Graph::new(1);
        peak::copy(&mut p, len);
        let p = p.lower(&reading(gpu.target(), true));
        let mut pair = Pair::new(gpu, &[&p]);
        let to = p.find("peak.to").expect("the copy");
        // The second run has other values: a copy must be renewed in each run.
        for seed in [8, 9] {
            let values = uniform(len, 1.0, seed);
            pair.set(&p, "peak.from", &values);
            let case = format!("{len} values");
            pair.run(&mut report, &case, &p, 1, |_| Limit::Exact);
            let values = values.into_iter().map(f64::from).collect();
            assert_eq!(pair.read(&p, to), Values::Floats(values), "{case}");
        }
    }
    report.finish(10);
}

/// Twenty images of uniform random bytes.
fn twenty_images(shape: [usize; 3], binarize: Binarize) -> PackedImages {
    let bytes = uniform(20 * shape.iter().product::<usize>(), 127.9, 2).into_iter();
    let bytes: Vec<u8> = bytes.map(|v| (v + 128.0) as u8).collect();
    PackedImages::from_bytes(shape, &bytes, binarize)
}

/// The target with textures or with buffers.
fn reading(target: &Target, texels: bool) -> Target {
    let texels = Some(texels);
    target.tuned(&Tuning {
        texels,
        ..Tuning::default()
    })
}

/// The indices of a batch in which an image occurs twice.
const ORDER: [u32; 7] = [3, 19, 0, 7, 7, 12, 1];

/// A plan that fetches the images of `ORDER`, its pair, and the slot of the batch.
fn fetching<'g>(gpu: &'g Gpu, images: &PackedImages, packed: Packed) -> (Plan, Pair<'g>, SlotId) {
    let mut p = Graph::new(ORDER.len());
    let state = state::declare(&mut p, "state");
    let data = fetch::declare(&mut p, "images", &packed);
    let indices = p.words("indices", &[ORDER.len()], Role::Data);
    let x = fetch::batch(&mut p, packed, state, data, indices);
    let p = p.lower(gpu.target());
    let mut pair = Pair::new(gpu, &[&p]);
    pair.set_words(&p, "images", &images.device_words().unwrap());
    pair.set_words(&p, "indices", &ORDER);
    (p, pair, x)
}

/// Twenty images of each depth.
fn twenty_of_each_depth(shape: [usize; 3]) -> [PackedImages; 3] {
    let floats = uniform(20 * shape.iter().product::<usize>(), 3.0, 5);
    [
        twenty_images(shape, Binarize::Threshold),
        twenty_images(shape, Binarize::None),
        PackedImages::from_floats(shape, &floats),
    ]
}

/// The limit of fetched values: a byte is a quotient, for which WGSL allows 2.5 ULP.
fn fetched(depth: Depth) -> Limit {
    match depth {
        Depth::Bit | Depth::Float => Limit::Exact,
        Depth::Byte => Limit::Each {
            relative: 3e-7,
            absolute: 0.0,
        },
    }
}

// The last shape has no whole number of quads.
const FETCHED: [[usize; 3]; 4] = [[5, 8, 1], [4, 4, 3], [28, 28, 1], [3, 5, 3]];

pub fn images_are_fetched_as_they_were_packed(gpu: &Gpu) {
    let mut report = Report::default();
    for images in FETCHED.into_iter().flat_map(twenty_of_each_depth) {
        let (p, mut pair, x) = fetching(gpu, &images, Packed::of(&images));
        let limit = fetched(images.depth());
        let case = format!("{:?} {:?}", images.shape(), images.depth());
        pair.run(&mut report, &case, &p, 1, |_| limit);
        let unpacked = ORDER
            .iter()
            .flat_map(|&i| images.values(i as usize).unwrap());
        let unpacked: Vec<f64> = unpacked.map(f64::from).collect();
        let Values::Floats(x) = pair.read(&p, x) else {
            panic!("images are floats");
        };
        report.floats(&format!("{case} on the host"), "x", &x, &unpacked, limit);
    }
    report.finish(24);
}

// The images of a batch are those of the host, some of them mirrored; which ones depends on the epoch.
pub fn images_are_mirrored_by_image_and_epoch_as_their_twins_are(gpu: &Gpu) {
    let mut report = Report::default();
    for images in FETCHED.into_iter().flat_map(twenty_of_each_depth) {
        let [_, width, channels] = images.shape();
        let packed = Packed::of(&images).flipped(true);
        let (p, mut pair, x) = fetching(gpu, &images, packed);
        let limit = fetched(images.depth());
        let mut mirrored = Vec::new();
        for (epoch, step) in [(0, 0), (0, 70_000), (7, 0)] {
            let state = StepState {
                epoch,
                ..at(step, step)
            };
            pair.set_words(&p, "state", &state.to_words());
            let case = format!("{:?} {:?} of {epoch}", images.shape(), images.depth());
            pair.run(&mut report, &case, &p, 1, |_| limit);
            let Values::Floats(x) = pair.read(&p, x) else {
                panic!("images are floats");
            };
            let rows = x.chunks(images.values_per_image()).zip(ORDER);
            let is_mirrored = rows.map(|(found, i)| {
                let values = images.values(i as usize).unwrap();
                let values: Vec<f64> = values.into_iter().map(f64::from).collect();
                let lines = values.chunks(width * channels);
                let turned = lines.flat_map(|line| line.chunks(channels).rev().flatten());
                let turned: Vec<f64> = turned.copied().collect();
                let near =
                    |wanted: &[f64]| found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-6);
                assert!(near(&values) != near(&turned), "{case}, image {i}");
                near(&turned)
            });
            mirrored.push(is_mirrored.collect::<Vec<_>>());
        }
        assert!(mirrored[0].contains(&true) && mirrored[0].contains(&false));
        assert_eq!(mirrored[0], mirrored[1], "a draw is of its epoch");
        assert_ne!(mirrored[0], mirrored[2], "epochs differ");
    }
    report.finish(36);
}

// The last batch of a pass begins in the middle of a window and ends past its last image.
pub fn images_are_fetched_from_a_window_in_the_order_of_the_pass(gpu: &Gpu) {
    let (mut report, batch) = (Report::default(), 4);
    for (binarize, drawn) in [(Binarize::None, false), (Binarize::Stochastic, true)] {
        let all = twenty_images([5, 8, 1], binarize);
        let packed = Packed {
            drawn,
            ..Packed::of(&all)
        }
        .in_windows(8);
        let mut p = Graph::new(batch);
        let state = state::declare(&mut p, "state");
        let data = fetch::declare(&mut p, "images", &packed);
        let indices = rng::shuffle(&mut p, state, packed.count, Order::File);
        let x = fetch::batch(&mut p, packed, state, data, indices);
        let p = p.lower(gpu.target());
        let mut pair = Pair::new(gpu, &[&p]);
        for position in [0, 4, 12, 18] {
            let window = position / 8 * 8..20.min(position / 8 * 8 + 8);
            let mut words = all.words_of(window).unwrap();
            words.resize(8 * all.words_per_image(), 0);
            pair.set_words(&p, "images", &words);
            let state = StepState {
                position: position as u32,
                ..at(0, 0)
            };
            pair.set_words(&p, "state", &state.to_words());
            let case = format!("{binarize:?} from image {position}");
            pair.run(&mut report, &case, &p, 1, |_| Limit::Each {
                relative: 3e-7,
                absolute: 0.0,
            });
            let Values::Floats(x) = pair.read(&p, x) else {
                panic!("images are floats");
            };
            if !drawn {
                let images =
                    (position..position + batch).flat_map(|i| all.values(i.min(19)).unwrap());
                let images: Vec<f64> = images.map(f64::from).collect();
                let limit = Limit::OfLargest(3e-7);
                report.floats(&format!("{case} on the host"), "x", &x, &images, limit);
            }
        }
    }
    report.finish(2 * 4 * 3 + 4);
}

// Large counters.
pub fn images_are_drawn_by_image_and_epoch_as_their_twins_are(gpu: &Gpu) {
    let mut report = Report::default();
    for shape in FETCHED {
        let values: usize = shape.iter().product();
        let images = twenty_images(shape, Binarize::Stochastic);
        let packed = Packed::training(&images, Binarize::Stochastic);
        let packed = packed.flipped(shape[2] == 3);
        let (p, mut pair, x) = fetching(gpu, &images, packed);
        let mut draw = |seed, epoch, step| {
            let state = StepState {
                seed,
                epoch,
                ..at(step, step)
            };
            pair.set_words(&p, "state", &state.to_words());
            let case = format!("{shape:?}, seed {seed}, epoch {epoch}, step {step}");
            pair.run(&mut report, &case, &p, 1, |_| Limit::Exact);
            let Values::Floats(x) = pair.read(&p, x) else {
                panic!("images are floats");
            };
            assert_eq!(x[3 * values..4 * values], x[4 * values..5 * values]);
            x
        };
        let first = draw(1, 0, 0);
        assert_eq!(first, draw(1, 0, 70_000), "a draw is of its epoch");
        assert_ne!(first, draw(1, 77, 0), "epochs differ");
        assert_ne!(first, draw(1 << 32, 0, 0), "seeds differ");
    }
    report.finish(16);
}

// Each of the 12 multiply-adds rounds once or twice, and a scale below 1 does not amplify the error.
// One omitted or repeated multiply-add shows as 1e-2.
pub fn the_kernels_that_measure_peaks_do_all_of_their_work(gpu: &Gpu) {
    let mut report = Report::default();
    let pairs = [false, true]
        .into_iter()
        .flat_map(|on| [(on, 4), (on, 1028), (on, 65_540)]);
    for (texels, len) in pairs {
        let mut p = Graph::new(1);
        peak::multiply_add(&mut p, 128, 3);
        peak::copy(&mut p, len);
        let p = p.lower(&reading(gpu.target(), texels));
        let mut pair = Pair::new(gpu, &[&p]);
        pair.set(&p, "peak.from", &uniform(len, 1.0, 4));
        pair.set(&p, "peak.factors", &[0.99, 0.5]);
        let limit = |slot: &str| match slot {
            "peak.sums" => Limit::OfLargest(1e-6),
            _ => Limit::Exact,
        };
        let case = format!("{len} values, texels {texels}");
        pair.run(&mut report, &case, &p, 1, limit);
    }
    report.finish(2 * 3 * 2);
}

// If the lanes differed, the adapter would have been opened without subgroups.
pub fn invocations_stand_in_the_lanes_that_their_twin_has(gpu: &Gpu) {
    if gpu.caps().subgroup_min < 8 {
        return say("lanes are not tested: the adapter has no subgroups of 8 or more");
    }
    let mut report = Report::default();
    let mut p = Graph::new(1);
    lanes::locate(&mut p, 100);
    let p = p.lower(gpu.target());
    let mut pair = Pair::new(gpu, &[&p]);
    pair.run(&mut report, "100 workgroups", &p, 1, |_| Limit::Exact);
    report.finish(1);
}

// The triangle has one element to 136; the last of a row and of the whole stand at its edges.
pub fn samples_of_any_covariance_and_their_gradients_agree_with_their_twins(gpu: &Gpu) {
    let mut report = Report::default();
    let cases = [(1, 1), (7, 2), (33, 3), (2, 5), (65, 16)];
    for kl_term in kl_terms() {
        for (i, (batch, latent)) in cases.into_iter().enumerate() {
            let mut p = Graph::new(batch);
            let values = Posterior::Full.values(latent);
            let q = p.slot("q", &[batch, values], Role::Data);
            let eps = p.slot("eps", &[batch, latent], Role::Data);
            let dz = p.slot("dz", &[batch, latent], Role::Data);
            let sampled = posterior::sample(&mut p, Posterior::Full, q, eps);
            let scale = 0.25;
            let kl_term = KlTerm { scale, ..kl_term };
            posterior::backward(&mut p, kl_term, sampled, None, dz);
            let p = p.lower(gpu.target());
            let mut pair = Pair::new(gpu, &[&p]);
            pair.set_random(&p, 3.0, i as u64);
            let case = format!("{batch}×{latent} {kl_term:?}");
            pair.run(&mut report, &case, &p, 1, |_| Limit::OfLargest(5e-6));
        }
    }
    report.finish(4 * 5 * cases.len());
}

// Before, at and after the end of the rise; and dimensions below and above their free bits.
pub fn weights_of_the_kl_term_agree_with_their_twins(gpu: &Gpu) {
    let mut report = Report::default();
    let cases = [
        (1, 1, 0),
        (7, 2, 1),
        (33, 3, 2),
        (200, 9, 3),
        (5, 16, 70_000),
    ];
    for posterior in [Posterior::Diagonal, Posterior::Full] {
        for (i, (batch, latent, done)) in cases.into_iter().enumerate() {
            let terms = [
                (Divergence::MonteCarlo, 3.0, 0.0),
                (Divergence::Analytic, 3.0, 0.0),
                (Divergence::Analytic, 0.0, 1.5),
                (Divergence::Analytic, 2.0, 1.5),
            ];
            // All of them in the first two cases, then two by turns.
            let chosen = |at: &usize| i < 2 || (i + at).is_multiple_of(2);
            for (form, rise, free_bits) in (0..4).filter(chosen).map(|at| terms[at]) {
                let kl_term = KlTerm {
                    form,
                    beta: 1.5,
                    scale: 0.5,
                    rise,
                    free_bits,
                };
                let mut p = Graph::new(batch);
                let state = state::declare(&mut p, "state");
                let q = p.slot("q", &[batch, posterior.values(latent)], Role::Data);
                let eps = p.slot("eps", &[batch, latent], Role::Data);
                let dz = p.slot("dz", &[batch, latent], Role::Data);
                let logpx_z = p.slot("logpx_z", &[batch], Role::Data);
                let sampled = posterior::sample(&mut p, posterior, q, eps);
                let weights = posterior::weigh(&mut p, kl_term, sampled, state);
                assert!(weights.is_some());
                elbo::batch_means(&mut p, kl_term, logpx_z, sampled, weights, state);
                posterior::backward(&mut p, kl_term, sampled, weights, dz);
                let p = p.lower(gpu.target());
                let mut pair = Pair::new(gpu, &[&p]);
                pair.set_random(&p, 2.0, i as u64);
                pair.set(&p, "q", &uniform(batch * posterior.values(latent), 1.0, 40));
                pair.set_words(&p, "state", &at(done, 0).to_words());
                let case = format!("{posterior:?} {batch}×{latent} after {done}: {kl_term:?}");
                pair.run(&mut report, &case, &p, 1, |_| Limit::OfLargest(5e-6));
            }
        }
    }
    report.finish(2 * 7 * (2 * 4 + 3 * 2));
}

// Fewer values than a workgroup has, several blocks for each partial sum, and a norm on either side of the
// limit.
pub fn gradients_are_clipped_to_the_norm_of_all(gpu: &Gpu) {
    let mut report = Report::default();
    for (count, most) in [
        (4, 0.5),
        (4, 1e3),
        (1000, 3.0),
        (70_000, 1.0),
        (70_000, 1e4),
    ] {
        let mut p = Graph::new(1);
        let grads = p.slot("grads", &[count], Role::Data);
        let clipped = clip::clip(&mut p, most, grads);
        let p = p.lower(gpu.target());
        let mut pair = Pair::new(gpu, &[&p]);
        let values = uniform(count, 1.0, 5);
        pair.set(&p, "grads", &values);
        let case = format!("{count} gradients, at most {most}");
        pair.run(&mut report, &case, &p, 1, |_| Limit::OfLargest(2e-6));
        let Values::Floats(clipped) = pair.read(&p, clipped) else {
            panic!("gradients are floats");
        };
        let norm =
            |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
        let before = norm(&mut values.iter().map(|v| f64::from(*v)));
        let after = norm(&mut clipped.iter().copied());
        assert!(
            (after - before.min(most)).abs() < 1e-5 * most,
            "{case}: {before} to {after}"
        );
    }
    report.finish(3 * 5);
}

// Outputs near 0, where the normalizer of the continuous Bernoulli is a series, around the end of the
// series at ±0.5, and far out.
pub fn likelihoods_agree_with_their_twins(gpu: &Gpu) {
    let mut report = Report::default();
    let gaussian = |sigmoid_mean, clamped, log_sigma| Head::Gaussian {
        sigmoid_mean,
        clamped,
        log_sigma: LogSigma::Fixed(log_sigma),
    };
    let heads = [
        Head::Bernoulli(true),
        gaussian(false, false, -1.0),
        gaussian(true, true, 0.5),
    ];
    let cases = [
        (1, 1, 4e-3),
        (3, 5, 0.1),
        (7, 130, 1.0),
        (2, 785, 8.0),
        (33, 63, 80.0),
    ];
    for head in heads {
        for (i, (batch, values, limit)) in cases.into_iter().enumerate() {
            let logits = uniform(batch * values, limit, i as u64);
            let x = uniform(batch * values, 0.5, 40).into_iter();
            let x: Vec<f32> = x.map(|v| v + 0.5).collect();
            for plan in likelihoods(gpu, head, 0.25, batch, values) {
                let mut pair = Pair::new(gpu, &[&plan]);
                pair.set(&plan, "logits", &logits);
                pair.set(&plan, "x", &x);
                let case = format!("{batch}×{values} to ±{limit}, {head:?}");
                pair.run(&mut report, &case, &plan, 1, |_| Limit::OfLargest(3e-6));
            }
        }
    }
    report.finish(4 * heads.len() * cases.len());
}

pub fn a_learned_deviation_and_its_gradient_agree_with_their_twins(gpu: &Gpu) {
    let mut report = Report::default();
    for (i, (batch, values)) in [(1, 3), (7, 784), (33, 130)].into_iter().enumerate() {
        let mut p = Graph::new(batch);
        let logits = p.slot("logits", &[batch, values], Role::Data);
        let x = p.slot("x", &[batch, values], Role::Data);
        let log_sigma = LogSigma::Learned(p.slot("log_sigma", &[1], Role::Data));
        let head = Head::Gaussian {
            sigmoid_mean: i == 1,
            clamped: true,
            log_sigma,
        };
        likelihood::loss_and_grad(&mut p, head, 2.0, logits, x);
        let plan = p.lower(gpu.target());
        let mut pair = Pair::new(gpu, &[&plan]);
        pair.set_random(&plan, 1.0, i as u64);
        let case = format!("{batch}×{values}");
        pair.run(&mut report, &case, &plan, 1, |_| Limit::OfLargest(4e-6));
    }
    report.finish(9);
}

pub fn labels_follow_the_features_and_are_dropped_from_their_gradient(gpu: &Gpu) {
    let mut report = Report::default();
    for (i, (batch, features, classes)) in [(1, 1, 1), (7, 70, 10), (65, 2, 130)]
        .into_iter()
        .enumerate()
    {
        let mut p = Graph::new(batch);
        let x = p.slot("features", &[batch, features], Role::Data);
        let indices = p.words("indices", &[batch], Role::Data);
        let labels = input::gather(&mut p, "images", 2 * batch, indices);
        let shifted = input::shift(&mut p, 0.5, x);
        let dy = input::condition(&mut p, "layer", classes, shifted, labels);
        input::uncondition(&mut p, "layer", classes, x, dy);
        let plan = p.lower(gpu.target());
        let mut pair = Pair::new(gpu, &[&plan]);
        pair.set_random(&plan, 1.0, i as u64);
        let labels: Vec<u32> = (0..2 * batch as u32)
            .map(|n| n * 7 % classes as u32)
            .collect();
        pair.set_words(&plan, "images.labels", &labels);
        let order: Vec<u32> = (0..batch as u32)
            .map(|n| 2 * batch as u32 - 1 - n)
            .collect();
        pair.set_words(&plan, "indices", &order);
        let case = format!("{batch}×{features} of {classes}");
        pair.run(&mut report, &case, &plan, 1, |_| Limit::Ulps(1.0));
    }
    report.finish(12);
}
