//! Gradients of a layer's weights and bias.

use super::choose::{Chosen, choose, turned};
use super::kernels::{Call, Site};
use super::spec::{Conv, Side};
use super::variant::Variant;
use crate::ops::activation::constants as activations;
use crate::ops::operation::{Operation, Operations};
use crate::ops::reduce::SumRows;
use crate::ops::target::Target;
use crate::plan::tensors::Tensors;
use crate::plan::{Plan, Role, SlotId, Step};

/// The gradients of a layer's weights and bias.
///
/// If one split of the positions does not occupy the adapter, the kernel writes partial sums to
/// `<layer>.dw [splits, kernel, kernel, big channels, small channels]` and another step reduces them.
/// If the kernel can, it also sums dy into `<layer>.db [sums, channels]`, so that the bias gradient
/// needs no second pass over dy.
#[derive(Clone, Debug)]
pub struct WeightGrad {
    /// Name of the layer.
    pub layer: String,
    /// Geometry.
    pub spec: Conv,
    /// Big images `[B, height, width, channels]`.
    pub big: SlotId,
    /// Small images `[B, height, width, channels]`.
    pub small: SlotId,
    /// Which of them is the gradient of the layer's output; the other is the layer's input.
    pub dy: Side,
    /// Gradient of the weights, `[kernel, kernel, big channels, small channels]`.
    pub weights_grad: SlotId,
    /// Gradient of the bias, `[channels of dy]`.
    pub bias_grad: SlotId,
}

/// Partial sums of the weight gradient, and of dy if the kernel computes them.
#[derive(Clone, Debug)]
pub struct Partials {
    label: String,
    spec: Conv,
    variant: Variant,
    big: SlotId,
    small: SlotId,
    dy: Side,
    splits: usize,
    partials: SlotId,
    dy_sums: Option<SlotId>,
}

impl WeightGrad {
    fn dy(&self) -> SlotId {
        match self.dy {
            Side::Big => self.big,
            Side::Small => self.small,
        }
    }
}

impl Operation for WeightGrad {
    fn expand(&self, plan: &mut Plan, target: &Target) -> Option<Operations> {
        let batch = plan[self.big].len() / self.spec.big.iter().product::<usize>();
        let (spec, big, small, dy) = match turned(target, &self.spec) {
            Some(spec) => (spec, self.small, self.big, self.dy.other()),
            None => (self.spec, self.big, self.small, self.dy),
        };
        let mut variant = choose(target, &spec);
        if !variant.kernels().takes_weight_grad(&spec, dy) {
            variant = Variant::Tile;
        }
        let site = Site {
            target,
            spec,
            batch,
        };
        let splits = splits(&site, variant);
        let partials = match splits {
            1 => self.weights_grad,
            _ => {
                let shape = [vec![splits], spec.weight_shape().to_vec()].concat();
                plan.slot(format!("{}.dw", self.layer), &shape, Role::Activation)
            }
        };
        let channels = plan[self.bias_grad].len();
        let (_, sums) = variant.kernels().weight_grad(&site, dy, splits);
        let dy_sums = sums.map(|rows| match rows {
            1 => self.bias_grad,
            _ => {
                let name = format!("{}.db", self.layer);
                plan.slot(name, &[rows, channels], Role::Activation)
            }
        });
        let label = format!("{} weight gradient", self.layer);
        let mut ops: Operations = vec![Box::new(Partials {
            label: label.clone(),
            spec,
            variant,
            big,
            small,
            dy,
            splits,
            partials,
            dy_sums,
        })];
        if splits > 1 {
            ops.push(Box::new(SumRows {
                label: format!("{label} sum"),
                x: partials,
                rows: splits,
                y: self.weights_grad,
            }));
        }
        let summands = dy_sums.unwrap_or_else(|| self.dy());
        if summands != self.bias_grad {
            ops.push(Box::new(SumRows {
                label: format!("{} bias gradient", self.layer),
                x: summands,
                rows: plan[summands].len() / channels,
                y: self.bias_grad,
            }));
        }
        Some(ops)
    }
}

impl Operation for Partials {
    fn lower(&self, plan: &mut Plan, target: &Target) {
        let &Partials {
            spec, splits, dy, ..
        } = self;
        let batch = plan[self.big].len() / spec.big.iter().product::<usize>();
        let site = Site {
            target,
            spec,
            batch,
        };
        let chosen = Chosen::new(site, self.variant);
        let kernels = chosen.kernels();
        let (entry, _) = kernels.weight_grad(&site, dy, splits);
        let big = chosen.image(plan, self.big);
        let small = chosen.image(plan, self.small);
        let mut bindings = vec![("big", big), ("small", small), ("partials", self.partials)];
        bindings.extend(self.dy_sums.map(|sums| ("dy_sums", sums)));
        let call = Call::WeightGrad(splits);
        let mut constants = chosen.constants(call, 0);
        constants.extend(activations(None, None));
        constants.push(("SPLITS", splits as f64));
        let size = spec.split_size(batch, splits);
        let channels = match dy {
            Side::Big => spec.big[2],
            Side::Small => spec.small[2],
        };
        let sums_dy = self.dy_sums.is_some();
        let owned = target.clone();
        let twin = move |t: &Tensors| {
            let (big, small) = (t.floats("big"), t.floats("small"));
            let mut partials = t.floats_mut("partials");
            partials.fill(0.0);
            spec.weight_grad(batch, splits, &big, &small, &mut partials);
            if !sums_dy {
                return;
            }
            let site = Site {
                target: &owned,
                spec,
                batch,
            };
            let summed = if dy == Side::Big { &big } else { &small };
            let mut sums = t.floats_mut("dy_sums");
            sums.fill(0.0);
            for (pixel, values) in summed.chunks(channels).enumerate() {
                let sum = kernels.sum_of(&site, dy, size, pixel);
                let sum = &mut sums[sum * channels..][..channels];
                sum.iter_mut().zip(values).for_each(|(s, v)| *s += v);
            }
        };
        plan.push(Step {
            label: self.label.clone(),
            kernel: chosen.source(call).kernel(entry, constants, twin),
            bindings,
            grid: kernels.grid(&site, call),
            flops: batch as u64 * spec.flops(),
        });
    }
}

/// Number of splits of the weight gradient: enough to occupy the adapter, but each with enough
/// positions, and at most 32 MiB of partial sums. On a CPU the workgroups of a split run one after
/// the other over the same images, which should fit into a cache.
fn splits(site: &Site, variant: Variant) -> usize {
    let &Site {
        target,
        spec,
        batch,
    } = site;
    let (own, kernels) = (target.heuristics, variant.kernels());
    let (shortest, most) = kernels.split_limits(target);
    let groups: u32 = kernels.grid(site, Call::WeightGrad(1)).iter().product();
    let by_work = (own.groups / groups.max(1) as usize).max(1);
    let images = [spec.big, spec.small].map(|shape| shape.iter().product::<usize>());
    let bytes = 4 * batch * images.iter().sum::<usize>();
    let by_cache = bytes.div_ceil(own.split_bytes);
    let positions = batch * spec.small_pixels();
    let by_length = positions.div_ceil(shortest);
    let by_memory = ((32 << 20) / (4 * spec.weights())).max(1);
    let splits = by_work.max(by_cache).min(by_length);
    let splits = splits.min(by_memory).min(most);
    match kernels.round() {
        1 => splits,
        round => positions.div_ceil(positions.div_ceil(splits).next_multiple_of(round)),
    }
}
