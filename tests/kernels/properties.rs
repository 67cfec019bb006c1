//! Kernels against their twins, and transposes against each other, over random shapes.
//!
//! Shapes are drawn with a fixed seed, so that failures are reproducible; `PROPTEST_CASES` sets the
//! number of cases. A failing case is shrunk before it is shown.
//!
//! Limits follow from the rounding of single precision. In a sum of K products of numbers in (-1, 1),
//! each with an RMS of 1/3, the i-th partial sum has an RMS of √i/3, and each addition rounds it by
//! u/√3 (u = 2⁻²⁴); the total is 0.14·K·u. The products add 0.2·√K·u and the epilogue u. Eight times
//! that bounds every value of every case; the shorter partial sums of tiles and splits are more exact.
//! One omitted product shows as 0.1, which is 1200 times the limit of the longest sums of a
//! convolution, of 48 × 5 × 5 products.

use std::env;

use crate::common::pair::Pair;
use crate::common::report::{Limit, Report};
use crate::common::suite::convolutions::{
    Ending, assert_variant, fill, plan, serves, sizes, target,
};
use crate::common::suite::kernels::sampling;
use crate::common::{gpu, say};
use cvae_gpu::gpu::{Feature, Gpu};
use cvae_gpu::ops::Activation;
use cvae_gpu::ops::conv::Variant;
use cvae_gpu::ops::conv::{Conv, Padding};
use cvae_gpu::ops::dense::Dense;
use cvae_gpu::ops::objective::{Divergence, KlTerm};
use cvae_gpu::plan::Plan;
use cvae_gpu::plan::cpu::Values;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Unit roundoff of single precision.
const U: f64 = 0.5 * f32::EPSILON as f64;

/// Limit of a sum of `terms` products.
fn sum_of(terms: usize) -> Limit {
    let terms = terms as f64;
    Limit::Each {
        relative: 2.0 * U,
        absolute: 8.0 * U * (0.14 * terms + 0.2 * terms.sqrt() + 1.0),
    }
}

/// A generator that gives the same cases on every machine; another seed gives others.
pub fn runner(seed: u8, cases: u32) -> TestRunner {
    let asked = env::var("PROPTEST_CASES").ok();
    let asked = asked.map(|v| v.parse().expect("PROPTEST_CASES is a number"));
    let config = Config {
        cases: asked.unwrap_or(cases),
        failure_persistence: None,
        // Each shrinking step compiles kernels.
        max_shrink_iters: 60,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    TestRunner::new_with_rng(config, rng)
}

/// Runs `check`, which panics if the property does not hold, on cases of `strategy`.
pub fn hold<S: Strategy>(seed: u8, cases: u32, strategy: &S, check: impl Fn(S::Value)) {
    let result = runner(seed, cases).run(strategy, |case| {
        check(case);
        Ok(())
    });
    if let Err(e) = result {
        panic!("on {}: {e}", crate::common::adapter_name());
    }
}

fn device(checked: bool) -> &'static Gpu {
    if checked {
        crate::common::checked_gpu()
    } else {
        gpu()
    }
}

const BATCHES: [usize; 4] = [1, 2, 31, 33];

#[derive(Clone, Debug)]
struct Convolution {
    batch: usize,
    big: [usize; 3],
    channels: usize,
    kernel: usize,
    stride: usize,
    padding: Padding,
    ending: Ending,
    software: bool,
    checked: bool,
    seed: u64,
}

impl Convolution {
    fn spec(&self) -> Conv {
        Conv::new(
            self.big,
            self.channels,
            self.kernel,
            self.stride,
            self.padding,
        )
    }
}

/// Most multiply-adds of a case; the CPU twins compute them one by one.
const LARGEST: usize = 16_000_000;

/// Geometries that the variant serves; for the plain variant sometimes any geometry.
fn convolutions(variant: Variant) -> impl Strategy<Value = Convolution> {
    let (big, small): (&[usize], &[usize]) = match variant {
        Variant::Plain => (&[1, 3, 5, 32, 33, 48], &[1, 3, 5, 32, 33, 48]),
        Variant::Thin => (&[1, 2, 3], &[4, 12, 20, 32, 48]),
        Variant::Tile | Variant::Workgroup => (&[4, 12, 20, 32, 48], &[4, 12, 20, 32, 48]),
        Variant::Broadcast => (&[16, 24, 32, 40, 48], &[16, 24, 32, 40, 48]),
    };
    let shape = (
        select(&BATCHES[..]),
        5..=33usize,
        5..=33usize,
        select(big),
        select(small),
        select(&[3, 5][..]),
        1..=2usize,
        select(&[Padding::Valid, Padding::Same][..]),
    );
    let flags = (
        // Half of the cases, and some of the others, are transposes of each other.
        prop_oneof![Just(LINEAR), select(&Ending::ALL[..4])],
        any::<[bool; 2]>(),
        0..1000u64,
    );
    let case = move |(shape, (ending, flags, seed))| {
        let (batch, height, width, big, small, kernel, stride, padding) = shape;
        let [software, checked] = flags;
        let (width, big) = match variant {
            // Rows of whole quads; taps and channels within the unrolling limit.
            Variant::Thin if kernel == 5 => (usize::next_multiple_of(width, 4), 1),
            Variant::Thin => (usize::next_multiple_of(width, 4), big),
            _ => (width, big),
        };
        // Such a convolution is thin when turned.
        let (big, small) = match (variant, stride, padding) {
            (Variant::Thin, 1, Padding::Same) if seed % 2 == 0 => (small, 1),
            _ => (big, small),
        };
        Convolution {
            batch,
            big: [height, width, big],
            channels: small,
            kernel,
            stride,
            padding,
            ending,
            software,
            checked,
            seed,
        }
    };
    let cases = (shape, flags).prop_map(case);
    cases.prop_filter("too large for the twins", |case| {
        let spec = case.spec();
        case.batch * spec.small_pixels() * spec.weights() <= LARGEST
    })
}

fn floats(pair: &Pair, plan: &Plan, name: &str) -> Vec<f64> {
    match pair.read(plan, plan.find(name).expect(name)) {
        Values::Floats(values) => values,
        Values::Words(_) => panic!("`{name}` holds integers"),
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The epilogue without bias and gate, with which the kernels are transposes of each other.
const LINEAR: Ending = Ending::Backward(Activation::None);

/// ⟨conv x, y⟩ = ⟨x, convᵀ y⟩ = ⟨w, dw⟩, for the results of the device. The errors of the N values of
/// an inner product are independent, so its error grows with √N.
fn transposes(report: &mut Report, case: &str, pair: &Pair, plan: &Plan, spec: &Conv) {
    let read = |name| floats(pair, plan, name);
    let (x, y, w) = (read("x"), read("y"), read("conv.kernel"));
    let (conv, adjoint) = (read("Correlate"), read("Adjoint"));
    let dw = read("conv kernel gradient");
    let taps = spec.kernel * spec.kernel;
    let error = |terms: usize, of: &[f64]| terms as f64 * (of.len() as f64).sqrt();
    let across = error(taps * spec.big[2], &conv) + error(taps * spec.small[2], &adjoint);
    let along = error(plan.batch * spec.small_pixels(), &dw);
    let limit = Limit::Each {
        relative: 4.0 * U,
        absolute: U * (across + along),
    };
    let [left, right, weights] = [dot(&conv, &y), dot(&x, &adjoint), dot(&w, &dw)];
    report.floats(case, "⟨x, convᵀ y⟩", &[right], &[left], limit);
    report.floats(case, "⟨w, dw⟩", &[weights], &[left], limit);
}

fn check_convolution(variant: Variant, texels: bool, case: &Convolution) {
    let spec = case.spec();
    let gpu = device(case.checked);
    let shape = (
        case.batch,
        case.big,
        case.channels,
        case.kernel,
        case.stride,
        case.padding,
    );
    if !serves(gpu.target(), variant, shape) {
        return say(&format!(
            "{variant:?} of {shape:?} is not tested: this adapter would not take it"
        ));
    }
    let sizes = sizes(variant);
    let tiles = sizes[case.seed as usize % sizes.len()];
    let target = target(gpu.target(), variant, texels, tiles, case.software);
    let plan = plan(shape, &target, case.ending);
    assert_variant(&plan, &target, variant, texels, shape);
    let mut pair = Pair::new(gpu, &[&plan]);
    fill(&mut pair, &plan, case.seed);
    let mut report = Report::default();
    let name = format!("{case:?}");
    let taps = case.kernel * case.kernel;
    let limit = |slot: &str| match slot {
        _ if slot.starts_with("Correlate") => sum_of(taps * case.big[2]),
        _ if slot.starts_with("Adjoint") => sum_of(taps * case.channels),
        _ => sum_of(case.batch * spec.small_pixels()),
    };
    pair.run(&mut report, &name, &plan, 1, limit);
    if case.ending == LINEAR {
        transposes(&mut report, &name, &pair, &plan, &spec);
    }
    report.finish(4);
}

/// Cases of a variant in each memory. Each case compiles three kernels; thin ones take several times as
/// long.
fn count(variant: Variant) -> u32 {
    if variant == Variant::Thin { 1 } else { 3 }
}

fn seed(variant: Variant, texels: bool) -> u8 {
    let index = Variant::ALL.iter().position(|v| *v == variant);
    2 * index.expect("a variant") as u8 + u8::from(texels)
}

fn convolutions_hold(variant: Variant, texels: bool) {
    if texels
        && crate::common::selection()
            .disable
            .contains(&Feature::Texels)
    {
        return say("convolutions in textures are not tested: CVAE_GPU_DISABLE has texels");
    }
    if variant == Variant::Broadcast && gpu().caps().subgroup_min < 8 {
        let name = crate::common::adapter_name();
        return say(&format!(
            "conv_broadcast is not tested: {name} has no subgroups of 8 or more"
        ));
    }
    hold(
        seed(variant, texels),
        count(variant),
        &convolutions(variant),
        |case| check_convolution(variant, texels, &case),
    );
}

#[test]
fn plain_convolutions_of_any_shape_are_right_and_transposes_of_each_other() {
    convolutions_hold(Variant::Plain, false);
}

#[test]
fn thin_convolutions_of_any_shape_are_right_and_transposes_of_each_other() {
    convolutions_hold(Variant::Thin, false);
}

#[test]
fn thin_convolutions_in_textures_are_right_and_transposes_of_each_other() {
    convolutions_hold(Variant::Thin, true);
}

#[test]
fn tile_convolutions_of_any_shape_are_right_and_transposes_of_each_other() {
    convolutions_hold(Variant::Tile, false);
}

#[test]
fn tile_convolutions_in_textures_are_right_and_transposes_of_each_other() {
    convolutions_hold(Variant::Tile, true);
}

#[test]
fn broadcast_convolutions_of_any_shape_are_right_and_transposes_of_each_other() {
    convolutions_hold(Variant::Broadcast, false);
}

#[test]
fn broadcast_convolutions_in_textures_are_right_and_transposes_of_each_other() {
    convolutions_hold(Variant::Broadcast, true);
}

#[test]
fn workgroup_convolutions_of_any_shape_are_right_and_transposes_of_each_other() {
    convolutions_hold(Variant::Workgroup, false);
}

// Needs no GPU: the few cases still cover every value of each dimension.
#[test]
fn the_drawn_convolutions_meet_every_batch_kernel_stride_and_padding_with_and_without_checks() {
    let mut cases = Vec::new();
    for variant in Variant::ALL {
        let mut of_variant = Vec::new();
        for texels in [false, true] {
            let mut runner = runner(seed(variant, texels), 0);
            let strategy = convolutions(variant);
            let draw = |_| strategy.new_tree(&mut runner).expect("a case").current();
            of_variant.extend((0..count(variant)).map(draw));
        }
        let transposed = of_variant.iter().any(|c| c.ending == LINEAR);
        assert!(
            transposed,
            "{variant:?} is never compared with its transpose"
        );
        cases.append(&mut of_variant);
    }
    for (batch, kernel, stride) in [(1, 3, 1), (2, 3, 2), (31, 5, 1), (33, 5, 2)] {
        assert!(cases.iter().any(|c| c.batch == batch), "batch {batch}");
        let both = |c: &&Convolution| c.kernel == kernel && c.stride == stride;
        for padding in [Padding::Valid, Padding::Same] {
            let mut those = cases.iter().filter(both);
            let padded = those.any(|c| c.padding == padding);
            assert!(padded, "kernel {kernel}, stride {stride}, {padding:?}");
        }
    }
    for ending in &Ending::ALL[..4] {
        assert!(cases.iter().any(|c| c.ending == *ending), "{ending:?}");
    }
    for on in [false, true] {
        assert!(cases.iter().any(|c| c.software == on), "software {on}");
        assert!(cases.iter().any(|c| c.checked == on), "checked {on}");
    }
}

#[test]
fn dense_layers_of_any_shape_are_right() {
    let features = || select(&[1, 3, 5, 32, 33, 48, 127, 128, 129, 200][..]);
    let case = (
        (select(&BATCHES[..]), features(), features()),
        (
            select(&Activation::ALL[..]),
            select(&Activation::ALL[..]),
            any::<bool>(),
        ),
        0..1000u64,
    );
    hold(
        20,
        10,
        &case,
        |((batch, inputs, outputs), options, seed)| {
            let (forward, backward, checked) = options;
            let gpu = device(checked);
            let plan = crate::common::dense::plan(
                gpu.target(),
                batch,
                Dense { inputs, outputs },
                forward,
                backward,
            );
            let mut pair = Pair::new(gpu, &[&plan]);
            crate::common::dense::fill(&mut pair, &plan, seed);
            let mut report = Report::default();
            let name = format!("{batch}×{inputs} to {outputs}, {options:?}");
            let limit = |slot: &str| match slot {
                "y" => sum_of(inputs),
                "dx" => sum_of(outputs),
                _ => sum_of(batch),
            };
            pair.run(&mut report, &name, &plan, 1, limit);
            report.finish(4);
        },
    );
}

// Standard deviations are within e^±2. WGSL bounds the error of exp(x) by 3 + 2·|x| ULP, which is 1e-6
// for the deviation and 1.5e-6 for the variance; noise of up to 4 carries it into z and its gradient.
// A wrong formula shows at the size of the values.
#[test]
fn samples_of_any_latent_size_and_their_gradients_are_right() {
    let case = (
        select(&BATCHES[..]),
        1..=64usize,
        any::<[bool; 2]>(),
        0..1000u64,
    );
    hold(21, 10, &case, |(batch, latent, flags, seed)| {
        let [analytic, checked] = flags;
        let kl_term = KlTerm {
            form: match analytic {
                true => Divergence::Analytic,
                false => Divergence::MonteCarlo,
            },
            beta: [0.0, 0.5, 1.0, 2.0][seed as usize % 4],
            ..KlTerm::PLAIN
        };
        let gpu = device(checked);
        let p = sampling(gpu, batch, latent, kl_term);
        let mut pair = Pair::new(gpu, &[&p]);
        pair.set_random(&p, 4.0, seed);
        let mut report = Report::default();
        let name = format!("{batch}×{latent} {kl_term:?}, checked {checked}");
        let sd = 2f64.exp();
        let z = 4.0 * 1e-6 * sd;
        // z − mean has an error of one ULP of the mean, 5e-7. Dividing by a small deviation magnifies
        // it; the result is squared.
        let square = 2.0 * 4.0 * 5e-7 * sd + 16.0 * 1.5e-6;
        let limit = |slot: &str| Limit::Each {
            relative: 3e-6,
            absolute: match slot {
                "z" => z,
                "dq" => z * (1.0 + 2.0 * sd),
                _ => latent as f64 * 0.5 * square,
            },
        };
        pair.run(&mut report, &name, &p, 1, limit);
        report.finish(5);
    });
}
