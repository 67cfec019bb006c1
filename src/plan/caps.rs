//! What an adapter offers, as plain data, so that choosing kernels needs no GPU.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Capabilities of an adapter which decide kernel variants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Caps {
    /// Smallest subgroup size, or 0 where subgroup operations are missing or switched off.
    pub subgroup_min: u32,
    /// Largest subgroup size, or 0.
    pub subgroup_max: u32,
    /// Read images from textures, which on a software adapter may be faster than from buffers.
    pub texels: bool,
    /// A CPU pretends to be a GPU (lavapipe, SwiftShader, WARP).
    pub software: bool,
    /// GPU timestamps can be taken between dispatches of one pass.
    pub timestamps: bool,
    /// Fold steps into their neighbours, and let those that do not depend on each other share a
    /// dispatch.
    pub fuse: bool,
    /// Storage buffers that a dispatch may bind.
    pub max_buffers: usize,
    /// Largest storage buffer that one binding may show, in bytes.
    pub max_binding_bytes: u64,
    /// Convolution variant that is pinned, if any.
    pub pinned: Option<Variant>,
    /// Largest size of the tiles of kernels that come in several. On a CPU medium ones pay where it has
    /// 32 vector registers, and cost where it has 16; large ones pay where it need not keep decoded
    /// instructions to be fast.
    pub tiles: Tiles,
    /// Workgroups that a weight gradient is cut into sums to make, where its own are fewer. Tiles in
    /// workgroup memory are smaller where a quarter as many would not come together.
    pub groups: usize,
    /// Bytes of workgroup memory.
    pub workgroup_memory: u32,
}

impl Caps {
    /// Whether a texture may share the memory of a buffer. wgpu sets no barrier between a dispatch
    /// that writes the one and a dispatch that reads the other, so only a software driver may, which
    /// ends each dispatch before it begins the next.
    pub fn may_alias(&self) -> bool {
        self.software && self.texels
    }

    /// How long a submission may keep the adapter busy. Watchdogs end long ones on a GPU that also
    /// draws a desktop; a software adapter has none, but whoever presses Ctrl-C waits for the two
    /// in flight.
    pub fn submission_time(&self) -> Duration {
        Duration::from_millis(if self.software { 1000 } else { 250 })
    }

    /// The least that every WebGPU adapter offers; what tests and tables use without an adapter.
    pub fn portable() -> Self {
        Caps {
            subgroup_min: 0,
            subgroup_max: 0,
            texels: false,
            software: false,
            timestamps: false,
            fuse: true,
            max_buffers: 8,
            max_binding_bytes: 128 << 20,
            pinned: None,
            tiles: Tiles::Medium,
            groups: Self::groups(false),
            workgroup_memory: 16 << 10,
        }
    }

    /// What a discrete GPU and its Vulkan driver offer at least.
    pub fn gpu() -> Self {
        Caps {
            max_buffers: 16,
            ..Self::portable()
        }
    }

    /// Workgroups that keep an adapter busy.
    pub fn groups(software: bool) -> usize {
        if software { 64 } else { 1024 }
    }
}

/// How much a tile holds: more needs fewer loads, and leaves less to run side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tiles {
    /// 32 × 32 in workgroup memory, whose terms four slices of a workgroup share; by broadcast, 16
    /// channels and a quad at a time.
    Small,
    /// 64 × 32, by two slices; 32 channels and a quad at a time.
    Medium,
    /// 64 × 64, by one; 32 channels and two quads at a time.
    Large,
}

impl Tiles {
    /// Every size, the smallest first.
    pub const ALL: [Tiles; 3] = [Tiles::Small, Tiles::Medium, Tiles::Large];

    /// Name as reports spell it.
    pub fn name(self) -> &'static str {
        match self {
            Tiles::Small => "small",
            Tiles::Medium => "medium",
            Tiles::Large => "large",
        }
    }
}

/// Families of convolution kernels. All have the same entry points, bindings and results
/// up to rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Variant {
    /// One output per invocation, scalar loads: the readable truth.
    Plain,
    /// For pictures of few channels, which would be padding in a tile.
    Thin,
    /// Register tiles of 4×4 matrices; runs on every adapter.
    Tile,
    /// Register tiles whose shared operand is loaded once per subgroup and broadcast.
    Broadcast,
    /// Tiles in workgroup memory, which a CPU has none of: for GPUs.
    Workgroup,
}

impl Variant {
    /// Every variant, the reference first.
    pub const ALL: [Variant; 5] = [
        Variant::Plain,
        Variant::Thin,
        Variant::Tile,
        Variant::Broadcast,
        Variant::Workgroup,
    ];

    /// Name as the command line and run records spell it.
    pub fn name(self) -> &'static str {
        match self {
            Variant::Plain => "plain",
            Variant::Thin => "thin",
            Variant::Tile => "tile",
            Variant::Broadcast => "broadcast",
            Variant::Workgroup => "workgroup",
        }
    }
}

impl std::str::FromStr for Variant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Variant::ALL
            .into_iter()
            .find(|v| v.name() == text)
            .ok_or_else(|| {
                format!("unknown variant `{text}`: use plain, thin, tile, broadcast or workgroup")
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A run that was tuned with textures on a software adapter may be resumed on a GPU.
    #[test]
    fn textures_share_the_memory_of_buffers_on_software_adapters_alone() {
        let caps = |software, texels| Caps {
            software,
            texels,
            ..Caps::gpu()
        };
        assert!(caps(true, true).may_alias());
        for (software, texels) in [(false, true), (true, false), (false, false)] {
            assert!(!caps(software, texels).may_alias());
        }
    }
}
