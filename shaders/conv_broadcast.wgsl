// Convolution in register tiles that share loads across a subgroup of at least 8 invocations.
// Channel counts are multiples of 8.
//
// An invocation owns 4 pixels × 16 output channels. The 16 channels are the same for the whole
// workgroup, so the weights between them and a quad of input channels are loaded by 8 lanes, two
// vectors each, and handed round: 6 loads for 256 multiply-adds. On adapters whose loads cost more
// than their arithmetic, software ones above all, this is worth two to four times.
//
// The lanes with subgroup ids 0 to 7 do the loading for the whole subgroup; a larger subgroup
// repeats their loads. Nothing may leave early, or its weights would be missing.

const OWNED = 4u;  // quads an invocation owns

struct Tile {
    m0: mat4x4<f32>,
    m1: mat4x4<f32>,
    m2: mat4x4<f32>,
    m3: mat4x4<f32>,
}

// For the epilogues, which loop over quads. The loops have a constant count, so that compilers
// unroll them: indexing the array at run time would cost seconds of compilation on lavapipe.
fn quads_of(t: Tile) -> array<mat4x4<f32>, 4> {
    return array(t.m0, t.m1, t.m2, t.m3);
}

// t[j] += w[j] * x, where column k of w[j] lies in lane 4 (k / 2) + j of a (k even) or b (odd).
fn accumulate(t: ptr<function, Tile>, a: vec4<f32>, b: vec4<f32>, x: mat4x4<f32>) {
    (*t).m0 += mat4x4(
        subgroupBroadcast(a, 0u), subgroupBroadcast(b, 0u),
        subgroupBroadcast(a, 4u), subgroupBroadcast(b, 4u)) * x;
    (*t).m1 += mat4x4(
        subgroupBroadcast(a, 1u), subgroupBroadcast(b, 1u),
        subgroupBroadcast(a, 5u), subgroupBroadcast(b, 5u)) * x;
    (*t).m2 += mat4x4(
        subgroupBroadcast(a, 2u), subgroupBroadcast(b, 2u),
        subgroupBroadcast(a, 6u), subgroupBroadcast(b, 6u)) * x;
    (*t).m3 += mat4x4(
        subgroupBroadcast(a, 3u), subgroupBroadcast(b, 3u),
        subgroupBroadcast(a, 7u), subgroupBroadcast(b, 7u)) * x;
}

// t[j] += w[j] * x, where row i of w[j] lies in lane 4 j + i of a, for j = 2 and 3 of b.
fn accumulate_rows(t: ptr<function, Tile>, a: vec4<f32>, b: vec4<f32>, x: mat4x4<f32>) {
    (*t).m0 += transpose(mat4x4(
        subgroupBroadcast(a, 0u), subgroupBroadcast(a, 1u),
        subgroupBroadcast(a, 2u), subgroupBroadcast(a, 3u))) * x;
    (*t).m1 += transpose(mat4x4(
        subgroupBroadcast(a, 4u), subgroupBroadcast(a, 5u),
        subgroupBroadcast(a, 6u), subgroupBroadcast(a, 7u))) * x;
    (*t).m2 += transpose(mat4x4(
        subgroupBroadcast(b, 0u), subgroupBroadcast(b, 1u),
        subgroupBroadcast(b, 2u), subgroupBroadcast(b, 3u))) * x;
    (*t).m3 += transpose(mat4x4(
        subgroupBroadcast(b, 4u), subgroupBroadcast(b, 5u),
        subgroupBroadcast(b, 6u), subgroupBroadcast(b, 7u))) * x;
}

// Small pixels first..first+3, quads s4..s4+3.
fn correlation(first: u32, s4: u32, lane: u32) -> Tile {
    let p = pixels(first, SMALL_H, SMALL_W);
    let quad = min(s4 + lane % 4u, SMALL_QUADS - 1u);
    var t = Tile();
    for (var tap = 0u; tap < KERNEL * KERNEL; tap++) {
        let pixel = big_starts(p, tap / KERNEL, tap % KERNEL);
        let weight = weight_start(tap, 2u * (lane / 4u)) + quad;
        for (var c4 = 0u; c4 < BIG_QUADS; c4++) {
            let at = weight + 4u * c4 * SMALL_QUADS;
            accumulate(&t, weight_quad(at), weight_quad(at + SMALL_QUADS), load_big(pixel, c4));
        }
    }
    return t;
}

// Big pixels first..first+3 of a phase, quads c4..c4+3.
fn adjoint_sum(phase: vec2<u32>, first: u32, c4: u32, lane: u32) -> Tile {
    let p = pixels(first, PHASE_H, PHASE_W);
    let reach = phase + vec2(PAD_Y, PAD_X);
    var t = Tile();
    for (var a = reach.x % STRIDE; a < KERNEL; a += STRIDE) {
        for (var b = reach.y % STRIDE; b < KERNEL; b += STRIDE) {
            let dy = (i32(reach.x) - i32(a)) / i32(STRIDE);
            let dx = (i32(reach.y) - i32(b)) / i32(STRIDE);
            let pixel = small_starts(p, dy, dx);
            let low = weight_start(a * KERNEL + b, 4u * c4 + lane);
            let high = weight_start(a * KERNEL + b, 4u * c4 + lane + 8u);
            for (var s4 = 0u; s4 < SMALL_QUADS; s4++) {
                accumulate_rows(&t, weight_quad(low + s4), weight_quad(high + s4), load_small(pixel, s4));
            }
        }
    }
    return t;
}

@compute @workgroup_size(32)
fn correlate(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) invocation: u32,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let first = 4u * (group.y * 32u + invocation);
    let s4 = OWNED * group.x;
    let t = correlation(first, s4, lane % 8u);
    var quads = quads_of(t);
    for (var j = 0u; j < OWNED; j++) {
        forward_small(first, s4 + j, quads[j]);
    }
}

@compute @workgroup_size(32)
fn correlate_gated(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) invocation: u32,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let first = 4u * (group.y * 32u + invocation);
    let s4 = OWNED * group.x;
    let t = correlation(first, s4, lane % 8u);
    var quads = quads_of(t);
    for (var j = 0u; j < OWNED; j++) {
        backward_small(first, s4 + j, quads[j]);
    }
}

@compute @workgroup_size(32)
fn adjoint(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) invocation: u32,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let phase = phase_of(group);
    let first = 4u * (group.y * 32u + invocation);
    let c4 = OWNED * (group.x / (STRIDE * STRIDE));
    let t = adjoint_sum(phase, first, c4, lane % 8u);
    var quads = quads_of(t);
    for (var j = 0u; j < OWNED; j++) {
        forward_big(phase, first, c4 + j, quads[j]);
    }
}

@compute @workgroup_size(32)
fn adjoint_gated(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) invocation: u32,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let phase = phase_of(group);
    let first = 4u * (group.y * 32u + invocation);
    let c4 = OWNED * (group.x / (STRIDE * STRIDE));
    let t = adjoint_sum(phase, first, c4, lane % 8u);
    var quads = quads_of(t);
    for (var j = 0u; j < OWNED; j++) {
        backward_big(phase, first, c4 + j, quads[j]);
    }
}

// An invocation owns one big quad of one tap against 4 small quads, over one range of positions.
// Positions are the same for all lanes, so each of four lanes finds its own in the images.
@compute @workgroup_size(8)
fn weight_grad(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) invocation: u32,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let s4 = OWNED * group.x;
    let row = group.y * 8u + invocation;
    let tap = row / BIG_QUADS;
    let c4 = row % BIG_QUADS;
    let offset = vec2(tap % KERNEL - PAD_X, tap / KERNEL - PAD_Y);
    let start = FIRST + (offset.y * BIG_W + offset.x) * BIG_QUADS + c4;
    let quad = min(s4 + lane % 4u, SMALL_QUADS - 1u);
    let range = split_range(group.z);
    var t = Tile();
    for (var p = range.x; p < range.y; p += 4u) {
        let mine = min(p + lane % 4u, BATCH * SMALL_H * SMALL_W - 1u);
        let corner = STRIDE * vec2(mine % SMALL_W, mine / SMALL_W % SMALL_H);
        let n = mine / (SMALL_H * SMALL_W);
        let there = vec3(corner, ((n * BIG_H + corner.y) * BIG_W + corner.x) * BIG_QUADS);
        let x = mat4x4(
            big_quad(start_at(subgroupBroadcast(there, 0u), offset, start)),
            big_quad(start_at(subgroupBroadcast(there, 1u), offset, start)),
            big_quad(start_at(subgroupBroadcast(there, 2u), offset, start)),
            big_quad(start_at(subgroupBroadcast(there, 3u), offset, start)),
        );
        let even = p + 2u * (lane % 8u / 4u);
        let at = FIRST + even * SMALL_QUADS + quad;
        let a = small_quad(select(NONE, at, even < range.y));
        let b = small_quad(select(NONE, at + SMALL_QUADS, even + 1u < range.y));
        accumulate(&t, a, b, transpose(x));
    }
    var quads = quads_of(t);
    for (var j = 0u; j < OWNED; j++) {
        store_partials(group.z, tap, c4, s4 + j, quads[j]);
    }
}

// The big quad which a tap meets; there: x and y of the big pixel of tap (0, 0) and its first quad.
fn start_at(there: vec3<u32>, offset: vec2<u32>, start: u32) -> u32 {
    // Below zero an offset wraps around, and so is no less outside.
    let at = there.xy + offset;
    return select(NONE, start + there.z, at.x < BIG_W && at.y < BIG_H);
}
