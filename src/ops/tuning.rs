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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Caps;

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

    // A run tuned with textures on a software adapter may be resumed on a GPU.
    #[test]
    fn textures_share_the_memory_of_buffers_on_software_adapters_alone() {
        for (software, texels) in [(true, true), (false, true), (true, false), (false, false)] {
            let target = Target::new(Caps {
                software,
                ..Caps::gpu()
            });
            let texels = Some(texels);
            let target = target.tuned(&Tuning {
                texels,
                ..Tuning::default()
            });
            assert_eq!(target.may_alias(), software && texels == Some(true));
        }
    }

    #[test]
    fn what_a_choice_leaves_open_stays_as_it_was() {
        let target = Target::portable();
        assert_eq!(target.tuned(&Tuning::default()), target);
        let choice = Tuning {
            texels: Some(true),
            tiles: Some(Tiles::Large),
            groups: Some(7),
            fuse: Some(false),
            ..Tuning::default()
        };
        let tuned = target.tuned(&choice);
        let expected = Heuristics {
            texels: true,
            tiles: Tiles::Large,
            groups: 7,
            fuse: false,
            ..target.heuristics
        };
        assert_eq!((tuned.heuristics, tuned.pinned), (expected, None));
        assert_eq!(tuned.tuned(&Tuning::default()), tuned);
        let pin = Tuning {
            variant: Some(Variant::Tile),
            ..Tuning::default()
        };
        assert_eq!(tuned.tuned(&pin).pinned, Some("tile"));
    }
}
