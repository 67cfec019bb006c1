// Convolution in register tiles, for every adapter. Channel counts are multiples of 4. An invocation
// owns 8 pixels × 8 output channels: 16 vector loads per 256 multiply-adds. With few pixels (a dense
// layer of few images) surplus lanes of `correlate` return, and those of `adjoint` take more channels.

override EIGHTS: u32 = (BATCH * PHASE_H * PHASE_W + 7u) / 8u;  // groups of 8 pixels of a phase

// 2 × 2 blocks of 4 pixels (or big channels) × 4 channels. m01: first pixels, second channels.
struct Tile {
    m00: mat4x4<f32>,
    m01: mat4x4<f32>,
    m10: mat4x4<f32>,
    m11: mat4x4<f32>,
}

// Small pixels first..first+7, quads s4 and s4 + 1.
fn correlation(first: u32, s4: u32) -> Tile {
    let p0 = pixels(first, SMALL_H, SMALL_W);
    let p1 = pixels(first + 4u, SMALL_H, SMALL_W);
    var t = Tile();
    for (var tap = 0u; tap < KERNEL * KERNEL; tap++) {
        let starts0 = big_starts(p0, tap / KERNEL, tap % KERNEL);
        let starts1 = big_starts(p1, tap / KERNEL, tap % KERNEL);
        for (var c4 = 0u; c4 < BIG_QUADS; c4++) {
            let x0 = load_big(starts0, c4);
            let x1 = load_big(starts1, c4);
            let w0 = load_weights(tap, c4, s4);
            let w1 = load_weights(tap, c4, s4 + 1u);
            t.m00 += w0 * x0;
            t.m01 += w1 * x0;
            t.m10 += w0 * x1;
            t.m11 += w1 * x1;
        }
    }
    return t;
}

// Big pixels first..first+7 of a phase, quads c4 and c4 + 1.
fn adjoint_sum(phase: vec2<u32>, first: u32, c4: u32) -> Tile {
    let p0 = pixels(first, PHASE_H, PHASE_W);
    let p1 = pixels(first + 4u, PHASE_H, PHASE_W);
    let reach = phase + vec2(PAD_Y, PAD_X);
    var t = Tile();
    for (var a = reach.x % STRIDE; a < KERNEL; a += STRIDE) {
        for (var b = reach.y % STRIDE; b < KERNEL; b += STRIDE) {
            let dy = (i32(reach.x) - i32(a)) / i32(STRIDE);
            let dx = (i32(reach.y) - i32(b)) / i32(STRIDE);
            let starts0 = small_starts(p0, dy, dx);
            let starts1 = small_starts(p1, dy, dx);
            for (var s4 = 0u; s4 < SMALL_QUADS; s4++) {
                let y0 = load_small(starts0, s4);
                let y1 = load_small(starts1, s4);
                let w0 = transpose(load_weights(a * KERNEL + b, c4, s4));
                let w1 = transpose(load_weights(a * KERNEL + b, c4 + 1u, s4));
                t.m00 += w0 * y0;
                t.m01 += w1 * y0;
                t.m10 += w0 * y1;
                t.m11 += w1 * y1;
            }
        }
    }
    return t;
}

@compute @workgroup_size(32)
fn correlate(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let first = 8u * (group.y * 32u + lane);
    let s4 = 2u * group.x;
    if first >= BATCH * SMALL_H * SMALL_W {
        return;
    }
    let t = correlation(first, s4);
    forward_small(first, s4, t.m00);
    forward_small(first, s4 + 1u, t.m01);
    forward_small(first + 4u, s4, t.m10);
    forward_small(first + 4u, s4 + 1u, t.m11);
}

@compute @workgroup_size(32)
fn correlate_gated(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let first = 8u * (group.y * 32u + lane);
    let s4 = 2u * group.x;
    if first >= BATCH * SMALL_H * SMALL_W {
        return;
    }
    let t = correlation(first, s4);
    backward_small(first, s4, t.m00);
    backward_small(first, s4 + 1u, t.m01);
    backward_small(first + 4u, s4, t.m10);
    backward_small(first + 4u, s4 + 1u, t.m11);
}

@compute @workgroup_size(32)
fn adjoint(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let phase = phase_of(group);
    let i = group.y * 32u + lane;
    let first = 8u * (i % EIGHTS);
    let c4 = 2u * (i / EIGHTS);
    if c4 >= BIG_QUADS {
        return;
    }
    let t = adjoint_sum(phase, first, c4);
    forward_big(phase, first, c4, t.m00);
    forward_big(phase, first, c4 + 1u, t.m01);
    forward_big(phase, first + 4u, c4, t.m10);
    forward_big(phase, first + 4u, c4 + 1u, t.m11);
}

@compute @workgroup_size(32)
fn adjoint_gated(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let phase = phase_of(group);
    let i = group.y * 32u + lane;
    let first = 8u * (i % EIGHTS);
    let c4 = 2u * (i / EIGHTS);
    if c4 >= BIG_QUADS {
        return;
    }
    let t = adjoint_sum(phase, first, c4);
    backward_big(phase, first, c4, t.m00);
    backward_big(phase, first, c4 + 1u, t.m01);
    backward_big(phase, first + 4u, c4, t.m10);
    backward_big(phase, first + 4u, c4 + 1u, t.m11);
}

// An invocation owns 8 big × 8 small channels of one tap, over one split.
@compute @workgroup_size(32)
fn weight_grad(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let blocks_c = (BIG_QUADS + 1u) / 2u;
    let blocks_s = (SMALL_QUADS + 1u) / 2u;
    let block = group.x * 32u + lane;
    let tap = block / (blocks_c * blocks_s);
    let c4 = 2u * (block / blocks_s % blocks_c);
    let s4 = 2u * (block % blocks_s);
    let c4_next = min(c4 + 1u, BIG_QUADS - 1u);
    let s4_next = min(s4 + 1u, SMALL_QUADS - 1u);
    let range = split_range(group.y);
    var t = Tile();
    for (var p = range.x; p < range.y; p += 4u) {
        let small_positions = positions_before(p, range.y);
        let big_positions = big_starts(pixels(p, SMALL_H, SMALL_W), tap / KERNEL, tap % KERNEL);
        let x0 = transpose(load_big(big_positions, c4));
        let x1 = transpose(load_big(big_positions, c4_next));
        let y0 = load_small(small_positions, s4);
        let y1 = load_small(small_positions, s4_next);
        t.m00 += y0 * x0;
        t.m01 += y1 * x0;
        t.m10 += y0 * x1;
        t.m11 += y1 * x1;
    }
    store_partials(group.y, tap, c4, s4, t.m00);
    store_partials(group.y, tap, c4, s4 + 1u, t.m01);
    store_partials(group.y, tap, c4 + 1u, s4, t.m10);
    store_partials(group.y, tap, c4 + 1u, s4 + 1u, t.m11);
}
