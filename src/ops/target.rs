//! The target of lowering: an adapter, its heuristics, and the pinned variant.

use serde::Serialize;

use super::heuristics::Heuristics;
use crate::plan::Caps;

/// An adapter as lowering sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Target {
    /// Capabilities of the adapter.
    #[serde(flatten)]
    pub caps: Caps,
    /// How operations are lowered.
    #[serde(flatten)]
    pub heuristics: Heuristics,
    /// Name of the convolution variant that the user or the tuner pinned; used wherever it fits.
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

    /// The minimum that every WebGPU adapter offers.
    pub fn portable() -> Self {
        Target::new(Caps::portable())
    }

    /// A discrete GPU.
    pub fn gpu() -> Self {
        Target::new(Caps::gpu())
    }

    /// Whether mirrors may share memory with their buffers. wgpu sets no barrier between a dispatch
    /// that writes the buffer and one that reads the texture. Only software drivers are safe: they
    /// end each dispatch before the next.
    pub fn may_alias(&self) -> bool {
        self.caps.software && self.heuristics.texels
    }
}
