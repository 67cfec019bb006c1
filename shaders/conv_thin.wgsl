// Convolution where the big image has few channels (a picture: 1 or 3), so that quads of big
// channels would be mostly padding. Small channel counts are multiples of 4.

@group(0) @binding(8) var<storage, read> big_values: array<f32>;
@group(0) @binding(9) var<storage, read> big_values_gate: array<f32>;
@group(0) @binding(10) var<storage, read_write> big_values_out: array<f32>;
@group(0) @binding(11) var<storage, read> bias_values: array<f32>;

fn big_value(row: i32, c: u32) -> f32 {
    let at = u32(max(row, 0)) * BIG_C + c;
    return select(0.0, big_values[at], row >= 0);
}

// Channel c of four pixels.
fn big_column(rows: vec4<i32>, c: u32) -> vec4<f32> {
    return vec4(
        big_value(rows.x, c),
        big_value(rows.y, c),
        big_value(rows.z, c),
        big_value(rows.w, c),
    );
}

// Column k: u · v[k].
fn outer(u: vec4<f32>, v: vec4<f32>) -> mat4x4<f32> {
    return mat4x4(u * v.x, u * v.y, u * v.z, u * v.w);
}

const OWNED = 4u;  // quads an invocation owns

struct Tile {
    m0: mat4x4<f32>,
    m1: mat4x4<f32>,
    m2: mat4x4<f32>,
    m3: mat4x4<f32>,
}

// For the epilogues, which loop over quads; see conv_broadcast.wgsl.
fn quads_of(t: Tile) -> array<mat4x4<f32>, 4> {
    return array(t.m0, t.m1, t.m2, t.m3);
}

// Small pixels first..first+3, quads s4..s4+3: the pixels are loaded once for all of them.
fn correlation(first: u32, s4: u32) -> Tile {
    let p = pixels(first, SMALL_H, SMALL_W);
    let last = SMALL_QUADS - 1u;
    var t = Tile();
    for (var tap = 0u; tap < KERNEL * KERNEL; tap++) {
        let rows = big_rows(p, tap / KERNEL, tap % KERNEL);
        for (var c = 0u; c < BIG_C; c++) {
            let x = big_column(rows, c);
            let at = weight_start(tap, c);
            t.m0 += outer(weight_quad(at + min(s4, last)), x);
            t.m1 += outer(weight_quad(at + min(s4 + 1u, last)), x);
            t.m2 += outer(weight_quad(at + min(s4 + 2u, last)), x);
            t.m3 += outer(weight_quad(at + min(s4 + 3u, last)), x);
        }
    }
    return t;
}

@compute @workgroup_size(32)
fn correlate(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let first = 4u * (group.y * 32u + lane);
    let s4 = OWNED * group.x;
    let t = correlation(first, s4);
    var quads = quads_of(t);
    for (var j = 0u; j < OWNED; j++) {
        forward_small(first, s4 + j, quads[j]);
    }
}

@compute @workgroup_size(32)
fn correlate_gated(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let first = 4u * (group.y * 32u + lane);
    let s4 = OWNED * group.x;
    let t = correlation(first, s4);
    var quads = quads_of(t);
    for (var j = 0u; j < OWNED; j++) {
        backward_small(first, s4 + j, quads[j]);
    }
}

// Channel c of big pixels first..first+3 of a phase.
fn adjoint_sum(phase: vec2<u32>, first: u32, c: u32) -> vec4<f32> {
    let p = pixels(first, PHASE_H, PHASE_W);
    let reach = phase + vec2(PAD_Y, PAD_X);
    var sum = vec4(0.0);
    for (var a = reach.x % STRIDE; a < KERNEL; a += STRIDE) {
        for (var b = reach.y % STRIDE; b < KERNEL; b += STRIDE) {
            let dy = (i32(reach.x) - i32(a)) / i32(STRIDE);
            let dx = (i32(reach.y) - i32(b)) / i32(STRIDE);
            let starts = small_starts(p, dy, dx);
            let at = weight_start(a * KERNEL + b, c);
            for (var s4 = 0u; s4 < SMALL_QUADS; s4++) {
                sum += weight_quad(at + s4) * load_small(starts, s4);
            }
        }
    }
    return sum;
}

fn store_values(pixel: vec4<u32>, c: u32, v: vec4<f32>) {
    if pixel.x != NOWHERE { big_values_out[pixel.x * BIG_C + c] = v.x; }
    if pixel.y != NOWHERE { big_values_out[pixel.y * BIG_C + c] = v.y; }
    if pixel.z != NOWHERE { big_values_out[pixel.z * BIG_C + c] = v.z; }
    if pixel.w != NOWHERE { big_values_out[pixel.w * BIG_C + c] = v.w; }
}

@compute @workgroup_size(32)
fn adjoint(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let phase = phase_of(group);
    let first = 4u * (group.y * 32u + lane);
    let c = group.x / (STRIDE * STRIDE);
    let sum = adjoint_sum(phase, first, c) + bias_values[c];
    store_values(phase_pixels(phase, first), c, select(sum, max(sum, vec4(0.0)), vec4(RELU)));
}

fn gate_open(pixel: u32, c: u32) -> bool {
    let at = select(pixel, 0u, pixel == NOWHERE) * BIG_C + c;
    return !GATED || big_values_gate[at] > 0.0;
}

@compute @workgroup_size(32)
fn adjoint_gated(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let phase = phase_of(group);
    let first = 4u * (group.y * 32u + lane);
    let c = group.x / (STRIDE * STRIDE);
    let sum = adjoint_sum(phase, first, c);
    let pixel = phase_pixels(phase, first);
    let open = vec4(
        gate_open(pixel.x, c),
        gate_open(pixel.y, c),
        gate_open(pixel.z, c),
        gate_open(pixel.w, c),
    );
    store_values(pixel, c, select(vec4(0.0), sum, open));
}

// An invocation owns one big channel of one tap against four small quads, over one range of
// positions.
@compute @workgroup_size(8)
fn weight_grad(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let blocks = (SMALL_QUADS + 3u) / 4u;
    let block = group.x * 8u + lane;
    let row = block / blocks;
    let tap = row / BIG_C;
    let c = row % BIG_C;
    let s4 = 4u * (block % blocks);
    let last = SMALL_QUADS - 1u;
    let range = split_range(group.y);
    var t = mat4x4<f32>();
    for (var p = range.x; p < range.y; p += 4u) {
        let positions = positions_before(p, range.y);
        let x = big_column(big_rows(pixels(p, SMALL_H, SMALL_W), tap / KERNEL, tap % KERNEL), c);
        t[0] += load_small(positions, min(s4, last)) * x;
        t[1] += load_small(positions, min(s4 + 1u, last)) * x;
        t[2] += load_small(positions, min(s4 + 2u, last)) * x;
        t[3] += load_small(positions, min(s4 + 3u, last)) * x;
    }
    if tap >= KERNEL * KERNEL {
        return;
    }
    let at = ((group.y * KERNEL * KERNEL + tap) * BIG_C + c) * SMALL_QUADS + s4;
    if s4 < SMALL_QUADS { partials[at] = t[0]; }
    if s4 + 1u < SMALL_QUADS { partials[at + 1u] = t[1]; }
    if s4 + 2u < SMALL_QUADS { partials[at + 2u] = t[2]; }
    if s4 + 3u < SMALL_QUADS { partials[at + 3u] = t[3]; }
}
