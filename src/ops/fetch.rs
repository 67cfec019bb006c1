//! Gathers a batch from packed, resident data, as it is or drawn anew.

use super::kernel;
use super::state::StepState;
use crate::data::{Binarize, Depth, PackedImages};
use crate::plan::tensors::Tensors;
use crate::plan::{Plan, Role, SlotId, Step, groups};
use crate::rng::{self, Stream};

/// A packed split as the plan sees it.
#[derive(Clone, Copy, Debug)]
pub struct Packed {
    /// `[height, width, channels]` of an image.
    pub shape: [usize; 3],
    /// Number of images.
    pub count: usize,
    /// Bits of a packed value.
    pub depth: Depth,
    /// Each epoch draws the values: a byte is 255 times the probability of a 1.
    pub drawn: bool,
}

impl Packed {
    /// How these images are packed.
    pub fn of(images: &PackedImages) -> Self {
        Packed {
            shape: images.shape(),
            count: images.count(),
            depth: images.depth(),
            drawn: false,
        }
    }

    /// The same of images to train on. Each epoch draws them for [`Binarize::Stochastic`], unless they
    /// are bits, which are certain.
    pub fn training(images: &PackedImages, binarize: Binarize) -> Self {
        let packed = Self::of(images);
        Packed {
            drawn: binarize == Binarize::Stochastic && packed.depth == Depth::Byte,
            ..packed
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

/// Appends the gather: `x [B, H, W, C]` in [0, 1]. Where values are drawn, that is a function of the
/// state's seed and epoch, of the image and of the value's place in it.
pub fn batch(
    plan: &mut Plan,
    data: Packed,
    state: SlotId,
    images: SlotId,
    indices: SlotId,
) -> SlotId {
    let [h, w, c] = data.shape;
    let x = plan.slot("x", &[plan.batch, h, w, c], Role::Activation);
    let bound = vec![("images", images), ("indices", indices), ("x", x)];
    if data.drawn {
        draw(plan, data, [bound, vec![("state", state)]].concat());
    } else {
        unpack(plan, data, bound);
    }
    x
}

fn unpack(plan: &mut Plan, data: Packed, bindings: Vec<(&'static str, SlotId)>) {
    let batch = plan.batch;
    let (values, bits) = (data.values(), data.depth.bits() as usize);
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
        kernel: kernel("fetch", "unpack", &constants(batch, data), twin),
        bindings,
        grid: [groups(values / 4, 64), groups(batch, 1), 1],
        flops: 0,
    });
}

fn draw(plan: &mut Plan, data: Packed, bindings: Vec<(&'static str, SlotId)>) {
    let batch = plan.batch;
    let values = data.values();
    let twin = move |t: &Tensors| {
        let (images, indices) = (t.words("images"), t.words("indices"));
        let state = StepState::of(t);
        for (row, x) in t.floats_mut("x").chunks_mut(values).enumerate() {
            let image = indices[row];
            let words = &images[image as usize * data.words()..];
            for (block, (four, word)) in x.chunks_mut(4).zip(words).enumerate() {
                let counter = [block as u32, image, state.epoch, Stream::Pixels as u32];
                let drawn = rng::bernoulli(word.to_le_bytes(), counter, rng::key(state.seed));
                let ones = drawn.map(|one| f64::from(u8::from(one)));
                four.copy_from_slice(&ones[..four.len()]);
            }
        }
    };
    plan.push(Step {
        label: "fetch".into(),
        kernel: kernel("fetch", "draw", &constants(batch, data), twin),
        bindings,
        grid: [groups(values / 4, 64), groups(batch, 1), 1],
        flops: 0,
    });
}

fn constants(batch: usize, data: Packed) -> [(&'static str, f64); 3] {
    [
        ("BATCH", batch as f64),
        ("VALUES", data.values() as f64),
        ("BITS", f64::from(data.depth.bits())),
    ]
}
