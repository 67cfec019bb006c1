// Sums over rows in a fixed order: y[g, c] = sum of x[r, c] over the rows of range g. `*_deep` spreads
// a sum over a workgroup; the longest sums take two dispatches, first to several ranges, then to one.
// Both keep float32 rounding near that of a pairwise sum.

override ROWS: u32;
override COLUMNS: u32;
override RANGES: u32;
override SPAN: u32;   // `*_deep`: columns (or quads of columns) per workgroup, 1, 2, 4 or 8

@group(0) @binding(0) var<storage, read> x: array<f32>;               // [ROWS, COLUMNS]
@group(0) @binding(1) var<storage, read_write> y: array<f32>;         // [RANGES, COLUMNS]
@group(0) @binding(2) var<storage, read> x4: array<vec4<f32>>;        // x in quads, COLUMNS a multiple of 4
@group(0) @binding(3) var<storage, read_write> y4: array<vec4<f32>>;
@group(0) @binding(4) var texels: texture_storage_2d<rgba32float, read>;  // mirror of x4, see common/texels.wgsl

// Rows of range g: from rows.x to before rows.y.
fn rows_of(g: u32) -> vec2<u32> {
    let size = (ROWS + RANGES - 1u) / RANGES;
    return min(vec2(g * size, (g + 1u) * size), vec2(ROWS));
}

@compute @workgroup_size(64)
fn column_sums(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= COLUMNS || id.y >= RANGES {
        return;
    }
    let rows = rows_of(id.y);
    var sum = 0.0;
    for (var r = rows.x; r < rows.y; r++) {
        sum += x[r * COLUMNS + id.x];
    }
    y[id.y * COLUMNS + id.x] = sum;
}

@compute @workgroup_size(64)
fn column_sums4(@builtin(global_invocation_id) id: vec3<u32>) {
    let columns = COLUMNS / 4u;
    if id.x >= columns || id.y >= RANGES {
        return;
    }
    let rows = rows_of(id.y);
    var sum = vec4(0.0);
    for (var r = rows.x; r < rows.y; r++) {
        sum += x4[r * columns + id.x];
    }
    y4[id.y * columns + id.x] = sum;
}

const LANES = GROUP_SIZE;

// Rows of `*_deep` whose loads are in flight together.
const TOGETHER = 4u;

@compute @workgroup_size(GROUP_SIZE)
fn column_sums_deep(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let column = group.x * SPAN + lane % SPAN;
    let rows = rows_of(group.y);
    var sum = 0.0;
    let step = LANES / SPAN;
    for (var first = rows.x + lane / SPAN; first < rows.y; first += TOGETHER * step) {
        for (var k = 0u; k < TOGETHER; k++) {
            let r = first + k * step;
            sum += select(0.0, x[min(r, ROWS - 1u) * COLUMNS + column], r < rows.y);
        }
    }
    let total = sum_over_workgroup(vec4(sum), lane, SPAN);
    if lane < SPAN {
        y[group.y * COLUMNS + column] = total.x;
    }
}

@compute @workgroup_size(GROUP_SIZE)
fn column_sums4_deep(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let columns = COLUMNS / 4u;
    let column = group.x * SPAN + lane % SPAN;
    let rows = rows_of(group.y);
    var sum = vec4(0.0);
    let step = LANES / SPAN;
    for (var first = rows.x + lane / SPAN; first < rows.y; first += TOGETHER * step) {
        for (var k = 0u; k < TOGETHER; k++) {
            let r = first + k * step;
            sum += select(vec4(0.0), x4[min(r, ROWS - 1u) * columns + column], r < rows.y);
        }
    }
    let total = sum_over_workgroup(sum, lane, SPAN);
    if lane < SPAN {
        y4[group.y * columns + column] = total;
    }
}

@compute @workgroup_size(GROUP_SIZE)
fn column_sums_texels_deep(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let columns = COLUMNS / 4u;
    let column = group.x * SPAN + lane % SPAN;
    let rows = rows_of(group.y);
    var sum = vec4(0.0);
    for (var r = rows.x + lane / SPAN; r < rows.y; r += LANES / SPAN) {
        let at = r * columns + column;
        sum += textureLoad(texels, vec2(at % 4096u, at / 4096u + 1u));
    }
    let total = sum_over_workgroup(sum, lane, SPAN);
    if lane < SPAN {
        y4[group.y * columns + column] = total;
    }
}

// The sum of one long column; a quad holds four rows.
@compute @workgroup_size(GROUP_SIZE)
fn total_deep(@builtin(local_invocation_index) lane: u32) {
    var sum = vec4(0.0);
    for (var r = lane; r < ROWS; r += LANES) {
        sum += x4[r];
    }
    let total = sum_over_workgroup(sum, lane, SPAN);
    if lane == 0u {
        y[0] = across(total);
    }
}
