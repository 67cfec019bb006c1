//! What operations are lowered for: an adapter, the heuristics of its processor, and a choice.

use serde::Serialize;

use super::conv::Variant;
use super::heuristics::Heuristics;
use super::tuning::Tuning;
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
    /// Convolution variant of the user or the tuner, wherever it fits.
    pub pinned: Option<Variant>,
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

    /// The target with this choice made.
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
            pinned: choice.variant.or(self.pinned),
        }
    }

    /// Whether a texture may share the memory of a buffer. wgpu sets no barrier between a dispatch
    /// that writes the one and a dispatch that reads the other, so only a software driver may, which
    /// ends each dispatch before it begins the next.
    pub fn may_alias(&self) -> bool {
        self.caps.software && self.heuristics.texels
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::heuristics::Tiles;

    // A run that was tuned with textures on a software adapter may be resumed on a GPU.
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
        assert_eq!(tuned.tuned(&pin).pinned, Some(Variant::Tile));
    }
}
