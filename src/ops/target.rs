//! What operations are lowered for: an adapter, the heuristics of its processor, and a choice.

use serde::Serialize;

use super::heuristics::Heuristics;
use crate::plan::Caps;

/// An adapter as lowering sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Target {
    /// What the adapter offers.
    #[serde(flatten)]
    pub caps: Caps,
    /// How operations are lowered.
    #[serde(flatten)]
    pub heuristics: Heuristics,
    /// Name of the convolution variant of the user or the tuner, taken wherever it fits.
    pub pinned: Option<&'static str>,
}

impl Target {
    /// An adapter with the heuristics of its processor.
    pub fn new(caps: Caps) -> Self {
        Target {
            heuristics: Heuristics::of(&caps),
            pinned: None,
            caps,
        }
    }

    /// The least that every WebGPU adapter offers.
    pub fn portable() -> Self {
        Target::new(Caps::portable())
    }

    /// A discrete GPU.
    pub fn gpu() -> Self {
        Target::new(Caps::gpu())
    }

    /// Whether a texture may share the memory of a buffer. wgpu sets no barrier between a dispatch
    /// that writes the one and a dispatch that reads the other, so only a software driver may, which
    /// ends each dispatch before it begins the next.
    pub fn may_alias(&self) -> bool {
        self.caps.software && self.heuristics.texels
    }
}
