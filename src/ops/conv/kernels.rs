//! The interface of a convolution variant.

use super::spec::{Conv, Side};
use crate::ops::target::Target;
use crate::plan::{Constants, Source};

/// One of the three kernels; its grid depends on the variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// From big images to small ones.
    Correlate,
    /// From small images to big ones.
    Adjoint,
    /// The weight gradient in this many splits.
    WeightGrad(usize),
}

impl Call {
    /// The same call of the [turned](Conv::turned) geometry.
    pub(super) fn turned(self) -> Self {
        match self {
            Call::Correlate => Call::Adjoint,
            Call::Adjoint => Call::Correlate,
            Call::WeightGrad(splits) => Call::WeightGrad(splits),
        }
    }
}

/// A convolution of a batch on an adapter.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// The adapter.
    pub target: &'a Target,
    /// The geometry.
    pub spec: Conv,
    /// Images in the batch.
    pub batch: usize,
}

/// The kernels of a variant. All variants give the same results up to rounding.
pub trait Kernels: Sync {
    /// Its modules.
    fn sources(&self) -> &'static [Source];

    /// Whether they serve a geometry on an adapter.
    fn fits(&self, target: &Target, spec: &Conv) -> bool;

    /// The module for a call; `texels` reads images from textures instead of buffers.
    fn source(&self, site: &Site, call: Call, texels: bool) -> &'static Source;

    /// Workgroups of a call along x, y and z.
    fn grid(&self, site: &Site, call: Call) -> [u32; 3];

    /// Constants of a call that the variant needs in addition to the geometry.
    fn constants(&self, _: &Site, _: Call) -> Constants {
        Constants::new()
    }

    /// Whether they read weights in quads from a slot that starts at `WEIGHTS_AT`.
    fn reads_quads(&self) -> bool {
        true
    }

    /// Whether they can read images from textures.
    fn reads_texels(&self) -> bool {
        true
    }

    /// WGSL name of the bias, gate or output if the output is the big image.
    fn of_big(&self, name: &'static str) -> &'static str {
        name
    }

    /// Whether they compute the weight gradient if dy is on that side.
    fn takes_weight_grad(&self, _: &Conv, _: Side) -> bool {
        true
    }

    /// Entry point of the weight gradient, and its number of partial sums of dy if it computes any.
    fn weight_grad(&self, _: &Site, _: Side, _splits: usize) -> (&'static str, Option<usize>) {
        ("weight_grad", None)
    }

    /// Index of the partial sum of dy to which `pixel` belongs, with `size` positions per split.
    fn sum_of(&self, _: &Site, _: Side, size: usize, pixel: usize) -> usize {
        pixel / size
    }

    /// Fewest positions per split, and most splits.
    fn split_limits(&self, target: &Target) -> (usize, usize) {
        (64, target.heuristics.splits)
    }

    /// The positions per split are a multiple of this.
    fn round(&self) -> usize {
        1
    }
}
