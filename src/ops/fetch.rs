//! Gathers a batch from packed, resident data.

use super::kernel;
use crate::data::{Depth, PackedImages};
use crate::plan::cpu::Tensors;
use crate::plan::{Plan, Role, SlotId, Step, groups};

/// A packed split as the plan sees it.
#[derive(Clone, Copy, Debug)]
pub struct Packed {
    /// `[height, width, channels]` of an image.
    pub shape: [usize; 3],
    /// Number of images.
    pub count: usize,
    /// Bits of a packed value.
    pub depth: Depth,
}

impl Packed {
    /// How these images are packed.
    pub fn of(images: &PackedImages) -> Self {
        Packed {
            shape: images.shape(),
            count: images.count(),
            depth: images.depth(),
        }
    }

    /// Values of one image.
    pub fn values(&self) -> usize {
        self.shape.iter().product()
    }

    /// Words of one packed image.
    pub fn words(&self) -> usize {
        (self.values() * self.depth.bits() as usize).div_ceil(32)
    }
}

/// Declares the slot `name` of the packed images; the host fills it once.
pub fn declare(plan: &mut Plan, name: &str, data: &Packed) -> SlotId {
    plan.words(name, &[data.count, data.words()], Role::Data)
}

/// Appends the gather: `x [B, H, W, C]` in [0, 1].
pub fn batch(plan: &mut Plan, data: Packed, images: SlotId, indices: SlotId) -> SlotId {
    let batch = plan.batch;
    let [h, w, c] = data.shape;
    let x = plan.slot("x", &[batch, h, w, c], Role::Activation);
    let (values, bits) = (data.values(), data.depth.bits() as usize);
    let constants = [
        ("BATCH", batch as f64),
        ("VALUES", values as f64),
        ("BITS", bits as f64),
    ];
    let twin = move |t: &Tensors| {
        let (images, indices) = (t.words("images"), t.words("indices"));
        let mask = (1u32 << bits) - 1;
        for (row, x) in t.floats_mut("x").chunks_mut(values).enumerate() {
            let image = &images[indices[row] as usize * data.words()..][..data.words()];
            for (i, value) in x.iter_mut().enumerate() {
                let packed = image[i * bits / 32] >> (i * bits % 32) & mask;
                *value = f64::from(packed) / f64::from(mask);
            }
        }
    };
    plan.push(Step {
        label: "fetch".into(),
        kernel: kernel("fetch", "unpack", &constants, twin),
        bindings: vec![("images", images), ("indices", indices), ("x", x)],
        grid: [groups(values, 64), groups(batch, 1), 1],
        flops: 0,
    });
    x
}
