//! Tiles of rows × columns in workgroup memory, for GPUs.

use super::kernels::{Call, Kernels, Site};
use super::spec::Conv;
use crate::ops::heuristics::Tiles;
use crate::ops::target::Target;
use crate::ops::wgsl::files;
use crate::plan::{Source, groups};

/// The `workgroup` kernels.
pub struct Workgroup;

/// By tile size, the smallest first.
static SOURCES: [Source; 3] = [
    Source::new(
        "conv_workgroup_small",
        files!(
            "common/buffers",
            "common/activation",
            "common/conv",
            "common/tiles_small",
            "conv_workgroup"
        ),
    ),
    Source::new(
        "conv_workgroup",
        files!(
            "common/buffers",
            "common/activation",
            "common/conv",
            "common/tiles_medium",
            "conv_workgroup"
        ),
    ),
    Source::new(
        "conv_workgroup_large",
        files!(
            "common/buffers",
            "common/activation",
            "common/conv",
            "common/tiles_large",
            "conv_workgroup"
        ),
    ),
];

/// Tile sizes that fit into the adapter's workgroup memory, the largest first. Small tiles need the
/// most memory, since each of their slices has its own terms.
fn sizes(target: &Target) -> impl Iterator<Item = Tiles> {
    let most = target.caps.workgroup_memory;
    let fits = move |tiles: &Tiles| {
        let entry = SOURCES[*tiles as usize].reflect("correlate");
        entry.is_ok_and(|entry| entry.memory_bytes() <= most)
    };
    Tiles::ALL.into_iter().rev().filter(fits)
}

/// The tile size of a call: the adapter's, or a smaller one if those tiles are too few to occupy the
/// adapter. A weight gradient is split instead. If the size does not fit into workgroup memory, the
/// nearest one that does.
fn tiles(site: &Site, call: Call) -> Tiles {
    let (target, own) = (site.target, site.target.heuristics);
    let occupies = |tiles: &Tiles| {
        let all: u32 = grid(*tiles, site, call).iter().product();
        all as usize >= own.groups / 4
    };
    let smallest = sizes(target).last().unwrap_or(Tiles::Small);
    let mut no_larger = sizes(target).filter(|t| *t <= own.tiles);
    let wanted = match call {
        Call::WeightGrad(_) => no_larger.next(),
        Call::Correlate | Call::Adjoint => no_larger.find(occupies),
    };
    wanted.unwrap_or(smallest)
}

/// Rows and columns of a tile; `shaders/common/tiles_*.wgsl` give them in quads.
fn shape(tiles: Tiles) -> [usize; 2] {
    match tiles {
        Tiles::Small => [32, 32],
        Tiles::Medium => [64, 32],
        Tiles::Large => [64, 64],
    }
}

/// Workgroups of a call with tiles of this size.
fn grid(tiles: Tiles, &Site { spec, batch, .. }: &Site, call: Call) -> [u32; 3] {
    let [tile_rows, tile_columns] = shape(tiles);
    // An axis of a grid has at most 65 535 workgroups.
    const COLUMN: u32 = 32_768;
    let tiles = |x: u32, pixels: usize| {
        let all = groups(pixels, tile_rows);
        [x, all.min(COLUMN), all.div_ceil(COLUMN)]
    };
    let blocks = |channels: usize| groups(channels, tile_columns);
    let phases = groups(spec.stride * spec.stride, 1);
    match call {
        Call::Correlate => tiles(blocks(spec.small[2]), batch * spec.small_pixels()),
        Call::Adjoint => tiles(phases * blocks(spec.big[2]), batch * spec.phase_pixels()),
        Call::WeightGrad(splits) => {
            let rows = spec.kernel * spec.kernel * spec.big[2];
            [
                blocks(spec.small[2]),
                groups(rows, tile_rows),
                groups(splits, 1),
            ]
        }
    }
}

impl Kernels for Workgroup {
    fn sources(&self) -> &'static [Source] {
        &SOURCES
    }

    /// Channel counts must be multiples of 4, and tiles must fit into workgroup memory.
    fn fits(&self, target: &Target, spec: &Conv) -> bool {
        sizes(target).next().is_some() && spec.has_quads()
    }

    fn source(&self, site: &Site, call: Call, _: bool) -> &'static Source {
        &SOURCES[tiles(site, call) as usize]
    }

    fn reads_texels(&self) -> bool {
        false
    }

    fn grid(&self, site: &Site, call: Call) -> [u32; 3] {
        grid(tiles(site, call), site, call)
    }

    fn round(&self) -> usize {
        64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::Heuristics;
    use crate::ops::conv::Padding;
    use crate::plan::Caps;

    fn tiles_of(target: &Target, spec: Conv, batch: usize, call: Call) -> Tiles {
        let site = Site {
            target,
            spec,
            batch,
        };
        tiles(&site, call)
    }

    #[test]
    fn an_adapter_with_less_workgroup_memory_gets_tiles_that_fit_it() {
        let spec = Conv::new([28, 28, 32], 64, 3, 2, Padding::Same);
        // 32 bytes below WebGPU's minimum, like wgpu's downlevel limits for OpenGL.
        for (workgroup_memory, expected) in [
            (16_384, Some(Tiles::Small)),
            (16_352, Some(Tiles::Medium)),
            (12_287, Some(Tiles::Large)),
            (8_191, None),
        ] {
            let target = Target::new(Caps {
                workgroup_memory,
                ..Caps::gpu()
            });
            let fits = Workgroup.fits(&target, &spec);
            assert_eq!(fits, expected.is_some(), "{workgroup_memory} bytes");
            if let Some(expected) = expected {
                let found = tiles_of(&target, spec, 32, Call::Correlate);
                assert_eq!(found, expected, "{workgroup_memory} bytes");
            }
        }
    }

    // The tutorial's deconv2: its gradient has 6272 pixels of 64 channels at batch 32.
    #[test]
    fn tiles_are_as_large_as_leaves_enough_of_them() {
        let spec = Conv::new([28, 28, 32], 64, 3, 2, Padding::Same);
        let gpu = Target::gpu();
        let large = Target {
            heuristics: Heuristics {
                tiles: Tiles::Large,
                ..gpu.heuristics
            },
            ..gpu.clone()
        };
        for (batch, target, call, expected) in [
            (32, &gpu, Call::Correlate, Tiles::Small),
            (32, &gpu, Call::Adjoint, Tiles::Medium),
            (64, &gpu, Call::Correlate, Tiles::Medium),
            (64, &large, Call::Correlate, Tiles::Medium),
            (128, &large, Call::Correlate, Tiles::Large),
            (128, &gpu, Call::Correlate, Tiles::Medium),
            (1, &large, Call::WeightGrad(4), Tiles::Large),
        ] {
            let found = tiles_of(target, spec, batch, call);
            let tiles = target.heuristics.tiles;
            assert_eq!(found, expected, "batch {batch}, {call:?}, {tiles:?}");
        }
    }
}
