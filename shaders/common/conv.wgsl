// Shared by the tiled convolutions; conv.wgsl has the formulas and layouts. Loads take a quad (four
// channels) through buffers.wgsl or texels.wgsl. A mat4x4 holds four pixels, one per column, so
// `weights * pixels` is 64 multiply-adds; transposing registers is free.

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
override ACTIVATION: u32;
override GATE: u32;  // the activation whose output is the gate
override SPLITS: u32;
override WEIGHTS_AT: u32;  // offset of the weights, in quads

// Size of a phase: the big pixels of one residue modulo STRIDE, which all use the same taps.
override PHASE_H: u32 = (BIG_H + STRIDE - 1u) / STRIDE;
override PHASE_W: u32 = (BIG_W + STRIDE - 1u) / STRIDE;
override BIG_QUADS: u32 = BIG_C / 4u;
override SMALL_QUADS: u32 = SMALL_C / 4u;

@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> big_out: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> small_out: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> partials: array<vec4<f32>>;

fn four(first: u32) -> vec4<u32> {
    return first + vec4(0u, 1u, 2u, 3u);
}

// Coordinates of four pixels. Signed, because padding starts below zero.
struct Pixels {
    n: vec4<i32>,
    y: vec4<i32>,
    x: vec4<i32>,
}

// Pixels first..first+3 of BATCH flattened images, clamped to the last pixel.
fn pixels(first: u32, height: u32, width: u32) -> Pixels {
    let p = min(four(first), vec4(BATCH * height * width - 1u));
    return Pixels(
        vec4<i32>(p / (height * width)),
        vec4<i32>(p / width % height),
        vec4<i32>(p % width),
    );
}

// Indices of the big pixels under tap (a, b); -1 in the padding.
fn big_rows(p: Pixels, a: u32, b: u32) -> vec4<i32> {
    let y = p.y * i32(STRIDE) + (i32(a) - i32(PAD_Y));
    let x = p.x * i32(STRIDE) + (i32(b) - i32(PAD_X));
    let inside = (y >= vec4(0)) & (y < vec4(i32(BIG_H))) & (x >= vec4(0)) & (x < vec4(i32(BIG_W)));
    return select(vec4(-1), (p.n * i32(BIG_H) + y) * i32(BIG_W) + x, inside);
}

// Indices of the small pixels at p + (dy, dx); -1 outside.
fn small_rows(p: Pixels, dy: i32, dx: i32) -> vec4<i32> {
    let y = p.y + dy;
    let x = p.x + dx;
    let inside =
        (y >= vec4(0)) & (y < vec4(i32(SMALL_H))) & (x >= vec4(0)) & (x < vec4(i32(SMALL_W)));
    return select(vec4(-1), (p.n * i32(SMALL_H) + y) * i32(SMALL_W) + x, inside);
}

// First quads of pixels by index; NONE for -1.
fn starts(rows: vec4<i32>, quads: u32) -> vec4<u32> {
    return select(vec4(NONE), FIRST + vec4<u32>(rows) * quads, rows >= vec4(0));
}

fn big_starts(p: Pixels, a: u32, b: u32) -> vec4<u32> {
    return starts(big_rows(p, a, b), BIG_QUADS);
}

fn small_starts(p: Pixels, dy: i32, dx: i32) -> vec4<u32> {
    return starts(small_rows(p, dy, dx), SMALL_QUADS);
}

// Quad c4 of four pixels.
fn load_big(starts: vec4<u32>, c4: u32) -> mat4x4<f32> {
    return mat4x4(
        big_quad(starts.x + c4),
        big_quad(starts.y + c4),
        big_quad(starts.z + c4),
        big_quad(starts.w + c4),
    );
}

fn load_small(starts: vec4<u32>, s4: u32) -> mat4x4<f32> {
    return mat4x4(
        small_quad(starts.x + s4),
        small_quad(starts.y + s4),
        small_quad(starts.z + s4),
        small_quad(starts.w + s4),
    );
}

// First weight quad of a tap and a big channel, clamped: sums of surplus channels are discarded.
fn weight_start(tap: u32, c: u32) -> u32 {
    return FIRST + WEIGHTS_AT + (tap * BIG_C + min(c, BIG_C - 1u)) * SMALL_QUADS;
}

// Column k: the weights between channel 4 c4 + k and small quad s4.
fn load_weights(tap: u32, c4: u32, s4: u32) -> mat4x4<f32> {
    let quad = min(s4, SMALL_QUADS - 1u);
    return mat4x4(
        weight_quad(weight_start(tap, 4u * c4) + quad),
        weight_quad(weight_start(tap, 4u * c4 + 1u) + quad),
        weight_quad(weight_start(tap, 4u * c4 + 2u) + quad),
        weight_quad(weight_start(tap, 4u * c4 + 3u) + quad),
    );
}

// Forward epilogue: bias and activation.
fn activate(m: mat4x4<f32>, quad: u32, quads: u32) -> mat4x4<f32> {
    let b = bias[min(quad, quads - 1u)];
    return mat4x4(
        activated4(m[0] + b, ACTIVATION),
        activated4(m[1] + b, ACTIVATION),
        activated4(m[2] + b, ACTIVATION),
        activated4(m[3] + b, ACTIVATION),
    );
}

// Backward epilogue: times the derivative of the activation whose output is the gate.
fn pass_gate(m: mat4x4<f32>, places: vec4<u32>) -> mat4x4<f32> {
    return mat4x4(
        backpropagated4(m[0], gate_quad(places.x), GATE),
        backpropagated4(m[1], gate_quad(places.y), GATE),
        backpropagated4(m[2], gate_quad(places.z), GATE),
        backpropagated4(m[3], gate_quad(places.w), GATE),
    );
}

// Indices of quad s4 of small pixels first..first+3; NONE past the end.
fn places_small(first: u32, s4: u32) -> vec4<u32> {
    let p = four(first);
    let exists = (p < vec4(BATCH * SMALL_H * SMALL_W)) & vec4(s4 < SMALL_QUADS);
    return select(vec4(NONE), FIRST + p * SMALL_QUADS + s4, exists);
}

const NOWHERE = 0xffffffffu;

// Indices of big pixels first..first+3 of a phase; NOWHERE outside. Where STRIDE does not divide the
// big image, the last row or column of some phases is outside.
fn phase_pixels(phase: vec2<u32>, first: u32) -> vec4<u32> {
    let p = four(first);
    let y = p / PHASE_W % PHASE_H * STRIDE + phase.x;
    let x = p % PHASE_W * STRIDE + phase.y;
    let pixel = (p / (PHASE_H * PHASE_W) * BIG_H + y) * BIG_W + x;
    let exists = (p < vec4(BATCH * PHASE_H * PHASE_W)) & (y < vec4(BIG_H)) & (x < vec4(BIG_W));
    return select(vec4(NOWHERE), pixel, exists);
}

fn places_big(phase: vec2<u32>, first: u32, c4: u32) -> vec4<u32> {
    let pixel = phase_pixels(phase, first);
    let exists = (pixel != vec4(NOWHERE)) & vec4(c4 < BIG_QUADS);
    return select(vec4(NONE), FIRST + pixel * BIG_QUADS + c4, exists);
}

fn store_small(places: vec4<u32>, m: mat4x4<f32>) {
    if places.x != NONE { small_out[places.x - FIRST] = m[0]; }
    if places.y != NONE { small_out[places.y - FIRST] = m[1]; }
    if places.z != NONE { small_out[places.z - FIRST] = m[2]; }
    if places.w != NONE { small_out[places.w - FIRST] = m[3]; }
}

fn store_big(places: vec4<u32>, m: mat4x4<f32>) {
    if places.x != NONE { big_out[places.x - FIRST] = m[0]; }
    if places.y != NONE { big_out[places.y - FIRST] = m[1]; }
    if places.z != NONE { big_out[places.z - FIRST] = m[2]; }
    if places.w != NONE { big_out[places.w - FIRST] = m[3]; }
}

// Epilogue and store of one quad of four pixels.
fn forward_small(first: u32, s4: u32, m: mat4x4<f32>) {
    store_small(places_small(first, s4), activate(m, s4, SMALL_QUADS));
}

fn backward_small(first: u32, s4: u32, m: mat4x4<f32>) {
    let places = places_small(first, s4);
    store_small(places, pass_gate(m, places));
}

fn forward_big(phase: vec2<u32>, first: u32, c4: u32, m: mat4x4<f32>) {
    store_big(places_big(phase, first, c4), activate(m, c4, BIG_QUADS));
}

fn backward_big(phase: vec2<u32>, first: u32, c4: u32, m: mat4x4<f32>) {
    let places = places_big(phase, first, c4);
    store_big(places, pass_gate(m, places));
}

// Phases vary fastest along x: they differ in work, and a processor that takes a contiguous run of
// workgroups gets some of each.
fn phase_of(group: vec3<u32>) -> vec2<u32> {
    let phase = group.x % (STRIDE * STRIDE);
    return vec2(phase / STRIDE, phase % STRIDE);
}

// Positions of one split of the weight gradient: from .x to before .y.
fn split_range(split: u32) -> vec2<u32> {
    let positions = BATCH * SMALL_H * SMALL_W;
    let size = (positions + SPLITS - 1u) / SPLITS;
    return min(vec2(split * size, (split + 1u) * size), vec2(positions));
}

// First quads of small positions first..first+3; NONE from `end` on.
fn positions_before(first: u32, end: u32) -> vec4<u32> {
    let p = four(first);
    return select(vec4(NONE), FIRST + p * SMALL_QUADS, p < vec4(end));
}

// Column k: partial sums of channel 4 c4 + k against small quad s4.
fn store_partials(split: u32, tap: u32, c4: u32, s4: u32, m: mat4x4<f32>) {
    if tap >= KERNEL * KERNEL || c4 >= BIG_QUADS || s4 >= SMALL_QUADS {
        return;
    }
    let at = ((split * KERNEL * KERNEL + tap) * BIG_C + 4u * c4) * SMALL_QUADS + s4;
    partials[at] = m[0];
    partials[at + SMALL_QUADS] = m[1];
    partials[at + 2u * SMALL_QUADS] = m[2];
    partials[at + 3u * SMALL_QUADS] = m[3];
}
