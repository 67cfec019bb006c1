//! Adapter capabilities as plain data, so that plans can be built and checked without an adapter.

use serde::Serialize;

/// Capabilities of an adapter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Caps {
    /// Smallest subgroup size; 0 if subgroup operations are missing or disabled.
    pub subgroup_min: u32,
    /// Largest subgroup size; 0 if subgroup operations are missing or disabled.
    pub subgroup_max: u32,
    /// The adapter runs on the CPU (lavapipe, SwiftShader, WARP).
    pub software: bool,
    /// Supports GPU timestamps between dispatches of one pass.
    pub timestamps: bool,
    /// Most storage buffers per dispatch.
    pub max_buffers: usize,
    /// Largest storage buffer binding in bytes.
    pub max_binding_bytes: u64,
    /// Workgroup memory in bytes.
    pub workgroup_memory: u32,
}

impl Caps {
    /// The minimum that every WebGPU adapter offers.
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

    /// The minimum that a discrete GPU with a Vulkan driver offers.
    pub fn gpu() -> Self {
        Caps {
            max_buffers: 16,
            ..Self::portable()
        }
    }
}
