// Sums over rows, in a fixed order: y[g, c] = sum of x[r, c] over the rows of group g.
// Long sums take two steps, first to some groups and then to one, or are spread over a workgroup
// (`*_deep`, one group); both keep float32 rounding near that of a pairwise sum, and the result
// the same on every run.

override ROWS: u32;
override COLUMNS: u32;
override GROUPS: u32;

@group(0) @binding(0) var<storage, read> x: array<f32>;               // [ROWS, COLUMNS]
@group(0) @binding(1) var<storage, read_write> y: array<f32>;         // [GROUPS, COLUMNS]
@group(0) @binding(2) var<storage, read> x4: array<vec4<f32>>;        // the same, COLUMNS a multiple of 4
@group(0) @binding(3) var<storage, read_write> y4: array<vec4<f32>>;
@group(0) @binding(4) var texels: texture_storage_2d<rgba32float, read>;                    // the same, in common/texels.wgsl's order

// Rows of group g: from rows.x to before rows.y.
fn rows_of(g: u32) -> vec2<u32> {
    let size = (ROWS + GROUPS - 1u) / GROUPS;
    return min(vec2(g * size, (g + 1u) * size), vec2(ROWS));
}

@compute @workgroup_size(64)
fn column_sums(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= COLUMNS || id.y >= GROUPS {
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
    if id.x >= columns || id.y >= GROUPS {
        return;
    }
    let rows = rows_of(id.y);
    var sum = vec4(0.0);
    for (var r = rows.x; r < rows.y; r++) {
        sum += x4[r * columns + id.x];
    }
    y4[id.y * columns + id.x] = sum;
}

@compute @workgroup_size(64)
fn column_sums_texels(@builtin(global_invocation_id) id: vec3<u32>) {
    let columns = COLUMNS / 4u;
    if id.x >= columns || id.y >= GROUPS {
        return;
    }
    let rows = rows_of(id.y);
    var sum = vec4(0.0);
    for (var r = rows.x; r < rows.y; r++) {
        let at = r * columns + id.x;
        sum += textureLoad(texels, vec2(at % 4096u, at / 4096u + 1u));
    }
    y4[id.y * columns + id.x] = sum;
}

const WIDTH = 64u;
var<workgroup> partial: array<vec4<f32>, WIDTH>;

// Sums one value of each invocation in a fixed order; the total is invocation 0's.
fn sum_over_workgroup(value: vec4<f32>, lane: u32) -> vec4<f32> {
    partial[lane] = value;
    for (var stride = WIDTH / 2u; stride > 0u; stride /= 2u) {
        workgroupBarrier();
        if lane < stride {
            partial[lane] += partial[lane + stride];
        }
    }
    return partial[0];
}

@compute @workgroup_size(64)
fn column_sums_deep(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    var sum = 0.0;
    for (var r = lane; r < ROWS; r += WIDTH) {
        sum += x[r * COLUMNS + group.x];
    }
    let total = sum_over_workgroup(vec4(sum), lane);
    if lane == 0u {
        y[group.x] = total.x;
    }
}

@compute @workgroup_size(64)
fn column_sums_texels_deep(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    var sum = vec4(0.0);
    for (var r = lane; r < ROWS; r += WIDTH) {
        let at = r * (COLUMNS / 4u) + group.x;
        sum += textureLoad(texels, vec2(at % 4096u, at / 4096u + 1u));
    }
    let total = sum_over_workgroup(sum, lane);
    if lane == 0u {
        y4[group.x] = total;
    }
}
