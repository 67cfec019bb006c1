//! The numbers that depend on the processor, by name.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::plan::Caps;

/// How operations are lowered for a kind of processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Heuristics {
    /// Convolutions read images from textures. On a CPU a texel loads several times faster than
    /// four values of a buffer.
    pub texels: bool,
    /// Fused kernels replace chains of operations, and independent steps share dispatches. A GPU
    /// drains between dependent dispatches.
    pub fuse: bool,
    /// Largest tiles.
    pub tiles: Tiles,
    /// Workgroups that keep the processor busy. Weight gradients are split to make so many; tiles
    /// in workgroup memory are smaller where they make less than a quarter.
    pub groups: usize,
    /// Convolutions broadcast weights within subgroups rather than keep tiles in workgroup memory.
    /// To a CPU all memory is alike, and a load costs more than the arithmetic it feeds.
    #[serde(skip)]
    pub broadcast: bool,
    /// Thin convolutions are used. SwiftShader takes minutes to compile their unrolled loops.
    #[serde(skip)]
    pub thin: bool,
    /// The workgroups of a thin weight gradient share its positions.
    #[serde(skip)]
    pub thin_deep: bool,
    /// Dense layers run as 1×1 convolutions. A CPU gains more from tiles than from parallelism.
    #[serde(skip)]
    pub dense_as_conv: bool,
    /// Light steps share dispatches although nothing else does.
    #[serde(skip)]
    pub bundle_light: bool,
    /// Rows of a sum that one invocation adds; longer sums take a workgroup.
    #[serde(skip)]
    pub serial_rows: usize,
    /// Most columns, or quads of columns, of a sum that share a workgroup. A cache line has four
    /// quads.
    #[serde(skip)]
    pub sum_columns: usize,
    /// Most rounds of loads of a workgroup's sum; longer sums take two steps.
    #[serde(skip)]
    pub sum_rounds: usize,
    /// Bytes of images per split of a weight gradient: what a cache holds.
    #[serde(skip)]
    pub split_bytes: usize,
    /// Most splits of a tiled weight gradient. Reducing a split costs as much as writing it.
    #[serde(skip)]
    pub splits: usize,
    /// How long a submission may keep the adapter busy. Watchdogs end long ones on a GPU that also
    /// draws a desktop; a software adapter has none, but Ctrl-C waits for the two in flight.
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
    /// Those of an adapter; a software adapter computes on this machine's processor.
    pub fn of(caps: &Caps) -> Self {
        if !caps.software {
            return GPU;
        }
        Heuristics {
            tiles: Tiles::of_this_processor(),
            thin: !(1..8).contains(&caps.subgroup_min),
            ..CPU
        }
    }
}

impl Heuristics {
    /// Those under which every fusion applies: on a CPU this is a test of what GPUs run.
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

/// Size of a tile: a larger one needs fewer loads, and leaves less to run in parallel.
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

    /// Medium needs 32 vector registers (AVX-512, NEON). Large has a loop of 4 500 instructions,
    /// which outgrows the micro-op cache of AMD's processors; of the two vendors AMD alone has SSE4a.
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
