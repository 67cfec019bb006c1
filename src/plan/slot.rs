//! Slots: named, shaped buffers.

/// What a slot is for. It decides who may fill it and which checks apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Weights: filled by the host once, then written by the optimizer alone.
    Param,
    /// Gradients: each must be written before the optimizer reads it.
    Grad,
    /// Optimizer moments: filled by the host once, then kept by the optimizer.
    Moment,
    /// A value computed and used within one run of the plan.
    Activation,
    /// Filled by the host before the plan runs: data sets, injected inputs, codes.
    Data,
    /// Counters which live on the device from one run to the next.
    State,
    /// Results which the host reads back now and then.
    Metric,
}

/// Element type of a slot. Both kinds take four bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scalar {
    /// 32-bit float.
    F32,
    /// 32-bit unsigned integer.
    U32,
}

/// Handle of a slot within the plan that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SlotId(pub(super) usize);

/// A named, shaped buffer, or a range of another one.
#[derive(Clone, Debug)]
pub struct Slot {
    /// Name in the model's own language, such as `decoder.deconv2.y`.
    pub name: String,
    /// Extent of each axis, outermost first; row-major.
    pub shape: Vec<usize>,
    /// Element type.
    pub scalar: Scalar,
    /// Purpose.
    pub role: Role,
    /// Of a mirror ([`Plan::mirror`](super::Plan::mirror)), the slot that it mirrors.
    pub mirror_of: Option<SlotId>,
    /// Where a view lies: the slot that owns the memory, and the offset in elements.
    pub view_of: Option<(SlotId, usize)>,
}

impl Slot {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// True for a slot without elements; no plan that passes its check has one.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Size in bytes.
    pub fn bytes(&self) -> u64 {
        4 * self.len() as u64
    }

    /// True for what is neither a view of another slot nor its mirror.
    pub fn owns_memory(&self) -> bool {
        self.view_of.is_none() && self.mirror_of.is_none()
    }
}
