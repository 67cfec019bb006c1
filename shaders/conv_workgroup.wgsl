// Convolution in tiles of workgroup memory, for GPUs. Channel counts are multiples of 4. Each kernel is a
// matrix product: columns are channels; rows are pixels or, in the weight gradient, the other channels of
// each tap. A workgroup owns ROWS × COLUMNS quads (common/tiles_*.wgsl), an invocation 4 × 8 values.

// A small tile leaves invocations over. They form slices (split-K) that each sum a share of the terms:
// a quarter of the time where tiles are too few to occupy a GPU.

const OWNERS = ROWS * COLUMNS / 2u;   // invocations of a slice; each owns two quads of columns
const SLICES = GROUP_SIZE / OWNERS;
const OWN_TERMS = 16u;                // terms per round and slice
const TERMS = SLICES * OWN_TERMS;     // terms per round
const ROUND_QUADS = TERMS / 4u;       // the same, in quads
const COLUMNS_AT = TERMS * ROWS;

// Each round stages its terms here, so that a tile reads global memory once; the next round's loads
// overlap its multiplications. [TERMS, ROWS], then [TERMS, COLUMNS]; reused to reduce the slices.
var<workgroup> quads: array<vec4<f32>, TERMS * (ROWS + COLUMNS)>;

// What an invocation stages per round: four terms, one per column, of a row quad and a column quad.
struct Terms {
    rows: mat4x4<f32>,
    columns: mat4x4<f32>,
}

// Its sums, one row per column: of its first quad of columns and of the second.
struct Sums {
    m0: mat4x4<f32>,
    m1: mat4x4<f32>,
}

// The quads that an invocation stages. Surplus invocations load a duplicate; `share` discards it.
fn row_of(lane: u32) -> u32 {
    return lane % ROWS;
}

fn row_term_of(lane: u32) -> u32 {
    return lane / ROWS % ROUND_QUADS;
}

fn column_of(lane: u32) -> u32 {
    return lane % COLUMNS;
}

fn column_term_of(lane: u32) -> u32 {
    return lane / COLUMNS % ROUND_QUADS;
}

// The invocation's slice and first quad of columns there. Its quad of rows is the one it stages.
fn slice_of(lane: u32) -> u32 {
    return lane / OWNERS;
}

fn first_column_of(lane: u32) -> u32 {
    return 2u * (lane % OWNERS / ROWS);
}

// The workgroup's tile of rows; tiles beyond the limit of axis y continue along z.
fn tile_of(group: vec3<u32>, groups: vec3<u32>) -> u32 {
    return group.z * groups.y + group.y;
}

fn share(lane: u32, terms: Terms) {
    workgroupBarrier();  // all have multiplied the previous round
    if lane < ROWS * ROUND_QUADS {
        let row = 4u * row_term_of(lane) * ROWS + row_of(lane);
        quads[row] = terms.rows[0];
        quads[row + ROWS] = terms.rows[1];
        quads[row + 2u * ROWS] = terms.rows[2];
        quads[row + 3u * ROWS] = terms.rows[3];
    }
    if lane < COLUMNS * ROUND_QUADS {
        let column = COLUMNS_AT + 4u * column_term_of(lane) * COLUMNS + column_of(lane);
        quads[column] = terms.columns[0];
        quads[column + COLUMNS] = terms.columns[1];
        quads[column + 2u * COLUMNS] = terms.columns[2];
        quads[column + 3u * COLUMNS] = terms.columns[3];
    }
    workgroupBarrier();
}

// m + column · row, as an explicit fma: otherwise each driver decides whether to fuse.
fn add_outer(m: mat4x4<f32>, column: vec4<f32>, row: vec4<f32>) -> mat4x4<f32> {
    return mat4x4(
        fma(column, vec4(row.x), m[0]),
        fma(column, vec4(row.y), m[1]),
        fma(column, vec4(row.z), m[2]),
        fma(column, vec4(row.w), m[3]),
    );
}

// Multiplies the slice's terms of a round.
fn multiply(lane: u32, sums: Sums) -> Sums {
    var s = sums;
    let first = OWN_TERMS * slice_of(lane);
    var row = first * ROWS + row_of(lane);
    var column = COLUMNS_AT + first * COLUMNS + first_column_of(lane);
    for (var term = 0u; term < OWN_TERMS; term++) {
        s.m0 = add_outer(s.m0, quads[column], quads[row]);
        s.m1 = add_outer(s.m1, quads[column + 1u], quads[row]);
        row += ROWS;
        column += COLUMNS;
    }
    return s;
}

// Reduction tree over slices, in a fixed order; the first slice gets the sums.
fn all_slices(lane: u32, sums: Sums) -> Sums {
    var s = sums;
    let slice = slice_of(lane);
    for (var left = SLICES / 2u; left > 0u; left /= 2u) {
        let width = left * OWNERS;
        workgroupBarrier();
        if slice >= left && slice < 2u * left {
            let at = lane - width;
            for (var k = 0u; k < 4u; k++) {
                quads[at + k * width] = s.m0[k];
                quads[at + (4u + k) * width] = s.m1[k];
            }
        }
        workgroupBarrier();
        if slice < left {
            for (var k = 0u; k < 4u; k++) {
                s.m0[k] += quads[lane + k * width];
                s.m1[k] += quads[lane + (4u + k) * width];
            }
        }
    }
    return s;
}

fn has_all(lane: u32) -> bool {
    return lane < OWNERS;
}

fn rounds(quads_of_terms: u32) -> u32 {
    return (quads_of_terms + ROUND_QUADS - 1u) / ROUND_QUADS;
}

fn within(starts: vec4<u32>, term: u32, terms: u32) -> vec4<u32> {
    return select(starts, vec4(NONE), vec4(term >= terms));
}

// Terms: big quads, tap by tap; zero past the last.
override CORRELATED: u32 = KERNEL * KERNEL * BIG_QUADS;

fn correlate_terms(p: Pixels, round: u32, lane: u32, s4: u32) -> Terms {
    let row_term = ROUND_QUADS * round + row_term_of(lane);
    let column_term = min(ROUND_QUADS * round + column_term_of(lane), CORRELATED - 1u);
    let tap = row_term / BIG_QUADS;
    let starts = big_starts(p, tap / KERNEL, tap % KERNEL);
    return Terms(
        transpose(load_big(within(starts, row_term, CORRELATED), row_term % BIG_QUADS)),
        load_weights(column_term / BIG_QUADS, column_term % BIG_QUADS, s4 + column_of(lane)),
    );
}

// Small pixels from `first`, quads from s4; the first slice gets the sums.
fn correlation(first: u32, s4: u32, lane: u32) -> Sums {
    let p = pixels(first + 4u * row_of(lane), SMALL_H, SMALL_W);
    let all = rounds(CORRELATED);
    var sums = Sums();
    var terms = correlate_terms(p, 0u, lane, s4);
    for (var round = 1u; round <= all; round++) {
        share(lane, terms);
        if round < all {
            terms = correlate_terms(p, round, lane, s4);
        }
        sums = multiply(lane, sums);
    }
    return all_slices(lane, sums);
}

// Taps of a phase along an axis, every STRIDE-th. Some phases have none where KERNEL < STRIDE.
fn taps(reach: u32) -> u32 {
    return (KERNEL + STRIDE - 1u - reach % STRIDE) / STRIDE;
}

// The tap of a term, along both axes; clamped to the kernel past the last.
fn tap_of(reach: vec2<u32>, term: u32) -> vec2<u32> {
    let index = term / SMALL_QUADS;
    let across = max(taps(reach.y), 1u);
    let tap = reach % STRIDE + STRIDE * vec2(index / across, index % across);
    return min(tap, vec2(KERNEL - 1u));
}

// Terms: small quads, tap by tap; zero past the last.
fn adjoint_terms(
    p: Pixels, reach: vec2<u32>, round: u32, all: u32, lane: u32, c4: u32,
) -> Terms {
    let row_term = ROUND_QUADS * round + row_term_of(lane);
    let column_term = min(ROUND_QUADS * round + column_term_of(lane), max(all, 1u) - 1u);
    let offset = (vec2<i32>(reach) - vec2<i32>(tap_of(reach, row_term))) / i32(STRIDE);
    let starts = small_starts(p, offset.x, offset.y);
    let tap = tap_of(reach, column_term);
    return Terms(
        transpose(load_small(within(starts, row_term, all), row_term % SMALL_QUADS)),
        transpose(load_weights(
            tap.x * KERNEL + tap.y,
            c4 + column_of(lane),
            column_term % SMALL_QUADS,
        )),
    );
}

// Big pixels of a phase from `first`, quads from c4; the first slice gets the sums.
fn adjoint_sums(phase: vec2<u32>, first: u32, c4: u32, lane: u32) -> Sums {
    let p = pixels(first + 4u * row_of(lane), PHASE_H, PHASE_W);
    let reach = phase + vec2(PAD_Y, PAD_X);
    let quads_of_terms = taps(reach.x) * taps(reach.y) * SMALL_QUADS;
    let all = rounds(quads_of_terms);
    var sums = Sums();
    var terms = adjoint_terms(p, reach, 0u, quads_of_terms, lane, c4);
    for (var round = 1u; round <= all; round++) {
        share(lane, terms);
        if round < all {
            terms = adjoint_terms(p, reach, round, quads_of_terms, lane, c4);
        }
        sums = multiply(lane, sums);
    }
    return all_slices(lane, sums);
}

// Rows: big quads, tap by tap, from `first`; terms: positions from p, before `end`.
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

@compute @workgroup_size(GROUP_SIZE)
fn correlate(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let first = 4u * ROWS * tile_of(group, groups);
    let s4 = COLUMNS * group.x;
    let sums = correlation(first, s4, lane);
    if has_all(lane) {
        let pixel = first + 4u * row_of(lane);
        let quad = s4 + first_column_of(lane);
        forward_small(pixel, quad, sums.m0);
        forward_small(pixel, quad + 1u, sums.m1);
    }
}

@compute @workgroup_size(GROUP_SIZE)
fn correlate_gated(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let first = 4u * ROWS * tile_of(group, groups);
    let s4 = COLUMNS * group.x;
    let sums = correlation(first, s4, lane);
    if has_all(lane) {
        let pixel = first + 4u * row_of(lane);
        let quad = s4 + first_column_of(lane);
        backward_small(pixel, quad, sums.m0);
        backward_small(pixel, quad + 1u, sums.m1);
    }
}

@compute @workgroup_size(GROUP_SIZE)
fn adjoint(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let phase = phase_of(group);
    let first = 4u * ROWS * tile_of(group, groups);
    let c4 = COLUMNS * (group.x / (STRIDE * STRIDE));
    let sums = adjoint_sums(phase, first, c4, lane);
    if has_all(lane) {
        let pixel = first + 4u * row_of(lane);
        let quad = c4 + first_column_of(lane);
        forward_big(phase, pixel, quad, sums.m0);
        forward_big(phase, pixel, quad + 1u, sums.m1);
    }
}

@compute @workgroup_size(GROUP_SIZE)
fn adjoint_gated(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let phase = phase_of(group);
    let first = 4u * ROWS * tile_of(group, groups);
    let c4 = COLUMNS * (group.x / (STRIDE * STRIDE));
    let sums = adjoint_sums(phase, first, c4, lane);
    if has_all(lane) {
        let pixel = first + 4u * row_of(lane);
        let quad = c4 + first_column_of(lane);
        backward_big(phase, pixel, quad, sums.m0);
        backward_big(phase, pixel, quad + 1u, sums.m1);
    }
}

@compute @workgroup_size(GROUP_SIZE)
fn weight_grad(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
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
    sums = all_slices(lane, sums);
    if has_all(lane) {
        let row = first + row_of(lane);
        let quad = s4 + first_column_of(lane);
        store_partials(group.z, row / BIG_QUADS, row % BIG_QUADS, quad, sums.m0);
        store_partials(group.z, row / BIG_QUADS, row % BIG_QUADS, quad + 1u, sums.m1);
    }
}
