//! Tiles of rows × columns in workgroup memory, for GPUs: where they fit and their grids.
//! Steps and twins are those of [`super`].

use super::{Call, Conv};
use crate::plan::shader::reflect;
use crate::plan::{Caps, Tiles, groups};

/// Positions that a weight gradient takes in whole rounds, whatever its tiles.
pub const ROUND: usize = 64;

/// Quads need channel counts which are multiples of 4, and the tiles workgroup memory.
pub fn fits(caps: &Caps, spec: &Conv) -> bool {
    let has_room = sizes(caps).next().is_some();
    has_room && spec.big[2].is_multiple_of(4) && spec.small[2].is_multiple_of(4)
}

/// Sizes of tiles for which the adapter has workgroup memory, the largest first. Small tiles need
/// the most: their slices have terms of their own.
fn sizes(caps: &Caps) -> impl Iterator<Item = Tiles> {
    let most = caps.workgroup_memory;
    let fits = move |tiles: &Tiles| {
        reflect(module(*tiles), "correlate").is_ok_and(|entry| entry.memory_bytes() <= most)
    };
    Tiles::ALL.into_iter().rev().filter(fits)
}

/// The size of the tiles of a call: the adapter's, or a smaller one where those would be too few to
/// occupy it. A weight gradient is cut into as many sums as that takes. Where the adapter has no
/// memory for that size, the nearest one for which it has.
pub fn tiles(caps: &Caps, spec: &Conv, batch: usize, call: Call) -> Tiles {
    let occupies = |tiles: &Tiles| {
        let all: u32 = grid(*tiles, spec, batch, call).iter().product();
        all as usize >= caps.groups / 4
    };
    let smallest = sizes(caps).last().unwrap_or(Tiles::Small);
    let mut no_larger = sizes(caps).filter(|t| *t <= caps.tiles);
    let wanted = match call {
        Call::WeightGrad(_) => no_larger.next(),
        Call::Correlate | Call::Adjoint => no_larger.find(occupies),
    };
    wanted.unwrap_or(smallest)
}

/// The module with tiles of that size.
pub fn module(tiles: Tiles) -> &'static str {
    match tiles {
        Tiles::Small => "conv_workgroup_small",
        Tiles::Medium => "conv_workgroup",
        Tiles::Large => "conv_workgroup_large",
    }
}

/// Rows and columns of a tile, as `shaders/common/tiles_*.wgsl` has them in quads.
fn shape(tiles: Tiles) -> [usize; 2] {
    match tiles {
        Tiles::Small => [32, 32],
        Tiles::Medium => [64, 32],
        Tiles::Large => [64, 64],
    }
}

/// Workgroups of a call.
pub fn grid(tiles: Tiles, spec: &Conv, batch: usize, call: Call) -> [u32; 3] {
    let [tile_rows, tile_columns] = shape(tiles);
    // An axis of a grid has 65 535 workgroups at most.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::conv::Padding;

    #[test]
    fn an_adapter_with_less_workgroup_memory_gets_tiles_that_fit_it() {
        let spec = Conv::new([28, 28, 32], 64, 3, 2, Padding::Same);
        let caps = |workgroup_memory| Caps {
            workgroup_memory,
            ..Caps::gpu()
        };
        // 32 bytes short of WebGPU's least, as OpenGL's defaults are.
        for (memory, expected) in [
            (16_384, Some(Tiles::Small)),
            (16_352, Some(Tiles::Medium)),
            (12_287, Some(Tiles::Large)),
            (8_191, None),
        ] {
            let caps = caps(memory);
            assert_eq!(fits(&caps, &spec), expected.is_some(), "{memory} bytes");
            if let Some(expected) = expected {
                assert_eq!(
                    tiles(&caps, &spec, 32, Call::Correlate),
                    expected,
                    "{memory} bytes"
                );
            }
        }
    }

    // The tutorial's second transposed layer, whose gradient has 6272 pixels of 64 channels at batch 32.
    #[test]
    fn tiles_are_as_large_as_leaves_enough_of_them() {
        let spec = Conv::new([28, 28, 32], 64, 3, 2, Padding::Same);
        let large = Caps {
            tiles: Tiles::Large,
            ..Caps::gpu()
        };
        for (batch, caps, call, expected) in [
            (32, &Caps::gpu(), Call::Correlate, Tiles::Small),
            (32, &Caps::gpu(), Call::Adjoint, Tiles::Medium),
            (64, &Caps::gpu(), Call::Correlate, Tiles::Medium),
            (64, &large, Call::Correlate, Tiles::Medium),
            (128, &large, Call::Correlate, Tiles::Large),
            (128, &Caps::gpu(), Call::Correlate, Tiles::Medium),
            (1, &large, Call::WeightGrad(4), Tiles::Large),
        ] {
            let found = tiles(caps, &spec, batch, call);
            assert_eq!(found, expected, "batch {batch}, {call:?}, {:?}", caps.tiles);
        }
    }
}
