// Convolution in tiles of workgroup memory, for GPUs. Channel counts are multiples of 4.
//
// Each kernel is a product of matrices. Its columns are channels; its rows are pixels or, in the
// weight gradient, the other channels of each tap. A workgroup owns a tile of ROWS × COLUMNS quads,
// from common/tiles_*.wgsl, an invocation 4 × 8 of its values. In rounds of 16 terms the workgroup
// copies its rows and columns, so that each is read from far memory once and not by every invocation
// that needs it. While a round is multiplied, the next is already on its way.

const TERMS = 16u;                  // terms of a round
const QUADS = 4u;                   // quads of them
const LANES = ROWS * COLUMNS / 2u;  // invocations, of which each owns two quads of columns

var<workgroup> tile_rows: array<vec4<f32>, TERMS * ROWS>;        // [TERMS, ROWS]
var<workgroup> tile_columns: array<vec4<f32>, TERMS * COLUMNS>;  // [TERMS, COLUMNS]

// What an invocation brings to a round: four terms, one per column, of a quad each.
struct Terms {
    rows: mat4x4<f32>,
    columns: mat4x4<f32>,
}

// Its sums, one row per column: of the first quad of columns and of the second.
struct Sums {
    m0: mat4x4<f32>,
    m1: mat4x4<f32>,
}

// Which quads an invocation brings, of rows and of columns; where they are more than there are to
// bring, the last ones repeat what the first bring, and keep it.
fn row_of(lane: u32) -> u32 {
    return lane % ROWS;
}

fn row_term_of(lane: u32) -> u32 {
    return lane / ROWS % QUADS;
}

fn column_of(lane: u32) -> u32 {
    return lane % COLUMNS;
}

fn column_term_of(lane: u32) -> u32 {
    return lane / COLUMNS % QUADS;
}

// The first of the two quads of columns that an invocation sums.
fn first_column_of(lane: u32) -> u32 {
    return 2u * (lane / ROWS);
}

// The tile of rows of a workgroup: those past the last fit of a grid's axis stand along z.
fn tile_of(group: vec3<u32>, groups: vec3<u32>) -> u32 {
    return group.z * groups.y + group.y;
}

fn share(lane: u32, terms: Terms) {
    workgroupBarrier();  // all have multiplied what was there
    if lane < ROWS * QUADS {
        let row = 4u * row_term_of(lane) * ROWS + row_of(lane);
        tile_rows[row] = terms.rows[0];
        tile_rows[row + ROWS] = terms.rows[1];
        tile_rows[row + 2u * ROWS] = terms.rows[2];
        tile_rows[row + 3u * ROWS] = terms.rows[3];
    }
    if lane < COLUMNS * QUADS {
        let column = 4u * column_term_of(lane) * COLUMNS + column_of(lane);
        tile_columns[column] = terms.columns[0];
        tile_columns[column + COLUMNS] = terms.columns[1];
        tile_columns[column + 2u * COLUMNS] = terms.columns[2];
        tile_columns[column + 3u * COLUMNS] = terms.columns[3];
    }
    workgroupBarrier();
}

fn outer(column: vec4<f32>, row: vec4<f32>) -> mat4x4<f32> {
    return mat4x4(column * row.x, column * row.y, column * row.z, column * row.w);
}

fn multiply(lane: u32, sums: Sums) -> Sums {
    var s = sums;
    var row = row_of(lane);
    var column = first_column_of(lane);
    for (var term = 0u; term < TERMS; term++) {
        s.m0 += outer(tile_columns[column], tile_rows[row]);
        s.m1 += outer(tile_columns[column + 1u], tile_rows[row]);
        row += ROWS;
        column += COLUMNS;
    }
    return s;
}

// Rounds of a tap, and the quad of channels at which one starts. Channels past the last are zero.
fn rounds(quads: u32) -> u32 {
    return (quads + QUADS - 1u) / QUADS;
}

fn within(starts: vec4<u32>, quad: u32, quads: u32) -> vec4<u32> {
    return select(starts, vec4(NONE), vec4(quad >= quads));
}

fn correlate_terms(p: Pixels, round: u32, lane: u32, s4: u32) -> Terms {
    let tap = round / rounds(BIG_QUADS);
    let c4 = QUADS * (round % rounds(BIG_QUADS));
    let starts = big_starts(p, tap / KERNEL, tap % KERNEL);
    let quad = c4 + row_term_of(lane);
    return Terms(
        transpose(load_big(within(starts, quad, BIG_QUADS), min(quad, BIG_QUADS - 1u))),
        load_weights(tap, c4 + column_term_of(lane), s4 + column_of(lane)),
    );
}

// Small pixels from `first`, quads from s4.
fn correlation(first: u32, s4: u32, lane: u32) -> Sums {
    let p = pixels(first + 4u * row_of(lane), SMALL_H, SMALL_W);
    let all = KERNEL * KERNEL * rounds(BIG_QUADS);
    var sums = Sums();
    var terms = correlate_terms(p, 0u, lane, s4);
    for (var round = 1u; round <= all; round++) {
        share(lane, terms);
        if round < all {
            terms = correlate_terms(p, round, lane, s4);
        }
        sums = multiply(lane, sums);
    }
    return sums;
}

// Taps which a phase meets along an axis: every STRIDE-th from the first.
fn taps(reach: u32) -> u32 {
    return (KERNEL + STRIDE - 1u - reach % STRIDE) / STRIDE;
}

fn adjoint_terms(p: Pixels, reach: vec2<u32>, round: u32, lane: u32, c4: u32) -> Terms {
    let tap = round / rounds(SMALL_QUADS);
    let s4 = QUADS * (round % rounds(SMALL_QUADS));
    let a = reach.x % STRIDE + tap / taps(reach.y) * STRIDE;
    let b = reach.y % STRIDE + tap % taps(reach.y) * STRIDE;
    let dy = (i32(reach.x) - i32(a)) / i32(STRIDE);
    let dx = (i32(reach.y) - i32(b)) / i32(STRIDE);
    let starts = small_starts(p, dy, dx);
    let quad = s4 + row_term_of(lane);
    return Terms(
        transpose(load_small(within(starts, quad, SMALL_QUADS), min(quad, SMALL_QUADS - 1u))),
        transpose(load_weights(
            a * KERNEL + b,
            c4 + column_of(lane),
            s4 + column_term_of(lane),
        )),
    );
}

// Big pixels of a phase from `first`, quads from c4.
fn adjoint_sums(phase: vec2<u32>, first: u32, c4: u32, lane: u32) -> Sums {
    let p = pixels(first + 4u * row_of(lane), PHASE_H, PHASE_W);
    let reach = phase + vec2(PAD_Y, PAD_X);
    let all = taps(reach.x) * taps(reach.y) * rounds(SMALL_QUADS);
    var sums = Sums();
    var terms = adjoint_terms(p, reach, 0u, lane, c4);
    for (var round = 1u; round <= all; round++) {
        share(lane, terms);
        if round < all {
            terms = adjoint_terms(p, reach, round, lane, c4);
        }
        sums = multiply(lane, sums);
    }
    return sums;
}

// Rows: quads of big channels, tap by tap, from `first`; terms: positions from p, before `end`.
fn weight_terms(p: u32, end: u32, first: u32, lane: u32, s4: u32) -> Terms {
    let row = first + row_of(lane);
    let tap = row / BIG_QUADS;
    let bigs = pixels(p + 4u * row_term_of(lane), SMALL_H, SMALL_W);
    let smalls = positions_before(p + 4u * column_term_of(lane), end);
    return Terms(
        load_big(big_starts(bigs, tap / KERNEL, tap % KERNEL), row % BIG_QUADS),
        load_small(smalls, min(s4 + column_of(lane), SMALL_QUADS - 1u)),
    );
}

@compute @workgroup_size(LANES)
fn correlate(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let first = 4u * ROWS * tile_of(group, groups);
    let s4 = COLUMNS * group.x;
    let sums = correlation(first, s4, lane);
    let pixel = first + 4u * row_of(lane);
    let quad = s4 + first_column_of(lane);
    forward_small(pixel, quad, sums.m0);
    forward_small(pixel, quad + 1u, sums.m1);
}

@compute @workgroup_size(LANES)
fn correlate_gated(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let first = 4u * ROWS * tile_of(group, groups);
    let s4 = COLUMNS * group.x;
    let sums = correlation(first, s4, lane);
    let pixel = first + 4u * row_of(lane);
    let quad = s4 + first_column_of(lane);
    backward_small(pixel, quad, sums.m0);
    backward_small(pixel, quad + 1u, sums.m1);
}

@compute @workgroup_size(LANES)
fn adjoint(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let phase = phase_of(group);
    let first = 4u * ROWS * tile_of(group, groups);
    let c4 = COLUMNS * (group.x / (STRIDE * STRIDE));
    let sums = adjoint_sums(phase, first, c4, lane);
    let pixel = first + 4u * row_of(lane);
    let quad = c4 + first_column_of(lane);
    forward_big(phase, pixel, quad, sums.m0);
    forward_big(phase, pixel, quad + 1u, sums.m1);
}

@compute @workgroup_size(LANES)
fn adjoint_gated(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let phase = phase_of(group);
    let first = 4u * ROWS * tile_of(group, groups);
    let c4 = COLUMNS * (group.x / (STRIDE * STRIDE));
    let sums = adjoint_sums(phase, first, c4, lane);
    let pixel = first + 4u * row_of(lane);
    let quad = c4 + first_column_of(lane);
    backward_big(phase, pixel, quad, sums.m0);
    backward_big(phase, pixel, quad + 1u, sums.m1);
}

@compute @workgroup_size(LANES)
fn weight_grad(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let first = ROWS * group.y;
    let s4 = COLUMNS * group.x;
    let range = split_range(group.z);
    var sums = Sums();
    var terms = weight_terms(range.x, range.y, first, lane, s4);
    for (var p = range.x; p < range.y; p += TERMS) {
        share(lane, terms);
        if p + TERMS < range.y {
            terms = weight_terms(p + TERMS, range.y, first, lane, s4);
        }
        sums = multiply(lane, sums);
    }
    let row = first + row_of(lane);
    let quad = s4 + first_column_of(lane);
    store_partials(group.z, row / BIG_QUADS, row % BIG_QUADS, quad, sums.m0);
    store_partials(group.z, row / BIG_QUADS, row % BIG_QUADS, quad + 1u, sums.m1);
}
