//! What an adapter offers, as plain data, so that plans can be made and checked without one.

use serde::Serialize;

/// Facts about an adapter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Caps {
    /// Smallest subgroup size, or 0 where subgroup operations are missing or switched off.
    pub subgroup_min: u32,
    /// Largest subgroup size, or 0.
    pub subgroup_max: u32,
    /// A CPU emulates a GPU (lavapipe, SwiftShader, WARP).
    pub software: bool,
    /// GPU timestamps can be taken between dispatches of one pass.
    pub timestamps: bool,
    /// Storage buffers that a dispatch may bind.
    pub max_buffers: usize,
    /// Largest storage buffer that one binding may show, in bytes.
    pub max_binding_bytes: u64,
    /// Bytes of workgroup memory.
    pub workgroup_memory: u32,
}

impl Caps {
    /// The least that every WebGPU adapter offers; what tests and tables use without an adapter.
    pub fn portable() -> Self {
        Caps {
            subgroup_min: 0,
            subgroup_max: 0,
            software: false,
            timestamps: false,
            max_buffers: 8,
            max_binding_bytes: 128 << 20,
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
}
