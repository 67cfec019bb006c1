//! Convolutions for tests: a plan with every kernel of a geometry, and its inputs.

use cvae_gpu::model::params::{self, ParamSpec};
use cvae_gpu::ops::conv::{
    self, Call, Contract, Conv, Epilogue, Padding, Side, Site, Variant, WeightGrad,
};
use cvae_gpu::ops::{Graph, Heuristics, Target, Tiles};
use cvae_gpu::plan::{Caps, Plan, Role};

use super::pair::Pair;

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
    variant != Variant::Thin || conv::choose(&pinned, &spec) == variant
}

/// The epilogue of a kernel: of a forward pass or of an input gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ending {
    /// Adds a bias; optionally applies a ReLU.
    Forward { relu: bool },
    /// Multiplies by the gate, if `gated`.
    Backward { gated: bool },
}

impl Ending {
    pub const ALL: [Self; 4] = [
        Self::Forward { relu: true },
        Self::Backward { gated: true },
        Self::Forward { relu: false },
        Self::Backward { gated: false },
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
            Ending::Forward { relu } => Epilogue::Forward { bias, relu },
            Ending::Backward { gated } => Epilogue::Backward { gate, gated },
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
    pair.set(plan, "params", &super::uniform(arena, 1.0, 77));
    for gate in ["x.gate", "y.gate"] {
        let len = plan[plan.find(gate).expect(gate)].len();
        let relu = super::uniform(len, 1.0, 78).into_iter();
        let relu: Vec<f32> = relu.map(|v| v.max(0.0)).collect();
        pair.set(plan, gate, &relu);
    }
}
