// Convolution, plain variant: one output per invocation, scalar loads. The reference for the tiled
// variants.
//
// A convolution relates a big image [BATCH, BIG_H, BIG_W, BIG_C] to a small one
// [BATCH, SMALL_H, SMALL_W, SMALL_C] through weights [KERNEL, KERNEL, BIG_C, SMALL_C]:
//   correlate    small[n, i, j, s] = sum big[n, S i + a - PAD_Y, S j + b - PAD_X, c] w[a, b, c, s]
//   adjoint      its transpose, from small to big
//   weight_grad  dw[a, b, c, s]    = sum big[n, S i + a - PAD_Y, S j + b - PAD_X, c] small[n, i, j, s]
// The padding around the big image is zero. Weights are in Keras layout (HWIO, HWOI for transposed):
// a convolution runs correlate forward and adjoint backward, a transposed one the other way round.

override BATCH: u32;
override KERNEL: u32;
override STRIDE: u32;
override PAD_Y: u32;
override PAD_X: u32;
override BIG_H: u32;
override BIG_W: u32;
override BIG_C: u32;
override SMALL_H: u32;
override SMALL_W: u32;
override SMALL_C: u32;
override ACTIVATION: u32;  // forward
override GATE: u32;        // input gradient: the activation whose output is the gate
override SPLITS: u32;  // weight gradient: splits of the positions

@group(0) @binding(0) var<storage, read> big: array<f32>;
@group(0) @binding(1) var<storage, read> small: array<f32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;             // one per output channel
@group(0) @binding(4) var<storage, read> gate: array<f32>;             // shape of the output
@group(0) @binding(5) var<storage, read_write> big_out: array<f32>;
@group(0) @binding(6) var<storage, read_write> small_out: array<f32>;
@group(0) @binding(7) var<storage, read_write> partials: array<f32>;   // [SPLITS, KERNEL, KERNEL, BIG_C, SMALL_C]

// Index of the first channel of big pixel (n, y, x); -1 in the padding.
fn big_at(n: u32, y: i32, x: i32) -> i32 {
    if y < 0 || y >= i32(BIG_H) || x < 0 || x >= i32(BIG_W) {
        return -1;
    }
    return ((i32(n * BIG_H) + y) * i32(BIG_W) + x) * i32(BIG_C);
}

fn correlation(pixel: u32, s: u32) -> f32 {
    let n = pixel / (SMALL_H * SMALL_W);
    let i = pixel / SMALL_W % SMALL_H;
    let j = pixel % SMALL_W;
    var sum = 0.0;
    for (var a = 0u; a < KERNEL; a++) {
        for (var b = 0u; b < KERNEL; b++) {
            let at = big_at(n, i32(STRIDE * i + a) - i32(PAD_Y), i32(STRIDE * j + b) - i32(PAD_X));
            if at < 0 {
                continue;
            }
            for (var c = 0u; c < BIG_C; c++) {
                sum += big[u32(at) + c] * weights[((a * KERNEL + b) * BIG_C + c) * SMALL_C + s];
            }
        }
    }
    return sum;
}

// The taps of a big pixel are those at a multiple of STRIDE from it.
fn adjoint_sum(pixel: u32, c: u32) -> f32 {
    let n = pixel / (BIG_H * BIG_W);
    let y = pixel / BIG_W % BIG_H + PAD_Y;
    let x = pixel % BIG_W + PAD_X;
    var sum = 0.0;
    for (var a = y % STRIDE; a < KERNEL; a += STRIDE) {
        for (var b = x % STRIDE; b < KERNEL; b += STRIDE) {
            if a > y || b > x {
                continue;
            }
            let i = (y - a) / STRIDE;
            let j = (x - b) / STRIDE;
            if i >= SMALL_H || j >= SMALL_W {
                continue;
            }
            let at = ((n * SMALL_H + i) * SMALL_W + j) * SMALL_C;
            let row = ((a * KERNEL + b) * BIG_C + c) * SMALL_C;
            for (var s = 0u; s < SMALL_C; s++) {
                sum += small[at + s] * weights[row + s];
            }
        }
    }
    return sum;
}

// Outputs are numbered along x, then y: a grid axis holds at most 65 535 workgroups.
fn output_index(group: vec3<u32>, groups: vec3<u32>, lane: u32) -> u32 {
    return (group.y * groups.x + group.x) * 64u + lane;
}

@compute @workgroup_size(64)
fn correlate(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = output_index(group, groups, lane);
    let channel = at % SMALL_C;
    if at < BATCH * SMALL_H * SMALL_W * SMALL_C {
        small_out[at] = activated(correlation(at / SMALL_C, channel) + bias[channel], ACTIVATION);
    }
}

@compute @workgroup_size(64)
fn correlate_gated(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = output_index(group, groups, lane);
    let channel = at % SMALL_C;
    if at < BATCH * SMALL_H * SMALL_W * SMALL_C {
        small_out[at] = backpropagated(correlation(at / SMALL_C, channel), gate[at], GATE);
    }
}

@compute @workgroup_size(64)
fn adjoint(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = output_index(group, groups, lane);
    let channel = at % BIG_C;
    if at < BATCH * BIG_H * BIG_W * BIG_C {
        big_out[at] = activated(adjoint_sum(at / BIG_C, channel) + bias[channel], ACTIVATION);
    }
}

@compute @workgroup_size(64)
fn adjoint_gated(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = output_index(group, groups, lane);
    let channel = at % BIG_C;
    if at < BATCH * BIG_H * BIG_W * BIG_C {
        big_out[at] = backpropagated(adjoint_sum(at / BIG_C, channel), gate[at], GATE);
    }
}

// An invocation owns one weight and one split of the positions (n, i, j).
@compute @workgroup_size(64)
fn weight_grad(@builtin(global_invocation_id) id: vec3<u32>) {
    let weight_count = KERNEL * KERNEL * BIG_C * SMALL_C;
    if id.x >= weight_count || id.y >= SPLITS {
        return;
    }
    let s = id.x % SMALL_C;
    let c = id.x / SMALL_C % BIG_C;
    let tap = id.x / (SMALL_C * BIG_C);
    let positions = BATCH * SMALL_H * SMALL_W;
    let size = (positions + SPLITS - 1u) / SPLITS;
    var sum = 0.0;
    for (var p = id.y * size; p < min((id.y + 1u) * size, positions); p++) {
        let y = STRIDE * (p / SMALL_W % SMALL_H) + tap / KERNEL;
        let x = STRIDE * (p % SMALL_W) + tap % KERNEL;
        let at = big_at(p / (SMALL_H * SMALL_W), i32(y) - i32(PAD_Y), i32(x) - i32(PAD_X));
        if at >= 0 {
            sum += big[u32(at) + c] * small[p * SMALL_C + s];
        }
    }
    partials[id.y * weight_count + id.x] = sum;
}
