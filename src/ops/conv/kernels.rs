//! What the kernels of a variant are.

use super::spec::{Conv, Side};
use crate::ops::target::Target;
use crate::plan::{Constants, Source};

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

/// A convolution of a batch on an adapter.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// The adapter.
    pub target: &'a Target,
    /// The geometry.
    pub spec: Conv,
    /// Images.
    pub batch: usize,
}

/// The kernels of a variant. All give the same results up to rounding.
pub trait Kernels: Sync {
    /// Its modules.
    fn sources(&self) -> &'static [Source];

    /// Whether they serve a geometry on an adapter.
    fn fits(&self, target: &Target, spec: &Conv) -> bool;

    /// The module that computes a call, from textures or from buffers.
    fn source(&self, site: &Site, call: Call, texels: bool) -> &'static Source;

    /// Workgroups of a call.
    fn grid(&self, site: &Site, call: Call) -> [u32; 3];

    /// Constants of a call beside those of the geometry.
    fn constants(&self, _: &Site, _: Call) -> Constants {
        Constants::new()
    }

    /// Whether weights are quads of an arena, from `WEIGHTS_AT` on.
    fn reads_quads(&self) -> bool {
        true
    }

    /// Whether they read images from textures, where the adapter prefers those.
    fn reads_texels(&self) -> bool {
        true
    }

    /// The WGSL name of what belongs to the big image as an output.
    fn of_big(&self, name: &'static str) -> &'static str {
        name
    }

    /// Whether they take the weight gradient of a layer whose output is on that side.
    fn takes_weight_grad(&self, _: &Conv, _: Side) -> bool {
        true
    }

    /// The entry point of the weight gradient, and how many sums of dy it takes on its way, if it
    /// does.
    fn weight_grad(&self, _: &Site, _: Side, _splits: usize) -> (&'static str, Option<usize>) {
        ("weight_grad", None)
    }

    /// To which of these sums a pixel of dy belongs, where a split has `size` positions.
    fn sum_of(&self, _: &Site, _: Side, size: usize, pixel: usize) -> usize {
        pixel / size
    }

    /// The fewest positions of a split, and the most splits.
    fn split_limits(&self, target: &Target) -> (usize, usize) {
        (64, target.heuristics.splits)
    }

    /// A split has a multiple of so many positions.
    fn round(&self) -> usize {
        1
    }
}
