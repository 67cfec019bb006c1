//! Tiles of rows × columns in workgroup memory, for GPUs: where they fit and their grids.
//! Steps and twins are those of [`super::conv`].

use super::conv::{Call, Conv};
use crate::plan::{Tiles, groups};

/// Quads need channel counts which are multiples of 4.
pub fn fits(spec: &Conv) -> bool {
    spec.big[2].is_multiple_of(4) && spec.small[2].is_multiple_of(4)
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
