//! Moves tensors between buffers and textures, where a kernel wants the other.

use super::kernel;
use crate::plan::cpu::Tensors;
use crate::plan::{Plan, SlotId, Step, groups};

/// The tensor `slot` in a texture: itself, or a copy made by a step which this appends the first
/// time it is asked for. Its length is a multiple of 4.
pub fn in_texture(plan: &mut Plan, slot: SlotId) -> SlotId {
    copy(plan, slot, true)
}

/// The tensor `slot` in a buffer, likewise.
pub fn in_buffer(plan: &mut Plan, slot: SlotId) -> SlotId {
    copy(plan, slot, false)
}

fn copy(plan: &mut Plan, slot: SlotId, texels: bool) -> SlotId {
    if plan[slot].texels == texels {
        return slot;
    }
    let (entry, from, to, suffix) = if texels {
        ("pack", "values", "texels_out", "texels")
    } else {
        ("unpack", "texels", "values_out", "buffer")
    };
    let name = format!("{}.{suffix}", plan[slot].name);
    if let Some(made) = plan.find(&name) {
        return made;
    }
    let shape = plan[slot].shape.clone();
    let quads = plan[slot].len() / 4;
    let copied = if texels {
        plan.texels(name.clone(), &shape)
    } else {
        plan.slot(name.clone(), &shape, crate::plan::Role::Activation)
    };
    let twin = move |t: &Tensors| t.floats_mut(to).copy_from_slice(&t.floats(from));
    plan.push(Step {
        label: name,
        kernel: kernel("texels", entry, &[("QUADS", quads as f64)], twin),
        bindings: vec![(from, slot), (to, copied)],
        grid: [groups(quads, 64), 1, 1],
        flops: 0,
    });
    copied
}
