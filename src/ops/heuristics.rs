//! Tuning constants that depend on the processor.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::plan::Caps;

/// How operations are lowered for a kind of processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Heuristics {
    /// Convolutions read images from textures. On software adapters a texel loads several times faster
    /// than four values of a buffer.
    pub texels: bool,
    /// Chains of operations are fused, and independent steps share dispatches. A GPU drains between
    /// dependent dispatches.
    pub fuse: bool,
    /// Largest tiles.
    pub tiles: Tiles,
    /// Workgroups that keep the processor busy. Weight gradients are split into this many; workgroup
    /// tiles are made smaller if there are less than a quarter of this many.
    pub groups: usize,
    /// Convolutions broadcast weights in subgroups instead of using workgroup memory. On a CPU
    /// workgroup memory is ordinary memory, and a load costs more than the arithmetic on it.
    #[serde(skip)]
    pub broadcast: bool,
    /// The thin variant is used. SwiftShader takes minutes to compile its unrolled loops.
    #[serde(skip)]
    pub thin: bool,
    /// The invocations of a workgroup share the positions of a thin weight gradient.
    #[serde(skip)]
    pub thin_deep: bool,
    /// Dense layers run as 1×1 convolutions. A CPU gains more from tiles than from parallelism.
    #[serde(skip)]
    pub dense_as_conv: bool,
    /// Light steps share dispatches even if other steps do not.
    #[serde(skip)]
    pub bundle_light: bool,
    /// Most rows of a sum that one invocation adds; longer sums use a workgroup.
    #[serde(skip)]
    pub serial_rows: usize,
    /// Most columns, or quads of columns, of a sum per workgroup. A cache line holds four quads.
    #[serde(skip)]
    pub sum_columns: usize,
    /// Most rounds of loads in a workgroup's sum; longer sums take two steps.
    #[serde(skip)]
    pub sum_rounds: usize,
    /// Bytes of images per split of a weight gradient, chosen to fit into a cache.
    #[serde(skip)]
    pub split_bytes: usize,
    /// Most splits of a tiled weight gradient. Reducing a split costs as much as writing it.
    #[serde(skip)]
    pub splits: usize,
    /// Time limit of a submission. On a GPU watchdogs end long submissions and the desktop waits for
    /// them; on a software adapter Ctrl-C waits for the two in flight.
    #[serde(skip)]
    pub submission_time: Duration,
}

const NO_LIMIT: usize = usize::MAX;

const GPU: Heuristics = Heuristics {
    texels: false,
    fuse: true,
    tiles: Tiles::Medium,
    groups: 1024,
    broadcast: false,
    thin: true,
    thin_deep: true,
    dense_as_conv: false,
    bundle_light: false,
    serial_rows: 8,
    sum_columns: 8,
    sum_rounds: 32,
    split_bytes: NO_LIMIT,
    splits: 64,
    submission_time: Duration::from_millis(250),
};

const CPU: Heuristics = Heuristics {
    texels: true,
    fuse: false,
    tiles: Tiles::Small,
    groups: 64,
    broadcast: true,
    thin: true,
    thin_deep: false,
    dense_as_conv: true,
    bundle_light: true,
    serial_rows: 64,
    sum_columns: 4,
    sum_rounds: NO_LIMIT,
    split_bytes: 512 << 10,
    splits: NO_LIMIT,
    submission_time: Duration::from_secs(1),
};

impl Heuristics {
    /// The heuristics for an adapter. A software adapter runs on this machine's CPU; that of a browser
    /// is SwiftShader, or much like it.
    pub fn of(caps: &Caps) -> Self {
        let in_browser = cfg!(target_arch = "wasm32");
        match caps.software {
            false => GPU,
            true if in_browser => Heuristics {
                texels: false,
                thin: false,
                submission_time: GPU.submission_time,
                ..CPU
            },
            true => Heuristics {
                tiles: Tiles::of_this_processor(),
                thin: !(1..8).contains(&caps.subgroup_min),
                ..CPU
            },
        }
    }
}

impl Heuristics {
    /// The same with every fusion enabled, to test on a CPU what GPUs run.
    #[must_use]
    pub fn as_fused(self) -> Self {
        Heuristics {
            texels: false,
            fuse: true,
            dense_as_conv: false,
            thin_deep: true,
            ..self
        }
    }
}

/// Size of a tile. Larger tiles need fewer loads and leave fewer workgroups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tiles {
    /// `workgroup`: 32 × 32, four slices share the terms (split-K). `broadcast`: 16 channels, one quad
    /// per iteration.
    Small,
    /// `workgroup`: 64 × 32, two slices. `broadcast`: 32 channels, one quad per iteration.
    Medium,
    /// `workgroup`: 64 × 64, one slice. `broadcast`: 32 channels, two quads per iteration.
    Large,
}

impl Tiles {
    /// Every size, the smallest first.
    pub const ALL: [Tiles; 3] = [Tiles::Small, Tiles::Medium, Tiles::Large];

    /// Name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Tiles::Small => "small",
            Tiles::Medium => "medium",
            Tiles::Large => "large",
        }
    }

    /// Medium needs 32 vector registers (AVX-512, NEON). Large has a loop of 4 500 instructions, which
    /// exceeds the micro-op cache of AMD's processors; SSE4a identifies AMD.
    fn of_this_processor() -> Self {
        #[cfg(target_arch = "x86_64")]
        let (many_registers, amd) = (
            is_x86_feature_detected!("avx512vl"),
            is_x86_feature_detected!("sse4a"),
        );
        #[cfg(not(target_arch = "x86_64"))]
        let (many_registers, amd) = (cfg!(target_arch = "aarch64"), false);
        match (many_registers, amd) {
            (false, _) => Tiles::Small,
            (true, true) => Tiles::Medium,
            (true, false) => Tiles::Large,
        }
    }
}
