// Convolution of a picture of 1 to 4 channels, where quads of channels would be mostly padding: a quad is
// four consecutive values of a picture row, a strip 8 neighbouring pixels of a row. BIG_W (no quad
// straddles rows) and SMALL_C are multiples of 4, KERNEL is at most 5, STRIDE at most 2.

// Loops over taps and channels must unroll, or lavapipe takes eight times as long with three channels:
// windows hold scalars, because dynamic vector indexing blocks unrolling. FXC rejects naga's `for` loops
// and two calls of `Window()`: loops are `while`, and arrays start as zero without it (docs/testing.md).

@group(0) @binding(8) var<storage, read> bias_values: array<f32>;
@group(0) @binding(9) var<storage, read> picture_gate: array<vec4<f32>>;
@group(0) @binding(10) var<storage, read_write> picture_out: array<vec4<f32>>;
@group(0) @binding(11) var<storage, read_write> dy_sums: array<vec4<f32>>;  // [SPLITS, SMALL_C / 4]

override REVERSED: bool;  // the taps are stored last first
override ROW_QUADS: u32 = BIG_W * BIG_C / 4u;
override BIG_STRIPS: u32 = (BIG_W + 7u) / 8u;
override SMALL_STRIPS: u32 = (SMALL_W + 7u) / 8u;
override BAND: u32;  // picture rows per invocation of `adjoint`
override BANDS: u32 = (BIG_H + BAND - 1u) / BAND;
// Quads of a picture row under a strip of small pixels, from 4 pixels left of it.
override WINDOW: u32 = ((3u + KERNEL - PAD_X + 7u * STRIDE) * BIG_C + BIG_C + 3u) / 4u;

alias Window = array<f32, 96>;

// Where tap (a, b) is stored.
fn stored_tap(a: u32, b: u32) -> u32 {
    let tap = a * KERNEL + b;
    return select(tap, KERNEL * KERNEL - 1u - tap, REVERSED);
}

struct Strip {
    n: u32,
    y: u32,
    x: u32,
}

fn strip_at(index: u32, height: u32, strips: u32) -> Strip {
    return Strip(index / (height * strips), index / strips % height, 8u * (index % strips));
}

// The picture values under kernel row a, halo included; zero past the last image.
fn window_of(s: Strip, a: u32) -> Window {
    // Above the picture y wraps around and fails the bound; so do quads left of it.
    let y = s.y * STRIDE + a - PAD_Y;
    let first = s.x * STRIDE * BIG_C / 4u - BIG_C;
    let start = FIRST + (s.n * BIG_H + y) * ROW_QUADS;
    let exists = y < BIG_H && s.n < BATCH;
    var w: Window;
    var k = 0u;
    while k < WINDOW {
        let quad = big_quad(select(NONE, start + first + k, exists && first + k < ROW_QUADS));
        w[4u * k] = quad.x;
        w[4u * k + 1u] = quad.y;
        w[4u * k + 2u] = quad.z;
        w[4u * k + 3u] = quad.w;
        k++;
    }
    return w;
}

// Channel c under kernel column b, for small pixels i..i+3 of the strip.
fn window_values(w: ptr<function, Window>, b: u32, c: u32, i: u32) -> vec4<f32> {
    let at = (4u + b - PAD_X + i * STRIDE) * BIG_C + c;
    let next = STRIDE * BIG_C;
    return vec4((*w)[at], (*w)[at + next], (*w)[at + 2u * next], (*w)[at + 3u * next]);
}

// Column k: u · v[k].
fn outer(u: vec4<f32>, v: vec4<f32>) -> mat4x4<f32> {
    return mat4x4(u * v.x, u * v.y, u * v.z, u * v.w);
}

// Outputs are numbered along x, then y: a grid axis holds at most 65 535 workgroups.
fn invocation(group: vec3<u32>, groups: vec3<u32>, size: u32, lane: u32) -> u32 {
    return (group.y * groups.x + group.x) * size + lane;
}

// Quad s4 of 8 small pixels.
struct Pair {
    m0: mat4x4<f32>,
    m1: mat4x4<f32>,
}

fn correlation(s: Strip, s4: u32) -> Pair {
    var t = Pair();
    var a = 0u;
    while a < KERNEL {
        var w = window_of(s, a);
        var b = 0u;
        while b < KERNEL {
            var c = 0u;
            while c < BIG_C {
                let weight = weight_quad(weight_start(stored_tap(a, b), c) + s4);
                t.m0 += outer(weight, window_values(&w, b, c, 0u));
                t.m1 += outer(weight, window_values(&w, b, c, 4u));
                c++;
            }
            b++;
        }
        a++;
    }
    return t;
}

// Indices of quad s4 of small pixels x..x+3.
fn strip_places(s: Strip, x: u32, s4: u32) -> vec4<u32> {
    let at = ((s.n * SMALL_H + s.y) * SMALL_W + four(x)) * SMALL_QUADS + s4;
    return select(vec4(NONE), FIRST + at, (four(x) < vec4(SMALL_W)) & vec4(s.n < BATCH));
}

@compute @workgroup_size(32)
fn correlate(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = invocation(group, groups, 32u, lane);
    let s4 = i % SMALL_QUADS;
    let s = strip_at(i / SMALL_QUADS, SMALL_H, SMALL_STRIPS);
    let t = correlation(s, s4);
    store_small(strip_places(s, s.x, s4), activate(t.m0, s4, SMALL_QUADS));
    store_small(strip_places(s, s.x + 4u, s4), activate(t.m1, s4, SMALL_QUADS));
}

@compute @workgroup_size(32)
fn correlate_gated(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = invocation(group, groups, 32u, lane);
    let s4 = i % SMALL_QUADS;
    let s = strip_at(i / SMALL_QUADS, SMALL_H, SMALL_STRIPS);
    let t = correlation(s, s4);
    let left = strip_places(s, s.x, s4);
    let right = strip_places(s, s.x + 4u, s4);
    store_small(left, pass_gate(t.m0, left));
    store_small(right, pass_gate(t.m1, right));
}

// Element c: channel c of big pixels 0..3 of the strip; element 4 + c: of pixels 4..7.
alias Sums = array<vec4<f32>, 8>;

// Strips of KERNEL consecutive rows.
alias Column = array<Sums, 5>;

// Quad s4 of the small pixel that tap (0, KERNEL - 1) pairs with big pixel (reach - PAD_Y, s.x + o); zero
// if there is none. For tap (0, b) the small pixel is that of o + KERNEL - 1 - b.
fn reached(s: Strip, reach: u32, o: u32, s4: u32) -> vec4<f32> {
    let x = s.x + PAD_X + o + 1u - KERNEL;
    let i = reach / STRIDE;
    let j = x / STRIDE;
    let exists =
        reach % STRIDE == 0u && x % STRIDE == 0u && i < SMALL_H && j < SMALL_W && s.n < BATCH;
    let at = ((s.n * SMALL_H + i) * SMALL_W + j) * SMALL_QUADS + s4;
    return small_quad(select(NONE, FIRST + at, exists));
}

// Adds a small row to all big rows that it reaches, through kernel row a to column[a].
fn add_row(column: ptr<function, Column>, s: Strip, reach: u32) {
    // No iteration for surplus invocations. FXC simulates loops of known count: minutes for 392 quads.
    let s4_end = select(0u, SMALL_QUADS, s.n < BATCH);
    var s4 = 0u;
    while s4 < s4_end {
        let o = KERNEL - 1u;
        var left = mat4x4(
            reached(s, reach, o, s4), reached(s, reach, o + 1u, s4),
            reached(s, reach, o + 2u, s4), reached(s, reach, o + 3u, s4));
        var right = mat4x4(
            reached(s, reach, o + 4u, s4), reached(s, reach, o + 5u, s4),
            reached(s, reach, o + 6u, s4), reached(s, reach, o + 7u, s4));
        var b = 0u;
        while b < KERNEL {
            var c = 0u;
            while c < BIG_C {
                var a = 0u;
                while a < KERNEL {
                    let weight = weight_quad(weight_start(stored_tap(a, b), c) + s4);
                    (*column)[a][c] += weight * left;
                    (*column)[a][4u + c] += weight * right;
                    a++;
                }
                c++;
            }
            right = mat4x4(left[3], right[0], right[1], right[2]);
            left = mat4x4(reached(s, reach, o - b - 1u, s4), left[0], left[1], left[2]);
            b++;
        }
        s4++;
    }
}

// Shifts the column by one row and adds a small row; column[0] is then the complete row y.
fn complete_row(column: ptr<function, Column>, s: Strip, y: u32) {
    var a = 0u;
    while a < KERNEL - 1u {
        (*column)[a] = (*column)[a + 1u];
        a++;
    }
    var none: Sums;
    (*column)[KERNEL - 1u] = none;
    add_row(column, s, y + PAD_Y);
}

fn sum_at(sums: ptr<function, Sums>, e: u32) -> f32 {
    let pixel = e / BIG_C;
    return (*sums)[pixel / 4u * 4u + e % BIG_C][pixel % 4u];
}

// Values 4k..4k+3 of the strip.
fn strip_quad(sums: ptr<function, Sums>, k: u32) -> vec4<f32> {
    let e = 4u * k;
    return vec4(sum_at(sums, e), sum_at(sums, e + 1u), sum_at(sums, e + 2u), sum_at(sums, e + 3u));
}

fn bias_quad(k: u32) -> vec4<f32> {
    let c = four(4u * k) % BIG_C;
    return vec4(bias_values[c.x], bias_values[c.y], bias_values[c.z], bias_values[c.w]);
}

// Epilogue and store of row y of a strip.
fn store_row(s: Strip, y: u32, column: ptr<function, Column>) {
    var sums = (*column)[0];
    var k = 0u;
    while k < 2u * BIG_C {
        let in_row = s.x * BIG_C / 4u + k;
        if in_row < ROW_QUADS {
            let v = strip_quad(&sums, k) + bias_quad(k);
            let at = (s.n * BIG_H + y) * ROW_QUADS + in_row;
            picture_out[at] = activated4(v, ACTIVATION);
        }
        k++;
    }
}

fn store_row_gated(s: Strip, y: u32, column: ptr<function, Column>) {
    var sums = (*column)[0];
    var k = 0u;
    while k < 2u * BIG_C {
        let in_row = s.x * BIG_C / 4u + k;
        if in_row < ROW_QUADS {
            let at = (s.n * BIG_H + y) * ROW_QUADS + in_row;
            picture_out[at] = backpropagated4(strip_quad(&sums, k), picture_gate[at], GATE);
        }
        k++;
    }
}

// An invocation walks down a band of rows, so it loads each small pixel once for all kernel rows.
@compute @workgroup_size(8)
fn adjoint(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let s = strip_at(invocation(group, groups, 8u, lane), BANDS, BIG_STRIPS);
    var column: Column;
    var r = 0u;
    while r < BAND + KERNEL - 1u {
        // Rows above the picture wrap around and fail the bound.
        let y = s.y * BAND + r + 1u - KERNEL;
        complete_row(&column, s, y);
        if r + 1u >= KERNEL && y < BIG_H && s.n < BATCH {
            store_row(s, y, &column);
        }
        r++;
    }
}

@compute @workgroup_size(8)
fn adjoint_gated(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let s = strip_at(invocation(group, groups, 8u, lane), BANDS, BIG_STRIPS);
    var column: Column;
    var r = 0u;
    while r < BAND + KERNEL - 1u {
        // Rows above the picture wrap around and fail the bound.
        let y = s.y * BAND + r + 1u - KERNEL;
        complete_row(&column, s, y);
        if r + 1u >= KERNEL && y < BIG_H && s.n < BATCH {
            store_row_gated(s, y, &column);
        }
        r++;
    }
}

// First quads of small pixels x..x+3 of a row; NONE outside the row and the range.
fn strip_positions(row: u32, x: u32, range: vec2<u32>) -> vec4<u32> {
    let p = row * SMALL_W + four(x);
    let inside = (four(x) < vec4(SMALL_W)) & (p >= vec4(range.x)) & (p < vec4(range.y));
    return select(vec4(NONE), FIRST + p * SMALL_QUADS, inside);
}

alias Weights = array<vec4<f32>, 28>;  // by tap and channel, then the sum of the small image

override COUNT: u32 = KERNEL * KERNEL * BIG_C;  // at most 27

// An invocation owns all weights of a small quad, over every `step`-th strip of a range of positions, and
// the sum of the small image over these.
fn gradient(grads: ptr<function, Weights>, quad: u32, range: vec2<u32>, slice: u32, step: u32) {
    let first = range.x / SMALL_W * SMALL_STRIPS;
    let end = (range.y + SMALL_W - 1u) / SMALL_W * SMALL_STRIPS;
    var small_sum = vec4(0.0);
    var i = first + slice;
    while i < end {
        let s = strip_at(i, SMALL_H, SMALL_STRIPS);
        let row = s.n * SMALL_H + s.y;
        let left = load_small(strip_positions(row, s.x, range), quad);
        let right = load_small(strip_positions(row, s.x + 4u, range), quad);
        var a = 0u;
        while a < KERNEL {
            var w = window_of(s, a);
            var b = 0u;
            while b < KERNEL {
                var c = 0u;
                while c < BIG_C {
                    (*grads)[stored_tap(a, b) * BIG_C + c] +=
                        left * window_values(&w, b, c, 0u) + right * window_values(&w, b, c, 4u);
                    c++;
                }
                b++;
            }
            a++;
        }
        small_sum += ((left[0] + left[1]) + (left[2] + left[3]))
            + ((right[0] + right[1]) + (right[2] + right[3]));
        i += step;
    }
    (*grads)[COUNT] = small_sum;
}

fn store_weights(split: u32, s4: u32, grads: ptr<function, Weights>) {
    var weight = 0u;
    while weight < COUNT {
        if s4 < SMALL_QUADS {
            partials[(split * COUNT + weight) * SMALL_QUADS + s4] = (*grads)[weight];
        }
        weight++;
    }
}

@compute @workgroup_size(8)
fn weight_grad(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let s4 = group.x * 8u + lane;
    var grads: Weights;
    gradient(&grads, min(s4, SMALL_QUADS - 1u), split_range(group.y), 0u, 1u);
    store_weights(group.y, s4, &grads);
}

// The gradient, and the sum of dy where dy is the small image.
@compute @workgroup_size(8)
fn weight_grad_sum_small(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let s4 = group.x * 8u + lane;
    var grads: Weights;
    gradient(&grads, min(s4, SMALL_QUADS - 1u), split_range(group.y), 0u, 1u);
    store_weights(group.y, s4, &grads);
    if s4 < SMALL_QUADS {
        dy_sums[group.y * SMALL_QUADS + s4] = grads[COUNT];
    }
}

// For GPUs, where each strip has a long latency: SLICES invocations share the strips of a split.
const SLICES = GROUP_SIZE / 8u;
const HELD = 4u;  // weights reduced per round
var<workgroup> quads: array<vec4<f32>, HELD * GROUP_SIZE>;  // [HELD, SLICES, 8 quads]

// Sums over the slices, in order: of weight first + lane / 8 and quad lane % 8.
fn all_slices(grads: ptr<function, Weights>, first: u32, lane: u32) -> vec4<f32> {
    workgroupBarrier();
    var k = 0u;
    while k < HELD {
        quads[k * GROUP_SIZE + lane] = (*grads)[first + k];
        k++;
    }
    workgroupBarrier();
    var sum = vec4(0.0);
    if lane < 8u * HELD {
        var slice = 0u;
        while slice < SLICES {
            // Four loads overlap.
            let at = lane / 8u * GROUP_SIZE + 8u * slice + lane % 8u;
            let next = mat4x4(quads[at], quads[at + 8u], quads[at + 16u], quads[at + 24u]);
            sum = sum + next[0] + next[1] + next[2] + next[3];
            slice += 4u;
        }
    }
    return sum;
}

@compute @workgroup_size(GROUP_SIZE)
fn weight_grad_deep(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let s4 = group.x * 8u + lane % 8u;
    var grads: Weights;
    gradient(&grads, min(s4, SMALL_QUADS - 1u), split_range(group.y), lane / 8u, SLICES);
    var first = 0u;
    while first < COUNT {
        let sum = all_slices(&grads, first, lane);
        let weight = first + lane / 8u;
        if lane < 8u * HELD && weight < COUNT && s4 < SMALL_QUADS {
            partials[(group.y * COUNT + weight) * SMALL_QUADS + s4] = sum;
        }
        first += HELD;
    }
}

// The same, with the sum of dy.
@compute @workgroup_size(GROUP_SIZE)
fn weight_grad_sum_small_deep(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let s4 = group.x * 8u + lane % 8u;
    var grads: Weights;
    gradient(&grads, min(s4, SMALL_QUADS - 1u), split_range(group.y), lane / 8u, SLICES);
    var first = 0u;
    while first <= COUNT {
        let sum = all_slices(&grads, first, lane);
        let weight = first + lane / 8u;
        if lane < 8u * HELD && s4 < SMALL_QUADS {
            if weight < COUNT {
                partials[(group.y * COUNT + weight) * SMALL_QUADS + s4] = sum;
            } else if weight == COUNT {
                dy_sums[group.y * SMALL_QUADS + s4] = sum;
            }
        }
        first += HELD;
    }
}
