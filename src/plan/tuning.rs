//! What may be chosen among kernels whose results agree up to rounding.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Caps, Tiles, Variant};

/// A choice; what it leaves open follows from the adapter's capabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tuning {
    /// The convolution kernels, for all geometries they can serve.
    pub variant: Option<Variant>,
    /// Whether images are read from textures.
    pub texels: Option<bool>,
    /// [`Caps::tiles`].
    pub tiles: Option<Tiles>,
    /// [`Caps::groups`].
    pub groups: Option<usize>,
    /// [`Caps::fuse`].
    pub fuse: Option<bool>,
}

impl Tuning {
    /// The capabilities with this choice made.
    #[must_use]
    pub fn apply(self, caps: &Caps) -> Caps {
        Caps {
            pinned: self.variant.or(caps.pinned),
            texels: self.texels.unwrap_or(caps.texels),
            tiles: self.tiles.unwrap_or(caps.tiles),
            groups: self.groups.unwrap_or(caps.groups),
            fuse: self.fuse.unwrap_or(caps.fuse),
            ..caps.clone()
        }
    }
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
    fn what_a_choice_leaves_open_stays_as_it_was() {
        let caps = Caps::portable();
        assert_eq!(Tuning::default().apply(&caps), caps);
        let choice = Tuning {
            texels: Some(true),
            tiles: Some(Tiles::Large),
            groups: Some(7),
            fuse: Some(false),
            ..Tuning::default()
        };
        let expected = Caps {
            texels: true,
            tiles: Tiles::Large,
            groups: 7,
            fuse: false,
            ..caps.clone()
        };
        assert_eq!(choice.apply(&caps), expected);
        assert_eq!(
            choice.to_string(),
            "textures, large tiles, 7 groups, unfused"
        );
        assert_eq!(Tuning::default().to_string(), "the adapter's own");
    }
}
