//! What may be chosen among kernels whose results agree up to rounding.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::conv::Variant;
use super::heuristics::Tiles;

/// A choice by the user or the tuner; what it leaves open follows from the heuristics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tuning {
    /// The convolution variant, for all geometries it can serve.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_reads_as_a_list() {
        let choice = Tuning {
            texels: Some(true),
            tiles: Some(Tiles::Large),
            groups: Some(7),
            fuse: Some(false),
            ..Tuning::default()
        };
        assert_eq!(
            choice.to_string(),
            "textures, large tiles, 7 groups, unfused"
        );
        assert_eq!(Tuning::default().to_string(), "the adapter's own");
    }
}
