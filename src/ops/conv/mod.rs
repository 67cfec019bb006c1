//! Convolution and transposed convolution: choice of variant, steps and twins.
//!
//! Three kernels serve both layers. In Keras layouts `conv2d_transpose(x, W)` *is* the input
//! gradient of `conv2d` with the same `W`, so a convolution runs (correlate, adjoint,
//! weight_grad) and a transposed convolution (adjoint, correlate, weight_grad with x and dy
//! swapped). Formulas and layouts stand at the head of `shaders/conv.wgsl`.

pub mod broadcast;
mod gradient;
mod spec;
pub mod thin;
pub mod tile;
pub mod workgroup;

pub use gradient::{WeightGrad, weight_grad};
pub use spec::{Conv, Padding, Side};

use super::{flag, kernel};
use crate::plan::tensors::Tensors;
use crate::plan::{Caps, Plan, Role, SlotId, Step, Tiles, Variant, groups};

/// A kernel call whose grid depends on the variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// From big to small.
    Correlate,
    /// From small to big.
    Adjoint,
    /// Weight gradient in so many partial sums.
    WeightGrad(usize),
}

/// What follows the sum.
#[derive(Clone, Copy, Debug)]
pub enum Epilogue {
    /// Add the bias; then ReLU, if asked.
    Forward {
        /// One per output channel.
        bias: SlotId,
        /// Apply a ReLU.
        relu: bool,
    },
    /// Multiply by the derivative of the ReLU whose output `gate` is.
    Backward {
        /// Same shape as the output.
        gate: SlotId,
        /// False where the gate is no ReLU's output: the gradient passes as it is.
        gated: bool,
    },
}

/// The variant for a geometry. Pure, so that a table can test it.
///
/// A pinned variant is taken where it can serve the geometry, and the plain one elsewhere.
pub fn choose(caps: &Caps, spec: &Conv) -> Variant {
    let fits = |variant: Variant| match variant {
        Variant::Plain => true,
        Variant::Thin => thin::fits(caps, spec),
        Variant::Tile => tile::fits(spec),
        Variant::Broadcast => broadcast::fits(caps, spec),
        Variant::Workgroup => workgroup::fits(caps, spec),
    };
    if let Some(pinned) = caps.pinned {
        let fallbacks = [pinned, Variant::Thin, Variant::Plain];
        let take = if pinned == Variant::Plain { 0..1 } else { 0..3 };
        return fallbacks[take]
            .iter()
            .copied()
            .find(|v| fits(*v))
            .unwrap_or(Variant::Plain);
    }
    // To a CPU that plays a GPU all memory is alike, and a load costs more than the arithmetic it
    // feeds. GPUs have fast memory in each workgroup.
    let first = if caps.software {
        Variant::Broadcast
    } else {
        Variant::Workgroup
    };
    [first, Variant::Tile, Variant::Thin]
        .into_iter()
        .find(|v| fits(*v))
        .unwrap_or(Variant::Plain)
}

/// The module of a variant, which reads images from buffers or from textures, and has tiles of that
/// size where it comes in several.
pub fn module(variant: Variant, texels: bool, tiles: Tiles) -> &'static str {
    match (variant, texels) {
        (Variant::Plain, _) => "conv",
        (Variant::Thin, false) => "conv_thin",
        (Variant::Thin, true) => "conv_thin_texels",
        (Variant::Tile, false) => "conv_tile",
        (Variant::Tile, true) => "conv_tile_texels",
        (Variant::Broadcast, false) => "conv_broadcast",
        (Variant::Broadcast, true) => "conv_broadcast_texels",
        (Variant::Workgroup, _) => workgroup::module(tiles),
    }
}

fn grid(caps: &Caps, variant: Variant, spec: &Conv, batch: usize, call: Call) -> [u32; 3] {
    match variant {
        Variant::Plain => plain_grid(spec, batch, call),
        Variant::Thin => thin::grid(caps, spec, batch, call),
        Variant::Tile => tile::grid(spec, batch, call),
        Variant::Broadcast => broadcast::grid(caps, spec, batch, call),
        Variant::Workgroup => {
            let tiles = workgroup::tiles(caps, spec, batch, call);
            workgroup::grid(tiles, spec, batch, call)
        }
    }
}

fn plain_grid(spec: &Conv, batch: usize, call: Call) -> [u32; 3] {
    const ROW: u32 = 32_768;
    let outputs = match call {
        Call::Correlate => batch * spec.small.iter().product::<usize>(),
        Call::Adjoint => batch * spec.big.iter().product::<usize>(),
        Call::WeightGrad(splits) => return [groups(spec.weights(), 64), groups(splits, 1), 1],
    };
    let all = groups(outputs, 64);
    [all.min(ROW), all.div_ceil(ROW), 1]
}

fn constants(spec: &Conv, batch: usize) -> Vec<(&'static str, f64)> {
    [
        ("BATCH", batch),
        ("KERNEL", spec.kernel),
        ("STRIDE", spec.stride),
        ("PAD_Y", spec.pad[0]),
        ("PAD_X", spec.pad[1]),
        ("BIG_H", spec.big[0]),
        ("BIG_W", spec.big[1]),
        ("BIG_C", spec.big[2]),
        ("SMALL_H", spec.small[0]),
        ("SMALL_W", spec.small[1]),
        ("SMALL_C", spec.small[2]),
    ]
    .map(|(name, value)| (name, value as f64))
    .to_vec()
}

/// How the kernel of a geometry sees its operands.
#[derive(Clone, Copy, Debug)]
struct Kit {
    variant: Variant,
    /// Images are read from their mirrors, except the pictures that a thin kernel makes.
    texels: bool,
}

impl Kit {
    fn new(caps: &Caps, spec: &Conv) -> Self {
        let variant = choose(caps, spec);
        Kit {
            variant,
            texels: caps.texels && !matches!(variant, Variant::Plain | Variant::Workgroup),
        }
    }

    /// The module that computes a call.
    fn module(self, caps: &Caps, spec: &Conv, batch: usize, call: Call) -> &'static str {
        let tiles = workgroup::tiles(caps, spec, batch, call);
        module(self.variant, self.texels, tiles)
    }

    /// `slot` where the kernel wants it.
    fn place(plan: &mut Plan, slot: SlotId, texels: bool) -> SlotId {
        if texels { plan.mirror(slot) } else { slot }
    }

    /// Constants that not all variants have.
    fn constants(
        self,
        caps: &Caps,
        spec: &Conv,
        batch: usize,
        call: Call,
        weights_at: usize,
    ) -> Vec<(&'static str, f64)> {
        let mut constants = Vec::new();
        if self.variant != Variant::Plain {
            constants.push(("WEIGHTS_AT", (weights_at / 4) as f64));
        }
        if self.variant == Variant::Broadcast {
            constants.extend(broadcast::constants(caps, spec, call));
        }
        if self.variant == Variant::Thin {
            constants.push(("BAND", thin::band(caps, spec, batch) as f64));
        }
        constants
    }

    /// What belongs to a picture that a thin kernel makes lies in buffers, under other names.
    fn picture(self, name: &'static str) -> &'static str {
        match (self.variant, name) {
            (Variant::Thin, "big_out") => "picture_out",
            (Variant::Thin, "gate") => "picture_gate",
            (Variant::Thin, "bias") => "bias_values",
            _ => name,
        }
    }

    /// Weights as the kernel wants them: bound slot and first element. It is the whole arena that
    /// has a mirror.
    fn weights(self, plan: &mut Plan, weights: SlotId) -> (SlotId, usize) {
        match plan[weights].view_of {
            _ if !self.texels => (weights, 0),
            Some((arena, offset)) => (plan.mirror(arena), offset),
            None => (plan.mirror(weights), 0),
        }
    }
}

/// Images of a slot.
fn images(plan: &Plan, slot: SlotId, shape: [usize; 3]) -> usize {
    plan[slot].len() / shape.iter().product::<usize>()
}

/// Appends `name` = correlate(x) or adjoint(x) with its epilogue, and gives its slot
/// `[images, height, width, channels]`. `call` is not `WeightGrad`.
#[expect(clippy::too_many_arguments, reason = "the operands of one kernel call")]
pub fn contract(
    plan: &mut Plan,
    label: String,
    name: String,
    spec: Conv,
    call: Call,
    x: SlotId,
    weights: SlotId,
    epilogue: Epilogue,
) -> SlotId {
    let kit = Kit::new(&plan.caps, &spec);
    let to_small = call == Call::Correlate;
    let batch = images(plan, x, if to_small { spec.big } else { spec.small });
    let (input, output, result) = if to_small {
        ("big", spec.small, "small_out")
    } else {
        ("small", spec.big, kit.picture("big_out"))
    };
    let makes_picture = !to_small && kit.variant == Variant::Thin;
    let side = |name| if to_small { name } else { kit.picture(name) };
    let x = Kit::place(plan, x, kit.texels);
    let (weights, weights_at) = kit.weights(plan, weights);
    let (extra, relu, gated) = match epilogue {
        Epilogue::Forward { bias, relu } => ((side("bias"), bias), relu, false),
        Epilogue::Backward { gate, gated } => (
            (
                side("gate"),
                Kit::place(plan, gate, kit.texels && !makes_picture),
            ),
            false,
            gated,
        ),
    };
    let shape = [batch, output[0], output[1], output[2]];
    let y = plan.slot(name, &shape, Role::Activation);
    let forward = matches!(epilogue, Epilogue::Forward { .. });
    let entry = match (to_small, forward) {
        (true, true) => "correlate",
        (true, false) => "correlate_gated",
        (false, true) => "adjoint",
        (false, false) => "adjoint_gated",
    };
    let mut constants = constants(&spec, batch);
    constants.extend([
        ("RELU", flag(relu)),
        ("GATED", flag(gated)),
        ("SPLITS", 1.0),
    ]);
    constants.extend(kit.constants(&plan.caps, &spec, batch, call, weights_at));
    let twin = move |t: &Tensors| {
        let (x, w) = (t.floats(input), t.floats("weights"));
        let w = &w[weights_at..][..spec.weights()];
        let mut y = t.floats_mut(result);
        y.fill(0.0);
        if to_small {
            spec.correlate(batch, &x, w, &mut y);
        } else {
            spec.adjoint(batch, &x, w, &mut y);
        }
        finish(&t.floats(extra.0), forward, relu, gated, &mut y);
    };
    plan.push(Step {
        label,
        kernel: kernel(
            kit.module(&plan.caps, &spec, batch, call),
            entry,
            &constants,
            twin,
        ),
        bindings: vec![(input, x), ("weights", weights), extra, (result, y)],
        grid: grid(&plan.caps, kit.variant, &spec, batch, call),
        flops: batch as u64 * spec.flops(),
    });
    y
}

/// The epilogue on the CPU; `extra` is the bias or the gate.
fn finish(extra: &[f64], forward: bool, relu: bool, gated: bool, y: &mut [f64]) {
    for (i, value) in y.iter_mut().enumerate() {
        if forward {
            *value += extra[i % extra.len()];
        }
        if relu && *value < 0.0 || gated && extra[i] <= 0.0 {
            *value = 0.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_are_chosen_by_channels_and_subgroups() {
        let portable = Caps::portable();
        let lavapipe = Caps {
            subgroup_min: 8,
            subgroup_max: 8,
            software: true,
            ..Caps::portable()
        };
        let swiftshader = Caps {
            subgroup_min: 4,
            subgroup_max: 4,
            software: true,
            ..Caps::portable()
        };
        let nvidia = Caps {
            subgroup_min: 32,
            subgroup_max: 32,
            ..Caps::portable()
        };
        let plain = Caps {
            pinned: Some(Variant::Plain),
            ..lavapipe.clone()
        };
        let broadcast = Caps {
            pinned: Some(Variant::Broadcast),
            ..nvidia.clone()
        };
        let tile = Caps {
            pinned: Some(Variant::Tile),
            ..lavapipe.clone()
        };
        let spec = |c, s| Conv::new([28, 28, c], s, 3, 2, Padding::Same);
        for (caps, channels, expected) in [
            (&portable, (32, 64), Variant::Workgroup),
            (&portable, (1, 32), Variant::Thin),
            (&portable, (33, 64), Variant::Plain),
            (&portable, (1, 33), Variant::Plain),
            (&lavapipe, (32, 64), Variant::Broadcast),
            (&lavapipe, (3, 32), Variant::Thin),
            (&lavapipe, (4, 8), Variant::Tile),
            (&swiftshader, (32, 64), Variant::Tile),
            (&nvidia, (32, 64), Variant::Workgroup),
            (&broadcast, (32, 64), Variant::Broadcast),
            (&plain, (32, 64), Variant::Plain),
            (&plain, (1, 32), Variant::Plain),
            (&tile, (32, 64), Variant::Tile),
            (&tile, (1, 32), Variant::Thin),
        ] {
            assert_eq!(
                choose(caps, &spec(channels.0, channels.1)),
                expected,
                "{caps:?} {channels:?}"
            );
        }
    }
}
