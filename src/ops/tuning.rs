//! Choices among kernels whose results agree up to rounding.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::conv::Variant;
use super::heuristics::{Heuristics, Tiles};
use super::target::Target;

/// Choices of the user or the tuner; the heuristics decide the `None`s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tuning {
    /// The convolution variant for all geometries that it serves.
    pub variant: Option<Variant>,
    /// Whether images are read from textures.
    pub texels: Option<bool>,
    /// Largest tiles.
    pub tiles: Option<Tiles>,
    /// Workgroups that keep the processor busy.
    pub groups: Option<usize>,
    /// Whether operations are fused and steps share dispatches.
    pub fuse: Option<bool>,
}

impl fmt::Display for Tuning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let images = self
            .texels
            .map(|on| if on { "textures" } else { "buffers" });
        let tiles = self.tiles.map(|tiles| format!("{} tiles", tiles.name()));
        let groups = self.groups.map(|groups| format!("{groups} groups"));
        let fused = self.fuse.map(|on| if on { "fused" } else { "unfused" });
        let variant = self.variant.map(Variant::name);
        let parts = [variant, images, tiles.as_deref(), groups.as_deref(), fused];
        let named: Vec<&str> = parts.into_iter().flatten().collect();
        match &named[..] {
            [] => f.write_str("the adapter's own"),
            some => f.write_str(&some.join(", ")),
        }
    }
}

impl Target {
    /// The target with these choices applied.
    #[must_use]
    pub fn tuned(&self, choice: &Tuning) -> Self {
        let own = match choice.fuse {
            Some(true) => self.heuristics.as_fused(),
            _ => self.heuristics,
        };
        Target {
            caps: self.caps.clone(),
            heuristics: Heuristics {
                texels: choice.texels.unwrap_or(own.texels),
                tiles: choice.tiles.unwrap_or(own.tiles),
                groups: choice.groups.unwrap_or(own.groups),
                fuse: choice.fuse.unwrap_or(own.fuse),
                ..own
            },
            pinned: choice.variant.map(Variant::name).or(self.pinned),
        }
    }
}
