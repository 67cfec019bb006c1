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

// Each round stages its terms here, so that a tile reads global memory once. [TERMS, ROWS], then
// [TERMS, COLUMNS]; reused to reduce the slices. The loads of the next round are in flight while a round is
// multiplied: nothing may touch what they return before `share`, so padding loads quad 0, and `share` gets
// zeros in its place.
var<workgroup> quads: array<vec4<f32>, TERMS * (ROWS + COLUMNS)>;

// What an invocation loads per round, as it lies in memory: four quads of rows, which of them exist, and
// four quads of columns. Terms of rows that do not exist are zero, whatever their columns.
struct Loads {
    rows: mat4x4<f32>,
    columns: mat4x4<f32>,
    exist: vec4<bool>,
}

fn existing(m: mat4x4<f32>, exist: vec4<bool>) -> mat4x4<f32> {
    return mat4x4(
        select(vec4(0.0), m[0], exist.x),
        select(vec4(0.0), m[1], exist.y),
        select(vec4(0.0), m[2], exist.z),
        select(vec4(0.0), m[3], exist.w),
    );
}

fn big_quads(at: vec4<u32>) -> mat4x4<f32> {
    return mat4x4(big[at.x], big[at.y], big[at.z], big[at.w]);
}

fn small_quads(at: vec4<u32>) -> mat4x4<f32> {
    return mat4x4(small[at.x], small[at.y], small[at.z], small[at.w]);
}

fn weight_quads(at: vec4<u32>) -> mat4x4<f32> {
    return mat4x4(weights[at.x], weights[at.y], weights[at.z], weights[at.w]);
}

// Its sums, one row per column: of its first quad of columns and of the second.
struct Sums {
    m0: mat4x4<f32>,
    m1: mat4x4<f32>,
}

// The quads that an invocation stages. Surplus invocations stage a duplicate.
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

// Stages four terms, one per column, of a row quad and of a column quad.
fn share(lane: u32, rows: mat4x4<f32>, columns: mat4x4<f32>) {
    let row = 4u * row_term_of(lane) * ROWS + row_of(lane);
    let column = COLUMNS_AT + 4u * column_term_of(lane) * COLUMNS + column_of(lane);
    workgroupBarrier();  // all have multiplied the previous round
    quads[row] = rows[0];
    quads[row + ROWS] = rows[1];
    quads[row + 2u * ROWS] = rows[2];
    quads[row + 3u * ROWS] = rows[3];
    quads[column] = columns[0];
    quads[column + COLUMNS] = columns[1];
    quads[column + 2u * COLUMNS] = columns[2];
    quads[column + 3u * COLUMNS] = columns[3];
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

// Multiplies the slice's terms of a round. The quads of a term load while the one before is multiplied.
fn multiply(lane: u32, sums: Sums) -> Sums {
    var s = sums;
    let first = OWN_TERMS * slice_of(lane);
    var row = first * ROWS + row_of(lane);
    var column = COLUMNS_AT + first * COLUMNS + first_column_of(lane);
    var r = quads[row];
    var c0 = quads[column];
    var c1 = quads[column + 1u];
    for (var term = 1u; term < OWN_TERMS; term++) {
        row += ROWS;
        column += COLUMNS;
        let next_r = quads[row];
        let next_c0 = quads[column];
        let next_c1 = quads[column + 1u];
        s.m0 = add_outer(s.m0, c0, r);
        s.m1 = add_outer(s.m1, c1, r);
        r = next_r;
        c0 = next_c0;
        c1 = next_c1;
    }
    s.m0 = add_outer(s.m0, c0, r);
    s.m1 = add_outer(s.m1, c1, r);
    return s;
}

fn staged_sums(at: u32, width: u32) -> mat4x4<f32> {
    return mat4x4(quads[at], quads[at + width], quads[at + 2u * width], quads[at + 3u * width]);
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
            // All loads come before the first sum, so that they overlap.
            let m0 = staged_sums(lane, width);
            let m1 = staged_sums(lane + 4u * width, width);
            s.m0 += m0;
            s.m1 += m1;
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

// Where tap (0, 0) of four pixels lies in the other image, in quads, and which taps lie inside: bit a for
// row a, bit 8 + b for column b.
struct Windows {
    at: vec4<i32>,
    inside: vec4<u32>,
}

const NO_TAP = 0x80000000u;

fn tap_bits(a: u32, b: u32) -> u32 {
    return (1u << a) | (256u << b);
}

// Windows of pixels whose tap (0, 0) is at (y, x) of image n. Taps go `step` pixels apart.
fn windows(
    n: vec4<i32>, y: vec4<i32>, x: vec4<i32>, step: i32, height: u32, width: u32, quads: u32,
) -> Windows {
    var inside = vec4(0u);
    var along = 0;
    for (var tap = 0u; tap < KERNEL; tap++) {
        inside |= select(vec4(0u), vec4(1u << tap), vec4<u32>(y + along) < vec4(height));
        inside |= select(vec4(0u), vec4(256u << tap), vec4<u32>(x + along) < vec4(width));
        along += step;
    }
    return Windows(((n * i32(height) + y) * i32(width) + x) * i32(quads), inside);
}

// Terms: big quads, tap by tap; zero past the last.
override CORRELATED: u32 = KERNEL * KERNEL * BIG_QUADS;

fn correlate_loads(w: Windows, round: u32, lane: u32, s4: u32) -> Loads {
    let term = ROUND_QUADS * round + row_term_of(lane);
    let a = term / BIG_QUADS / KERNEL;
    let b = term / BIG_QUADS % KERNEL;
    let offset = (a * BIG_W + b) * BIG_QUADS + term % BIG_QUADS;
    let bits = select(tap_bits(a, b), NO_TAP, term >= CORRELATED);
    let exist = (w.inside & vec4(bits)) == vec4(bits);
    // A term's four channels have consecutive rows of weights. Sums of surplus columns are discarded.
    let weight = 4u * min(ROUND_QUADS * round + column_term_of(lane), CORRELATED - 1u);
    let first = WEIGHTS_AT + weight * SMALL_QUADS + min(s4 + column_of(lane), SMALL_QUADS - 1u);
    return Loads(
        big_quads(select(vec4(0u), vec4<u32>(w.at + i32(offset)), exist)),
        weight_quads(first + vec4(0u, 1u, 2u, 3u) * SMALL_QUADS),
        exist,
    );
}

// Small pixels from `first`, quads from s4; the first slice gets the sums.
fn correlation(first: u32, s4: u32, lane: u32) -> Sums {
    let p = pixels(first + 4u * row_of(lane), SMALL_H, SMALL_W);
    let y = p.y * i32(STRIDE) - i32(PAD_Y);
    let x = p.x * i32(STRIDE) - i32(PAD_X);
    let w = windows(p.n, y, x, 1, BIG_H, BIG_W, BIG_QUADS);
    let all = rounds(CORRELATED);
    var sums = Sums();
    var loads = correlate_loads(w, 0u, lane, s4);
    share(lane, transpose(existing(loads.rows, loads.exist)), loads.columns);
    for (var round = 1u; round < all; round++) {
        loads = correlate_loads(w, round, lane, s4);
        sums = multiply(lane, sums);
        share(lane, transpose(existing(loads.rows, loads.exist)), loads.columns);
    }
    return all_slices(lane, multiply(lane, sums));
}

// Taps of a phase along an axis, every STRIDE-th. Some phases have none where KERNEL < STRIDE.
fn taps(reach: u32) -> u32 {
    return (KERNEL + STRIDE - 1u - reach % STRIDE) / STRIDE;
}

// What the rounds of an adjoint share.
struct Phase {
    reach: vec2<u32>,
    terms: u32,    // quads of terms
    across: u32,   // taps in a row, at least 1
    inverse: u32,  // 2^16 / across, rounded up: a product in place of a division, exact below 2^16 / 7
}

// Tap number `index` of a phase: which of its rows, which of its columns.
fn tap_of(phase: Phase, index: u32) -> vec2<u32> {
    let row = (index * phase.inverse) >> 16u;
    return vec2(row, index - row * phase.across);
}

// Terms: small quads, tap by tap; zero past the last. `channels` are the first weights of the column quad.
fn adjoint_loads(w: Windows, phase: Phase, round: u32, lane: u32, channels: vec4<u32>) -> Loads {
    let term = ROUND_QUADS * round + row_term_of(lane);
    let tap = tap_of(phase, term / SMALL_QUADS);
    let offset = i32(term % SMALL_QUADS) - i32((tap.x * SMALL_W + tap.y) * SMALL_QUADS);
    let bits = select(tap_bits(tap.x, tap.y), NO_TAP, term >= phase.terms);
    let exist = (w.inside & vec4(bits)) == vec4(bits);
    let column_term = min(ROUND_QUADS * round + column_term_of(lane), max(phase.terms, 1u) - 1u);
    let other = tap_of(phase, column_term / SMALL_QUADS);
    let at = min(phase.reach % STRIDE + STRIDE * other, vec2(KERNEL - 1u));
    let weight = (at.x * KERNEL + at.y) * BIG_C * SMALL_QUADS + column_term % SMALL_QUADS;
    return Loads(
        small_quads(select(vec4(0u), vec4<u32>(w.at + offset), exist)),
        weight_quads(channels + weight),
        exist,
    );
}

// Big pixels of a phase from `first`, quads from c4; the first slice gets the sums.
fn adjoint_sums(residue: vec2<u32>, first: u32, c4: u32, lane: u32) -> Sums {
    let reach = residue + vec2(PAD_Y, PAD_X);
    let across = max(taps(reach.y), 1u);
    let terms = taps(reach.x) * taps(reach.y) * SMALL_QUADS;
    let phase = Phase(reach, terms, across, (65535u + across) / across);
    let p = pixels(first + 4u * row_of(lane), PHASE_H, PHASE_W);
    let y = p.y + i32(reach.x / STRIDE);
    let x = p.x + i32(reach.y / STRIDE);
    let w = windows(p.n, y, x, -1, SMALL_H, SMALL_W, SMALL_QUADS);
    let channel = min(four(4u * (c4 + column_of(lane))), vec4(BIG_C - 1u));
    let channels = WEIGHTS_AT + channel * SMALL_QUADS;
    let all = rounds(terms);
    var sums = Sums();
    var loads = adjoint_loads(w, phase, 0u, lane, channels);
    share(lane, transpose(existing(loads.rows, loads.exist)), transpose(loads.columns));
    for (var round = 1u; round < all; round++) {
        loads = adjoint_loads(w, phase, round, lane, channels);
        sums = multiply(lane, sums);
        share(lane, transpose(existing(loads.rows, loads.exist)), transpose(loads.columns));
    }
    return all_slices(lane, multiply(lane, sums));
}

// Four consecutive positions of the weight gradient: what a tap meets there. Coordinates in the big image,
// and the quad there.
struct Walk {
    y: vec4<i32>,
    x: vec4<i32>,
    at: vec4<i32>,
}

// Positions from p under tap (a, b), at quad c4.
fn walk_from(p: u32, a: u32, b: u32, c4: u32) -> Walk {
    let bigs = pixels(p, SMALL_H, SMALL_W);
    let y = bigs.y * i32(STRIDE) + (i32(a) - i32(PAD_Y));
    let x = bigs.x * i32(STRIDE) + (i32(b) - i32(PAD_X));
    let at = ((bigs.n * i32(BIG_H) + y) * i32(BIG_W) + x) * i32(BIG_QUADS) + i32(c4);
    return Walk(y, x, at);
}

// TERMS positions further: some rows and some of a row on; from the end of a row to the next one, from
// the last row to the next image.
fn walk_on(walk: Walk, a: u32, b: u32) -> Walk {
    let dn = TERMS / (SMALL_H * SMALL_W);
    let dy = TERMS / SMALL_W % SMALL_H * STRIDE;
    let dx = TERMS % SMALL_W * STRIDE;
    let next_row = STRIDE * BIG_QUADS * (BIG_W - SMALL_W);
    let next_image = BIG_QUADS * BIG_W * (BIG_H - SMALL_H * STRIDE);
    var y = walk.y + i32(dy);
    var x = walk.x + i32(dx);
    var at = walk.at + i32(((dn * BIG_H + dy) * BIG_W + dx) * BIG_QUADS);
    let past_row = x >= vec4(i32(SMALL_W * STRIDE + b) - i32(PAD_X));
    x = select(x, x - i32(SMALL_W * STRIDE), past_row);
    y = select(y, y + i32(STRIDE), past_row);
    at = select(at, at + i32(next_row), past_row);
    let past_image = y >= vec4(i32(SMALL_H * STRIDE + a) - i32(PAD_Y));
    y = select(y, y - i32(SMALL_H * STRIDE), past_image);
    at = select(at, at + i32(next_image), past_image);
    return Walk(y, x, at);
}

// Rows: big quads, tap by tap; terms: positions from p, before `end`.
fn weight_loads(walk: Walk, p: u32, end: u32, lane: u32, s4: u32) -> Loads {
    let inside = (vec4<u32>(walk.y) < vec4(BIG_H)) & (vec4<u32>(walk.x) < vec4(BIG_W));
    let exist = inside & (four(p + 4u * row_term_of(lane)) < vec4(end));
    let position = min(four(p + 4u * column_term_of(lane)), vec4(BATCH * SMALL_H * SMALL_W - 1u));
    let quad = min(s4 + column_of(lane), SMALL_QUADS - 1u);
    return Loads(
        big_quads(select(vec4(0u), vec4<u32>(walk.at), exist)),
        small_quads(position * SMALL_QUADS + quad),
        exist,
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
        let places = places_small(pixel, quad);
        let next = places_small(pixel, quad + 1u);
        // The loads of all gates come before the first store, so that they overlap.
        let m0 = pass_gate(sums.m0, places);
        let m1 = pass_gate(sums.m1, next);
        store_small(places, m0);
        store_small(next, m1);
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
        let places = places_big(phase, pixel, quad);
        let next = places_big(phase, pixel, quad + 1u);
        let m0 = pass_gate(sums.m0, places);
        let m1 = pass_gate(sums.m1, next);
        store_big(places, m0);
        store_big(next, m1);
    }
}

@compute @workgroup_size(GROUP_SIZE)
fn weight_grad(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let first = ROWS * group.y;
    let s4 = COLUMNS * group.x;
    let range = split_range(group.z);
    let row = first + row_of(lane);
    let a = row / BIG_QUADS / KERNEL;
    let b = row / BIG_QUADS % KERNEL;
    var walk = walk_from(range.x + 4u * row_term_of(lane), a, b, row % BIG_QUADS);
    var sums = Sums();
    var loads = weight_loads(walk, range.x, range.y, lane, s4);
    share(lane, existing(loads.rows, loads.exist), loads.columns);
    for (var p = range.x + TERMS; p < range.y; p += TERMS) {
        walk = walk_on(walk, a, b);
        loads = weight_loads(walk, p, range.y, lane, s4);
        sums = multiply(lane, sums);
        share(lane, existing(loads.rows, loads.exist), loads.columns);
    }
    sums = all_slices(lane, multiply(lane, sums));
    if has_all(lane) {
        let quad = s4 + first_column_of(lane);
        store_partials(group.z, row / BIG_QUADS, row % BIG_QUADS, quad, sums.m0);
        store_partials(group.z, row / BIG_QUADS, row % BIG_QUADS, quad + 1u, sums.m1);
    }
}
