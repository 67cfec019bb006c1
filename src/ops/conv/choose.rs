//! The choice of a variant for a convolution, and the slots and constants of its kernels.

use super::kernels::{Call, Kernels, Site};
use super::spec::Conv;
use super::variant::Variant;
use crate::ops::target::Target;
use crate::plan::{Constants, Plan, SlotId, Source};

/// The variant for a geometry: the first that serves it of the adapter's preferences, or of the pinned
/// variant and `thin`; otherwise `plain`.
pub fn choose(target: &Target, spec: &Conv) -> Variant {
    let pinned = target.pinned.and_then(|name| name.parse().ok());
    let preferred = match pinned {
        None if target.heuristics.broadcast => {
            vec![Variant::Broadcast, Variant::Tile, Variant::Thin]
        }
        None => vec![Variant::Workgroup, Variant::Tile, Variant::Thin],
        Some(Variant::Plain) => Vec::new(),
        Some(pinned) => vec![pinned, Variant::Thin],
    };
    let fits = |variant: &Variant| {
        variant.kernels().fits(target, spec) && (*variant == Variant::Thin || !spec.reversed)
    };
    preferred.into_iter().find(fits).unwrap_or(Variant::Plain)
}

/// The geometry [turned](Conv::turned), if only that lets a variant other than `plain` serve it.
pub fn turned(target: &Target, spec: &Conv) -> Option<Conv> {
    let pinned = target.pinned == Some(Variant::Plain.name());
    let turned = spec
        .turned()
        .filter(|turned| Variant::Thin.kernels().fits(target, turned));
    turned.filter(|_| !pinned && choose(target, spec) == Variant::Plain)
}

/// A convolution with the chosen variant.
#[derive(Clone, Copy)]
pub(super) struct Chosen<'a> {
    pub site: Site<'a>,
    pub variant: Variant,
    /// The kernels read images from mirrors.
    pub texels: bool,
}

impl<'a> Chosen<'a> {
    pub fn new(site: Site<'a>, variant: Variant) -> Self {
        Chosen {
            site,
            variant,
            texels: site.target.heuristics.texels && variant.kernels().reads_texels(),
        }
    }

    pub fn kernels(&self) -> &'static dyn Kernels {
        self.variant.kernels()
    }

    /// The module for a call.
    pub fn source(&self, call: Call) -> &'static Source {
        self.kernels().source(&self.site, call, self.texels)
    }

    /// Constants of a call; `weights_at` is the first element of the weights in the bound slot.
    pub fn constants(&self, call: Call, weights_at: usize) -> Constants {
        let Site { spec, batch, .. } = self.site;
        let mut constants = spec.constants(batch);
        if self.kernels().reads_quads() {
            constants.push(("WEIGHTS_AT", (weights_at / 4) as f64));
        }
        constants.extend(self.kernels().constants(&self.site, call));
        constants
    }

    /// The slot from which the kernel reads an image.
    pub fn image(&self, plan: &mut Plan, slot: SlotId) -> SlotId {
        if self.texels { plan.mirror(slot) } else { slot }
    }

    /// The slot from which the kernel reads weights, and their first element in it. Whole arenas have
    /// mirrors, views have none.
    pub fn weights(&self, plan: &mut Plan, weights: SlotId) -> (SlotId, usize) {
        match plan[weights].view_of {
            _ if !self.texels => (weights, 0),
            Some((arena, offset)) => (plan.mirror(arena), offset),
            None => (plan.mirror(weights), 0),
        }
    }
}
