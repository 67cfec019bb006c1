//! Gradients of a layer's weights and bias.

use super::{Call, Conv, Kit, Side, constants, grid, images};
use super::{broadcast, thin, workgroup};
use crate::ops::{kernel, reduce};
use crate::plan::tensors::Tensors;
use crate::plan::{Caps, Plan, Role, SlotId, Step, Variant};

/// Operands of the gradients.
#[derive(Clone, Copy, Debug)]
pub struct WeightGrad {
    /// Big images.
    pub big: SlotId,
    /// Small images.
    pub small: SlotId,
    /// Which of them is the gradient of the layer's output; the other is its input.
    pub dy: Side,
    /// Gradient of the weights.
    pub weights_grad: SlotId,
    /// Gradient of the bias, one per channel of dy.
    pub bias_grad: SlotId,
}

/// Into how many partial sums the weight gradient is split: enough to occupy the adapter, but
/// no sum of few positions, no more than 32 MiB of partials, and on a GPU no more than 64 of all
/// weights of a tiled convolution, since each takes to add what it took to store. On a CPU all
/// workgroups of a split run one after the other over the same images, so these should fit its cache.
fn splits(caps: &Caps, variant: Variant, spec: &Conv, batch: usize) -> usize {
    const CACHE: usize = 512 << 10;
    const MOST: usize = 64;
    let groups: u32 = grid(caps, variant, spec, batch, Call::WeightGrad(1))
        .iter()
        .product();
    let by_work = (caps.groups / groups.max(1) as usize).max(1);
    let images = [spec.big, spec.small].map(|shape| shape.iter().product::<usize>());
    let bytes = 4 * batch * images.iter().sum::<usize>();
    let by_cache = if caps.software {
        bytes.div_ceil(CACHE)
    } else {
        1
    };
    let positions = batch * spec.small_pixels();
    let is_deep = variant == Variant::Thin && thin::is_deep(caps);
    let by_length = positions.div_ceil(if is_deep { thin::DEEP } else { 64 });
    let by_memory = ((32 << 20) / (4 * spec.weights())).max(1);
    let by_sum = if caps.software || is_deep {
        usize::MAX
    } else {
        MOST
    };
    let splits = by_work
        .max(by_cache)
        .min(by_length)
        .min(by_memory)
        .min(by_sum);
    if variant != Variant::Workgroup {
        return splits;
    }
    let whole_rounds = positions
        .div_ceil(splits)
        .next_multiple_of(workgroup::ROUND);
    positions.div_ceil(whole_rounds)
}

/// Appends the gradients of a layer's weights and bias.
///
/// Where one range of positions does not occupy the adapter, the weights get partial sums in
/// `<layer>.dw [splits, kernel, kernel, big channels, small channels]`, which a step of their own
/// adds. Where the kernel can, it takes sums of dy on its way, in `<layer>.db [sums, channels]`, so
/// that the bias needs no second look at all of dy, and no step of its own where one sum is all.
pub fn weight_grad(plan: &mut Plan, layer: &str, spec: Conv, of: WeightGrad) {
    let batch = images(plan, of.big, spec.big);
    let mut kit = Kit::new(&plan.caps, &spec);
    if kit.variant == Variant::Broadcast && !broadcast::sums_all(&spec, of.dy) {
        kit.variant = Variant::Tile;
    }
    let splits = splits(&plan.caps, kit.variant, &spec, batch);
    let shape = [vec![splits], spec.weight_shape().to_vec()].concat();
    let partials = match splits {
        1 => of.weights_grad,
        _ => plan.slot(format!("{layer}.dw"), &shape, Role::Activation),
    };
    let dy = match of.dy {
        Side::Big => of.big,
        Side::Small => of.small,
    };
    let channels = plan[of.bias_grad].len();
    let sums = match (kit.variant, of.dy) {
        (Variant::Broadcast, _) => Some(broadcast::sums(&spec, of.dy, splits)),
        (Variant::Thin, Side::Small) => Some((thin::weight_grad(&plan.caps, true), splits)),
        _ => None,
    };
    let without_sums = match kit.variant {
        Variant::Thin => thin::weight_grad(&plan.caps, false),
        _ => "weight_grad",
    };
    let (entry, summands, rows) = match sums {
        None => (without_sums, dy, plan[dy].len() / channels),
        Some((entry, 1)) => (entry, of.bias_grad, 1),
        Some((entry, rows)) => {
            let name = format!("{layer}.db");
            let sums = plan.slot(name, &[rows, channels], Role::Activation);
            (entry, sums, rows)
        }
    };
    let big = Kit::place(plan, of.big, kit.texels);
    let small = Kit::place(plan, of.small, kit.texels);
    let mut bindings = vec![("big", big), ("small", small), ("partials", partials)];
    if sums.is_some() {
        bindings.push(("dy_sums", summands));
    }
    let call = Call::WeightGrad(splits);
    let mut constants = constants(&spec, batch);
    constants.extend([("RELU", 0.0), ("GATED", 0.0), ("SPLITS", splits as f64)]);
    constants.extend(kit.constants(&plan.caps, &spec, batch, call, 0));
    let caps = plan.caps.clone();
    let twin = move |t: &Tensors| {
        let (big, small) = (t.floats("big"), t.floats("small"));
        let mut partials = t.floats_mut("partials");
        partials.fill(0.0);
        spec.weight_grad(batch, splits, &big, &small, &mut partials);
        if sums.is_some() {
            let size = spec.split_size(batch, splits);
            let dy = if of.dy == Side::Big { &big } else { &small };
            let mut sums = t.floats_mut("dy_sums");
            sums.fill(0.0);
            for (pixel, values) in dy.chunks(channels).enumerate() {
                let sum = match kit.variant {
                    Variant::Thin => pixel / size,
                    _ => broadcast::sum_of(&caps, &spec, of.dy, size, pixel),
                };
                let sum = &mut sums[sum * channels..][..channels];
                sum.iter_mut().zip(values).for_each(|(s, v)| *s += v);
            }
        }
    };
    let label = format!("{layer} weight gradient");
    let sum_label = format!("{label} sum");
    plan.push(Step {
        label,
        kernel: kernel(
            kit.module(&plan.caps, &spec, batch, call),
            entry,
            &constants,
            twin,
        ),
        bindings,
        grid: grid(&plan.caps, kit.variant, &spec, batch, call),
        flops: batch as u64 * spec.flops(),
    });
    if splits > 1 {
        reduce::sum_rows(plan, &sum_label, partials, splits, of.weights_grad);
    }
    if summands == of.bias_grad {
        return;
    }
    let label = format!("{layer} bias gradient");
    reduce::sum_rows(plan, &label, summands, rows, of.bias_grad);
}
