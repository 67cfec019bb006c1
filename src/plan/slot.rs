//! Slots: named, shaped buffers.

/// Purpose of a slot. It determines who fills it and which checks apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Weights: the host fills them once, then only the optimizer writes them.
    Param,
    /// Gradients: written before the optimizer reads them.
    Grad,
    /// Optimizer moments: the host fills them once, then only the optimizer writes them.
    Moment,
    /// A value computed and used within one run of the plan.
    Activation,
    /// Filled by the host before the plan runs: data sets, injected inputs, codes.
    Data,
    /// Counters that persist on the device between runs.
    State,
    /// Results that the host reads back.
    Metric,
}

/// Element type of a slot; four bytes each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scalar {
    /// 32-bit float.
    F32,
    /// 32-bit unsigned integer.
    U32,
}

/// Handle of a slot in the plan that created it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SlotId(pub(super) usize);

/// A named, shaped buffer or a range of one.
#[derive(Clone, Debug)]
pub struct Slot {
    /// Name in terms of the model, such as `decoder.deconv2.y`.
    pub name: String,
    /// Extent of each axis, outermost first; row-major.
    pub shape: Vec<usize>,
    /// Element type.
    pub scalar: Scalar,
    /// Purpose.
    pub role: Role,
    /// If this is a mirror ([`Slots::mirror`]), the slot that it mirrors.
    pub mirror_of: Option<SlotId>,
    /// If this is a view, the slot that owns the memory and the offset in elements.
    pub view_of: Option<(SlotId, usize)>,
}

impl Slot {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// True if the slot has no elements; [`Plan::check`](super::Plan::check) rejects such slots.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Size in bytes.
    pub fn bytes(&self) -> u64 {
        4 * self.len() as u64
    }

    /// False for views and mirrors.
    pub fn owns_memory(&self) -> bool {
        self.view_of.is_none() && self.mirror_of.is_none()
    }
}

/// The slots of a graph or a plan.
#[derive(Clone, Debug, Default)]
pub struct Slots(Vec<Slot>);

impl Slots {
    /// Adds a float slot.
    pub fn slot(&mut self, name: impl Into<String>, shape: &[usize], role: Role) -> SlotId {
        self.add(name.into(), shape, Scalar::F32, role)
    }

    /// Adds a slot of unsigned integers.
    pub fn words(&mut self, name: impl Into<String>, shape: &[usize], role: Role) -> SlotId {
        self.add(name.into(), shape, Scalar::U32, role)
    }

    /// Adds a view of `arena` that starts at element `offset`.
    pub fn view(
        &mut self,
        arena: SlotId,
        offset: usize,
        name: impl Into<String>,
        shape: &[usize],
    ) -> SlotId {
        let Slot { scalar, role, .. } = self[arena];
        let view = self.add(name.into(), shape, scalar, role);
        self.0[view.0].view_of = Some((arena, offset));
        view
    }

    /// The mirror of a slot: a texture with the contents of the slot, four values per texel. It is
    /// added on first use. No step writes it.
    ///
    /// The slot must own its memory, and its length must be a multiple of 4.
    pub fn mirror(&mut self, slot: SlotId) -> SlotId {
        let made = self.slots().find(|(_, s)| s.mirror_of == Some(slot));
        if let Some((id, _)) = made {
            return id;
        }
        let origin = self[slot].clone();
        self.push(Slot {
            name: format!("{}.texels", origin.name),
            mirror_of: Some(slot),
            ..origin
        })
    }

    /// The slot that a mirror mirrors; any other slot itself.
    pub(super) fn origin(&self, id: SlotId) -> SlotId {
        self[id].mirror_of.unwrap_or(id)
    }

    fn add(&mut self, name: String, shape: &[usize], scalar: Scalar, role: Role) -> SlotId {
        self.push(Slot {
            name,
            shape: shape.to_vec(),
            scalar,
            role,
            mirror_of: None,
            view_of: None,
        })
    }

    fn push(&mut self, slot: Slot) -> SlotId {
        self.0.push(slot);
        SlotId(self.0.len() - 1)
    }

    /// The slot named `name`.
    pub fn find(&self, name: &str) -> Option<SlotId> {
        self.0.iter().position(|s| s.name == name).map(SlotId)
    }

    /// All slots in the order they were added.
    pub fn slots(&self) -> impl Iterator<Item = (SlotId, &Slot)> {
        self.0.iter().enumerate().map(|(i, s)| (SlotId(i), s))
    }

    /// Bytes of all slots. Mirrors are not counted; they use memory only if the driver must copy.
    pub fn bytes(&self) -> u64 {
        let owned = self.0.iter().filter(|s| s.owns_memory());
        owned.map(Slot::bytes).sum()
    }
}

impl std::ops::Index<SlotId> for Slots {
    type Output = Slot;

    fn index(&self, id: SlotId) -> &Slot {
        &self.0[id.0]
    }
}
