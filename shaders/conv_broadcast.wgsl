// Convolution in register tiles that share loads across a subgroup of at least 8 invocations.
// Channel counts are multiples of 8.
//
// An invocation owns 4 pixels × 16 output channels. The 16 channels are the same for the whole
// workgroup, so each of 8 lanes loads the weights between two quads of channels and all lanes
// hand them round: per eight input channels 12 loads for 512 multiply-adds. On adapters whose
// loads cost more than their arithmetic, software ones above all, this is worth two to four times.
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

// t[j] += (w of lane j) * x0 + (w of lane 4 + j) * x1
fn accumulate(t: ptr<function, Tile>, w: mat4x4<f32>, x0: mat4x4<f32>, x1: mat4x4<f32>) {
    (*t).m0 += mat4x4(
        subgroupBroadcast(w[0], 0u), subgroupBroadcast(w[1], 0u),
        subgroupBroadcast(w[2], 0u), subgroupBroadcast(w[3], 0u)) * x0
        + mat4x4(
        subgroupBroadcast(w[0], 4u), subgroupBroadcast(w[1], 4u),
        subgroupBroadcast(w[2], 4u), subgroupBroadcast(w[3], 4u)) * x1;
    (*t).m1 += mat4x4(
        subgroupBroadcast(w[0], 1u), subgroupBroadcast(w[1], 1u),
        subgroupBroadcast(w[2], 1u), subgroupBroadcast(w[3], 1u)) * x0
        + mat4x4(
        subgroupBroadcast(w[0], 5u), subgroupBroadcast(w[1], 5u),
        subgroupBroadcast(w[2], 5u), subgroupBroadcast(w[3], 5u)) * x1;
    (*t).m2 += mat4x4(
        subgroupBroadcast(w[0], 2u), subgroupBroadcast(w[1], 2u),
        subgroupBroadcast(w[2], 2u), subgroupBroadcast(w[3], 2u)) * x0
        + mat4x4(
        subgroupBroadcast(w[0], 6u), subgroupBroadcast(w[1], 6u),
        subgroupBroadcast(w[2], 6u), subgroupBroadcast(w[3], 6u)) * x1;
    (*t).m3 += mat4x4(
        subgroupBroadcast(w[0], 3u), subgroupBroadcast(w[1], 3u),
        subgroupBroadcast(w[2], 3u), subgroupBroadcast(w[3], 3u)) * x0
        + mat4x4(
        subgroupBroadcast(w[0], 7u), subgroupBroadcast(w[1], 7u),
        subgroupBroadcast(w[2], 7u), subgroupBroadcast(w[3], 7u)) * x1;
}

// Small pixels first..first+3, quads s4..s4+3. Lanes 0 to 3 load for even input quads, 4 to 7 for
// odd ones.
fn correlation(first: u32, s4: u32, lane: u32) -> Tile {
    let p = pixels(first, SMALL_H, SMALL_W);
    var t = Tile();
    for (var tap = 0u; tap < KERNEL * KERNEL; tap++) {
        let rows = big_rows(p, tap / KERNEL, tap % KERNEL);
        for (var c4 = 0u; c4 < BIG_QUADS; c4 += 2u) {
            let w = load_weights(tap, c4 + lane / OWNED, s4 + lane % OWNED);
            accumulate(&t, w, load_big(rows, c4), load_big(rows, c4 + 1u));
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
            let rows = small_rows(p, dy, dx);
            for (var s4 = 0u; s4 < SMALL_QUADS; s4 += 2u) {
                let w = transpose(load_weights(a * KERNEL + b, c4 + lane % OWNED, s4 + lane / OWNED));
                accumulate(&t, w, load_small(rows, s4), load_small(rows, s4 + 1u));
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
    let s4_of_lane = min(s4 + lane % OWNED, SMALL_QUADS - 1u);
    let half_of_lane = 4u * (lane % 8u / OWNED);
    let range = split_range(group.z);
    var t = Tile();
    for (var p = range.x; p < range.y; p += 8u) {
        let y = load_small(positions_before(p + half_of_lane, range.y), s4_of_lane);
        let rows0 = big_rows(pixels(p, SMALL_H, SMALL_W), tap / KERNEL, tap % KERNEL);
        let rows1 = big_rows(pixels(p + 4u, SMALL_H, SMALL_W), tap / KERNEL, tap % KERNEL);
        accumulate(&t, y, transpose(load_big(rows0, c4)), transpose(load_big(rows1, c4)));
    }
    var quads = quads_of(t);
    for (var j = 0u; j < OWNED; j++) {
        store_partials(group.z, tap, c4, s4 + j, quads[j]);
    }
}
