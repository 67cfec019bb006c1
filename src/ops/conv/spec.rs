//! Geometry of a convolution and its three sums as plain loops, for the twins.

use serde::{Deserialize, Serialize};

use crate::plan::Constants;

/// Zero padding around the big image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Padding {
    /// No padding: the kernel stays inside the image.
    Valid,
    /// `ceil(size / stride)` outputs; the smaller half of the padding comes before the image.
    Same,
}

/// One of the two images of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The image with more pixels.
    Big,
    /// The other image.
    Small,
}

impl Side {
    /// The other side.
    pub(super) fn other(self) -> Self {
        match self {
            Side::Big => Side::Small,
            Side::Small => Side::Big,
        }
    }
}

/// Geometry of a convolution between a big and a small image, both `[height, width, channels]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv {
    /// The image with more pixels: the input of a convolution, the output of a transposed one.
    pub big: [usize; 3],
    /// The other image.
    pub small: [usize; 3],
    /// Height and width of the kernel.
    pub kernel: usize,
    /// Distance of neighbouring kernel positions in the big image.
    pub stride: usize,
    /// Zero rows above and zero columns left of the big image.
    pub pad: [usize; 2],
    /// The taps are stored last first (see [`turned`](Self::turned)).
    pub reversed: bool,
}

impl Conv {
    /// Geometry from the big image and the number of small channels, by TensorFlow's padding rules.
    pub fn new(
        big: [usize; 3],
        channels: usize,
        kernel: usize,
        stride: usize,
        padding: Padding,
    ) -> Self {
        let axis = |size: usize| match padding {
            Padding::Valid => ((size + stride).saturating_sub(kernel) / stride, 0),
            Padding::Same => {
                let count = size.div_ceil(stride);
                let total = ((count - 1) * stride + kernel).saturating_sub(size);
                (count, total / 2)
            }
        };
        let ((height, pad_y), (width, pad_x)) = (axis(big[0]), axis(big[1]));
        Conv {
            big,
            small: [height, width, channels],
            kernel,
            stride,
            pad: [pad_y, pad_x],
            reversed: false,
        }
    }

    /// The same sums with the images in each other's place: at stride 1 a convolution is a transposed
    /// one whose taps come in reverse order, with padding `kernel - 1 - pad`. `None` if another stride
    /// or padding forbids it, or if no channel count is 1: the weights would be laid out otherwise.
    pub fn turned(&self) -> Option<Self> {
        let pad = self.pad.map(|pad| (self.kernel - 1).checked_sub(pad));
        let ([Some(pad_y), Some(pad_x)], 1) = (pad, self.stride) else {
            return None;
        };
        (self.big[2] == 1 || self.small[2] == 1).then_some(Conv {
            big: self.small,
            small: self.big,
            pad: [pad_y, pad_x],
            reversed: !self.reversed,
            ..*self
        })
    }

    /// Shape of the weights: HWIO for a convolution, HWOI for a transposed one.
    pub fn weight_shape(&self) -> [usize; 4] {
        [self.kernel, self.kernel, self.big[2], self.small[2]]
    }

    /// Number of weights.
    pub fn weights(&self) -> usize {
        self.weight_shape().iter().product()
    }

    /// The geometry and the batch as constants of a shader.
    pub(in crate::ops) fn constants(&self, batch: usize) -> Constants {
        let sizes = [
            ("BATCH", batch),
            ("KERNEL", self.kernel),
            ("STRIDE", self.stride),
            ("PAD_Y", self.pad[0]),
            ("PAD_X", self.pad[1]),
            ("BIG_H", self.big[0]),
            ("BIG_W", self.big[1]),
            ("BIG_C", self.big[2]),
            ("SMALL_H", self.small[0]),
            ("SMALL_W", self.small[1]),
            ("SMALL_C", self.small[2]),
        ];
        sizes.map(|(name, size)| (name, size as f64)).to_vec()
    }

    /// Whether both channel counts are multiples of 4.
    pub(super) fn has_quads(&self) -> bool {
        self.big[2].is_multiple_of(4) && self.small[2].is_multiple_of(4)
    }

    /// Pixels of the small image.
    pub fn small_pixels(&self) -> usize {
        self.small[0] * self.small[1]
    }

    /// Positions per split of the weight gradient; the last split may have fewer.
    pub fn split_size(&self, batch: usize, splits: usize) -> usize {
        (batch * self.small_pixels()).div_ceil(splits)
    }

    /// Pixels per phase of the big image (see `shaders/common/conv.wgsl`).
    pub fn phase_pixels(&self) -> usize {
        self.big[0].div_ceil(self.stride) * self.big[1].div_ceil(self.stride)
    }

    /// Floating-point operations of any of the three kernels for one image, without padding.
    pub(super) fn flops(&self) -> u64 {
        let taps = |axis: usize| -> usize {
            (0..self.small[axis])
                .flat_map(|i| (0..self.kernel).map(move |a| (i, a)))
                .filter(|(i, a)| {
                    let at = self.stride * i + a;
                    at >= self.pad[axis] && at - self.pad[axis] < self.big[axis]
                })
                .count()
        };
        2 * (taps(0) * taps(1) * self.big[2] * self.small[2]) as u64
    }

    /// Calls `visit(big pixel, small pixel, stored tap)` for each tap inside the big image.
    fn each_tap(&self, batch: usize, mut visit: impl FnMut(usize, usize, usize)) {
        let inside = |at: usize, axis: usize| {
            at.checked_sub(self.pad[axis])
                .filter(|&p| p < self.big[axis])
        };
        for n in 0..batch {
            for i in 0..self.small[0] {
                for j in 0..self.small[1] {
                    let small = (n * self.small[0] + i) * self.small[1] + j;
                    for tap in 0..self.kernel * self.kernel {
                        let y = inside(self.stride * i + tap / self.kernel, 0);
                        let x = inside(self.stride * j + tap % self.kernel, 1);
                        if let (Some(y), Some(x)) = (y, x) {
                            let big = (n * self.big[0] + y) * self.big[1] + x;
                            let last = self.kernel * self.kernel - 1;
                            visit(big, small, if self.reversed { last - tap } else { tap });
                        }
                    }
                }
            }
        }
    }

    /// small += correlate(big, weights).
    pub fn correlate(&self, batch: usize, big: &[f64], weights: &[f64], small: &mut [f64]) {
        let (bc, sc) = (self.big[2], self.small[2]);
        self.each_tap(batch, |b, s, tap| {
            let out = &mut small[s * sc..][..sc];
            for (c, &value) in big[b * bc..][..bc].iter().enumerate() {
                let row = &weights[(tap * bc + c) * sc..][..sc];
                out.iter_mut().zip(row).for_each(|(o, w)| *o += value * w);
            }
        });
    }

    /// big += adjoint(small, weights), the transpose of [`correlate`](Self::correlate).
    pub fn adjoint(&self, batch: usize, small: &[f64], weights: &[f64], big: &mut [f64]) {
        let (bc, sc) = (self.big[2], self.small[2]);
        self.each_tap(batch, |b, s, tap| {
            let from = &small[s * sc..][..sc];
            for (c, out) in big[b * bc..][..bc].iter_mut().enumerate() {
                let row = &weights[(tap * bc + c) * sc..][..sc];
                *out += from.iter().zip(row).map(|(y, w)| y * w).sum::<f64>();
            }
        });
    }

    /// Partial sums of the weight gradient over ranges of small pixels, split as in the kernel.
    pub fn weight_grad(
        &self,
        batch: usize,
        splits: usize,
        big: &[f64],
        small: &[f64],
        partials: &mut [f64],
    ) {
        let (bc, sc) = (self.big[2], self.small[2]);
        let size = self.split_size(batch, splits);
        self.each_tap(batch, |b, s, tap| {
            let split = &mut partials[s / size * self.weights()..][..self.weights()];
            for (c, &value) in big[b * bc..][..bc].iter().enumerate() {
                let row = &mut split[(tap * bc + c) * sc..][..sc];
                let from = &small[s * sc..][..sc];
                row.iter_mut().zip(from).for_each(|(w, y)| *w += value * y);
            }
        });
    }
}
