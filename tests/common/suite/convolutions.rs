//! Every convolution kernel against its twin, over geometries that reach each edge of its tiles.
//!
//! Limits are 4e-6 of the largest value of a slot. The sums have up to 2304 terms in (-1, 1). Single
//! precision gives errors of about 1e-6 of the largest value; one term omitted or added twice gives
//! 1e-3 and more.

use cvae_gpu::gpu::{Feature, Gpu};
use cvae_gpu::model::params::{self, ParamSpec};
use cvae_gpu::ops::conv::{
    self, Call, Contract, Conv, Epilogue, Padding, Side, Site, Variant, WeightGrad,
};
use cvae_gpu::ops::{Activation, Graph, Heuristics, Target, Tiles};
use cvae_gpu::plan::{Caps, Plan, Role};

use crate::common::pair::Pair;
use crate::common::report::{Limit, Report};
use crate::common::{self, say};

/// Batch; height, width and channels of the big image; channels of the small one; kernel,
/// stride, padding.
pub type Shape = (usize, [usize; 3], usize, usize, usize, Padding);

/// Tile sizes of a variant, the default first.
pub fn sizes(variant: Variant) -> &'static [Tiles] {
    match variant {
        Variant::Broadcast | Variant::Workgroup => &[Tiles::Medium, Tiles::Large, Tiles::Small],
        Variant::Plain | Variant::Thin | Variant::Tile => &[Tiles::Medium],
    }
}

/// A target that uses this variant, with textures or buffers, tiles of this size, and the heuristics of
/// a CPU or a GPU.
pub fn target(
    base: &Target,
    variant: Variant,
    texels: bool,
    tiles: Tiles,
    software: bool,
) -> Target {
    let caps = Caps {
        software: software || variant == Variant::Broadcast,
        ..base.caps.clone()
    };
    let own = base.heuristics;
    Target {
        heuristics: Heuristics {
            texels,
            tiles,
            fuse: own.fuse,
            // With so few groups tiles never shrink.
            groups: if variant == Variant::Workgroup {
                4
            } else {
                own.groups
            },
            ..Heuristics::of(&caps)
        },
        caps,
        pinned: Some(variant.name()),
    }
}

/// Whether an adapter runs a geometry by this variant. SwiftShader takes minutes to compile some thin
/// kernels and never uses them.
pub fn serves(adapter: &Target, variant: Variant, shape: Shape) -> bool {
    let (_, big, channels, kernel, stride, padding) = shape;
    let pinned = Target {
        pinned: Some(variant.name()),
        ..adapter.clone()
    };
    let spec = Conv::new(big, channels, kernel, stride, padding);
    variant != Variant::Thin
        || conv::choose(&pinned, &spec) == variant
        || conv::turned(&pinned, &spec).is_some()
}

/// The epilogue of a kernel: of a forward pass or of an input gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ending {
    /// Adds a bias and applies the activation.
    Forward(Activation),
    /// Multiplies by the derivative of the activation whose output is the gate.
    Backward(Activation),
}

impl Ending {
    /// Every ending; the first four have a ReLU or nothing.
    pub const ALL: [Self; 12] = [
        Self::Forward(Activation::Relu),
        Self::Backward(Activation::Relu),
        Self::Forward(Activation::None),
        Self::Backward(Activation::None),
        Self::Forward(Activation::LeakyRelu),
        Self::Backward(Activation::Tanh),
        Self::Forward(Activation::Elu),
        Self::Backward(Activation::LeakyRelu),
        Self::Forward(Activation::Sigmoid),
        Self::Backward(Activation::Elu),
        Self::Forward(Activation::Tanh),
        Self::Backward(Activation::Sigmoid),
    ];
}

/// The three kernels of a geometry, and the gradients of both layers that use it. The weights start
/// inside an arena, as in a model.
pub fn plan(shape: Shape, target: &Target, ending: Ending) -> Plan {
    let (batch, big, channels, kernel, stride, padding) = shape;
    let spec = Conv::new(big, channels, kernel, stride, padding);
    let mut p = Graph::new(batch);
    let tensors = [
        ParamSpec::bias("other", 70),
        ParamSpec::kernel("conv", &spec.weight_shape()),
        ParamSpec::bias("small", channels),
        ParamSpec::bias("big", big[2]),
    ];
    params::declare(&mut p, &tensors);
    let of = |size: [usize; 3]| [batch, size[0], size[1], size[2]];
    let mut image = |name: &str, size| p.slot(name, &of(size), Role::Data);
    let (x, x_gate) = (image("x", big), image("x.gate", big));
    let (y, y_gate) = (image("y", spec.small), image("y.gate", spec.small));
    let param = |p: &Graph, name: &str| p.find(name).expect(name);
    let weights = param(&p, "conv.kernel");
    for (call, input, bias, gate) in [
        (Call::Correlate, x, "small.bias", y_gate),
        (Call::Adjoint, y, "big.bias", x_gate),
    ] {
        let bias = param(&p, bias);
        let epilogue = match ending {
            Ending::Forward(activation) => Epilogue::Forward { bias, activation },
            Ending::Backward(activation) => Epilogue::Backward { gate, activation },
        };
        let label = format!("{call:?}");
        let size = if call == Call::Correlate {
            spec.small
        } else {
            big
        };
        let y = p.slot(label.clone(), &of(size), Role::Activation);
        p.push(Contract {
            label,
            spec,
            call,
            x: input,
            weights,
            epilogue,
            y,
        });
    }
    for (layer, dy, bias) in [
        ("conv", Side::Small, channels),
        ("deconv", Side::Big, big[2]),
    ] {
        let mut gradient = |what: &str, shape: &[usize]| {
            p.slot(format!("{layer} {what} gradient"), shape, Role::Activation)
        };
        let of = WeightGrad {
            layer: layer.into(),
            spec,
            big: x,
            small: y,
            dy,
            weights_grad: gradient("kernel", &spec.weight_shape()),
            bias_grad: gradient("bias", &[bias]),
        };
        p.push(of);
    }
    p.lower(target)
}

/// Asserts that all kernels of the plan are of that variant. Exception: `tile` computes the weight
/// gradient of a transposed layer whose taps do not reach every pixel of its output.
pub fn assert_variant(plan: &Plan, target: &Target, variant: Variant, texels: bool, shape: Shape) {
    let (batch, big, channels, kernel, stride, padding) = shape;
    let site = Site {
        target,
        spec: Conv::new(big, channels, kernel, stride, padding),
        batch,
    };
    let module = |variant: Variant| {
        let kernels = variant.kernels();
        kernels.source(&site, Call::Correlate, texels).name
    };
    let mut wanted = vec![module(variant)];
    if variant == Variant::Broadcast && padding == Padding::Valid {
        wanted.push(module(Variant::Tile));
    }
    let found = plan.variants();
    assert_eq!(found[0], wanted[0], "{shape:?}");
    assert!(
        found.iter().all(|module| wanted.contains(module)),
        "{shape:?}: {found:?}"
    );
}

/// Inputs and weights in (-1, 1); gates are ReLU outputs, half of them 0.
pub fn fill(pair: &mut Pair, plan: &Plan, seed: u64) {
    pair.set_random(plan, 1.0, seed);
    let arena = plan[plan.find("params").expect("params")].len();
    pair.set(plan, "params", &common::uniform(arena, 1.0, 77));
    for gate in ["x.gate", "y.gate"] {
        let len = plan[plan.find(gate).expect(gate)].len();
        let relu = common::uniform(len, 1.0, 78).into_iter();
        let relu: Vec<f32> = relu.map(|v| v.max(0.0)).collect();
        pair.set(plan, gate, &relu);
    }
}

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
    // turned: one small channel at stride 1
    (3, [9, 12, 20], 1, 5, 1, Padding::Valid),
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

/// Number of a variant's shapes that also run with the other memory, one for each of the first endings.
/// The compilation of each kernel dominates the time of these tests.
const ELSEWHERE: usize = 4;

/// Number of those that also run with other tile sizes.
const OTHER_SIZES: usize = 2;

/// The epilogue of case `i`.
pub fn ending(i: usize) -> Ending {
    Ending::ALL[i % 12]
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
        let most = match (size, own) {
            (0, true) => usize::MAX,
            (0, false) => ELSEWHERE,
            _ => OTHER_SIZES,
        };
        if i >= most {
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
    let plan = plan(shape, &target, Ending::Forward(Activation::None));
    let correlate = &plan.steps()[0];
    assert_eq!(correlate.grid[1], 2, "{:?}", correlate.grid);
    let mut pair = Pair::new(gpu, &[&plan]);
    pair.set_random(&plan, 1.0, 5);
    let mut report = Report::default();
    pair.run(&mut report, "17 images of 64×64×32", &plan, 1, |_| LIMIT);
    report.finish(3);
}

// The tables above cover every kernel, with and without a ReLU. All share the code of the activations.
pub fn the_cases_reach_every_kernel_with_every_ending() {
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
    let entries = common::entry_points().into_iter();
    for (module, entry) in entries.filter(|(m, _)| m.starts_with("conv")) {
        let forward = matches!(entry, "correlate" | "adjoint");
        let plain = [Activation::None, Activation::Relu];
        let endings = match entry {
            gradient if gradient.starts_with("weight_grad") => vec![None],
            _ if forward => plain.map(|a| Some(Ending::Forward(a))).to_vec(),
            _ => plain.map(|a| Some(Ending::Backward(a))).to_vec(),
        };
        for ending in endings {
            let wanted = (module, entry, ending);
            assert!(reached.contains(&wanted), "no case reaches {wanted:?}");
        }
    }
}
