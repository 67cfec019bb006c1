//! Gathers a batch from a packed data set on the device; can binarize and mirror it by random draws.

use super::graph::Graph;
use super::operation::Operation;
use super::rng;
use super::state::StepState;
use super::target::Target;
use super::wgsl::files;
use crate::data::{Binarize, Depth, PackedImages};
use crate::plan::tensors::Tensors;
use crate::plan::{Plan, Role, SlotId, Source, Step, flag, groups};
use crate::rng::{Stream, bernoulli, key, philox};

pub(super) static SOURCE: Source =
    Source::new("fetch", files!("common/philox", "common/images", "fetch"));

/// Layout of a packed split.
#[derive(Clone, Copy, Debug)]
pub struct Packed {
    /// `[height, width, channels]` of an image.
    pub shape: [usize; 3],
    /// Number of images.
    pub count: usize,
    /// Bits per packed value.
    pub depth: Depth,
    /// Each epoch draws the values: a byte is 255 times the probability of a 1.
    pub drawn: bool,
    /// Each epoch mirrors half of the images, left to right.
    pub flipped: bool,
    /// Images on the device at a time: all, or the next ones of the pass in their order.
    pub window: usize,
}

impl Packed {
    /// The layout of these images.
    pub fn of(images: &PackedImages) -> Self {
        Packed {
            shape: images.shape(),
            count: images.count(),
            depth: images.depth(),
            drawn: false,
            flipped: false,
            window: images.count(),
        }
    }

    /// The layout of training images. With [`Binarize::Stochastic`] each epoch draws them, unless they
    /// are bits already.
    pub fn training(images: &PackedImages, binarize: Binarize) -> Self {
        let packed = Self::of(images);
        Packed {
            drawn: binarize == Binarize::Stochastic && packed.depth == Depth::Byte,
            ..packed
        }
    }

    /// With half of the images mirrored in each epoch, or not.
    #[must_use]
    pub fn flipped(self, flipped: bool) -> Self {
        Packed { flipped, ..self }
    }

    /// With at most so many images on the device at a time.
    #[must_use]
    pub fn in_windows(self, images: usize) -> Self {
        Packed {
            window: images.min(self.count),
            ..self
        }
    }

    /// Whether all images are on the device, in file order.
    pub fn is_whole(&self) -> bool {
        self.window == self.count
    }

    /// Values per image.
    pub fn values(&self) -> usize {
        self.shape.iter().product()
    }

    /// Words per packed image.
    pub fn words(&self) -> usize {
        (self.values() * self.depth.bits() as usize).div_ceil(32)
    }
}

/// Gathers the batch `x [B, H, W, C]` from packed images. A drawn value is a function of (seed, epoch,
/// image, place in the image), and so is whether an image is mirrored, but for the place.
#[derive(Clone, Debug)]
pub struct Fetch {
    /// Layout of the images.
    pub data: Packed,
    /// Step state `[6]`.
    pub state: SlotId,
    /// `[window, words]`
    pub images: SlotId,
    /// Indices of the images, `[B]`.
    pub indices: SlotId,
    /// Their places in `images`, `[B]`: the indices themselves if all images are there.
    pub places: SlotId,
    /// `[B, H, W, C]`
    pub x: SlotId,
}

/// Declares the slot `name` of the packed images; the host fills it, once or with each window.
pub fn declare(g: &mut Graph, name: &str, data: &Packed) -> SlotId {
    g.words(name, &[data.window, data.words()], Role::Data)
}

/// Appends [`Fetch`]; returns the batch, `[B, H, W, C]`.
pub fn batch(
    g: &mut Graph,
    data: Packed,
    state: SlotId,
    images: SlotId,
    indices: SlotId,
) -> SlotId {
    let [h, w, c] = data.shape;
    let places = match data.is_whole() {
        true => indices,
        false => rng::places(g, state, data.count, data.window),
    };
    let x = g.slot("x", &[g.batch, h, w, c], Role::Activation);
    g.push(Fetch {
        data,
        state,
        images,
        indices,
        places,
        x,
    });
    x
}

impl Operation for Fetch {
    fn lower(&self, plan: &mut Plan, _: &Target) {
        let (batch, data) = (plan.batch, self.data);
        let values = data.values();
        let constants = [
            ("BATCH", batch as f64),
            ("VALUES", values as f64),
            ("WIDTH", data.shape[1] as f64),
            ("CHANNELS", data.shape[2] as f64),
            ("BITS", f64::from(data.depth.bits())),
            ("FLIP", flag(data.flipped)),
        ];
        let mut bindings = vec![
            ("images", self.images),
            ("places", self.places),
            ("x", self.x),
        ];
        if data.drawn || data.flipped {
            bindings.extend([("indices", self.indices), ("state", self.state)]);
        }
        let entry = match (data.drawn, data.flipped) {
            (true, _) => "draw",
            (false, true) => "flip",
            (false, false) => "unpack",
        };
        let kernel = SOURCE.kernel(entry, constants, move |t: &Tensors| match data.drawn {
            true => draw(t, data),
            false => unpack(t, data),
        });
        plan.push(Step {
            label: "fetch".into(),
            kernel,
            bindings,
            grid: [groups(values.div_ceil(4), 64), groups(batch, 1), 1],
            flops: 0,
        });
    }
}

/// Where each value of the image of a row goes.
fn placing(t: &Tensors, data: Packed, row: usize) -> impl Fn(usize) -> usize + use<> {
    let [_, width, channels] = data.shape;
    let is_mirrored = data.flipped && {
        let state = StepState::of(t);
        let counter = [0, t.words("indices")[row], state.epoch, Stream::Flip as u32];
        philox(counter, key(state.seed))[0] & 1 == 1
    };
    move |value| {
        let column = value / channels % width;
        match is_mirrored {
            true => value - column * channels + (width - 1 - column) * channels,
            false => value,
        }
    }
}

fn unpack(t: &Tensors, data: Packed) {
    let (images, places) = (t.words("images"), t.words("places"));
    let bits = data.depth.bits() as usize;
    let mask = u32::MAX >> (32 - bits);
    for (row, x) in t.floats_mut("x").chunks_mut(data.values()).enumerate() {
        let image = &images[places[row] as usize * data.words()..][..data.words()];
        let place = placing(t, data, row);
        for i in 0..data.values() {
            let packed = image[i * bits / 32] >> (i * bits % 32) & mask;
            x[place(i)] = match data.depth {
                Depth::Bit | Depth::Byte => f64::from(packed) / f64::from(mask),
                Depth::Float => f32::from_bits(packed).into(),
            };
        }
    }
}

fn draw(t: &Tensors, data: Packed) {
    let (images, places) = (t.words("images"), t.words("places"));
    let (indices, state) = (t.words("indices"), StepState::of(t));
    for (row, x) in t.floats_mut("x").chunks_mut(data.values()).enumerate() {
        let words = &images[places[row] as usize * data.words()..][..data.words()];
        let place = placing(t, data, row);
        for (block, word) in words.iter().enumerate() {
            let counter = [
                block as u32,
                indices[row],
                state.epoch,
                Stream::Pixels as u32,
            ];
            let drawn = bernoulli(word.to_le_bytes(), counter, key(state.seed));
            for (i, one) in (4 * block..data.values()).zip(drawn) {
                x[place(i)] = f64::from(u8::from(one));
            }
        }
    }
}
