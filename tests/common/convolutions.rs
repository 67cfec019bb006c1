//! Convolutions for tests: every kernel of one geometry in a plan, and what to put into it.

use cvae_gpu::model::params::{self, ParamSpec};
use cvae_gpu::ops::conv::{self, Call, Conv, Epilogue, Padding, Side, WeightGrad};
use cvae_gpu::plan::{Caps, Plan, Role, Tiles, Variant};

use super::pair::Pair;

/// Batch; height, width and channels of the big image; channels of the small one; kernel,
/// stride, padding.
pub type Shape = (usize, [usize; 3], usize, usize, usize, Padding);

/// Sizes of tiles that a variant comes in, the most usual first.
pub fn sizes(variant: Variant) -> &'static [Tiles] {
    match variant {
        Variant::Broadcast | Variant::Workgroup => &[Tiles::Medium, Tiles::Large, Tiles::Small],
        Variant::Plain | Variant::Thin | Variant::Tile => &[Tiles::Medium],
    }
}

pub fn caps(base: &Caps, variant: Variant, texels: bool, tiles: Tiles, software: bool) -> Caps {
    Caps {
        texels,
        software: software || variant == Variant::Broadcast,
        tiles,
        pinned: Some(variant),
        // Its tiles are then of the size asked for, however few they are.
        groups: if variant == Variant::Workgroup {
            4
        } else {
            base.groups
        },
        ..base.clone()
    }
}

/// Whether an adapter would run a geometry by that variant. SwiftShader takes minutes to compile
/// some thin kernels, and never meets them.
pub fn serves(adapter: &Caps, variant: Variant, shape: Shape) -> bool {
    let (_, big, channels, kernel, stride, padding) = shape;
    let pinned = Caps {
        pinned: Some(variant),
        ..adapter.clone()
    };
    let spec = Conv::new(big, channels, kernel, stride, padding);
    variant != Variant::Thin || conv::choose(&pinned, &spec) == variant
}

/// What a kernel does with its sums: a layer's activation, or the gradient of what fed it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ending {
    /// Adds a bias; then a ReLU, or none.
    Forward { relu: bool },
    /// Passes where the gate is open, or everywhere.
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

/// The three kernels of one geometry, and the gradients of both layers that it serves. The weights start inside an arena, as
/// a model's do.
pub fn plan(shape: Shape, caps: Caps, ending: Ending) -> Plan {
    let (batch, big, channels, kernel, stride, padding) = shape;
    let spec = Conv::new(big, channels, kernel, stride, padding);
    let mut p = Plan::new(batch, caps);
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
    let param = |p: &Plan, name: &str| p.find(name).expect(name);
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
        let name = format!("{call:?}");
        conv::contract(
            &mut p,
            name.clone(),
            name,
            spec,
            call,
            input,
            weights,
            epilogue,
        );
    }
    for (layer, dy, bias) in [
        ("conv", Side::Small, channels),
        ("deconv", Side::Big, big[2]),
    ] {
        let mut gradient = |what: &str, shape: &[usize]| {
            p.slot(format!("{layer} {what} gradient"), shape, Role::Activation)
        };
        let of = WeightGrad {
            big: x,
            small: y,
            dy,
            weights_grad: gradient("kernel", &spec.weight_shape()),
            bias_grad: gradient("bias", &[bias]),
        };
        conv::weight_grad(&mut p, layer, spec, of);
    }
    p
}

/// All kernels of the plan are of that variant, but that a tile takes the gradient of a transposed
/// layer whose taps do not meet all pixels of its output.
pub fn assert_variant(plan: &Plan, variant: Variant, texels: bool, shape: Shape) {
    let module = |variant| conv::module(variant, texels, plan.caps.tiles);
    let mut wanted = vec![module(variant)];
    if variant == Variant::Broadcast && shape.5 == Padding::Valid {
        wanted.push(module(Variant::Tile));
    }
    let found = plan.variants();
    assert_eq!(found[0], wanted[0], "{shape:?}");
    assert!(
        found.iter().all(|module| wanted.contains(module)),
        "{shape:?}: {found:?}"
    );
}

/// Inputs and weights in (-1, 1); gates as ReLUs leave them, half of them closed.
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
