// Convolution in register tiles that share weight loads across a subgroup. Channel counts are multiples
// of 8. An invocation owns 4 pixels × 32 output channels, or 16. All lanes have the same channels, so 8
// lanes load the weights and broadcast them: 8 loads per 512 multiply-adds, or 6 per 256.

// Lanes 0 to 7 load for the whole subgroup; a larger subgroup repeats their loads. No invocation returns
// early, because the others need its weights. Where loads cost more than arithmetic, as on software
// adapters, sharing them is two to four times as fast.

override WIDE: bool;  // 32 output channels, else 16
// Quads per iteration, 1 or 2. Taps and quads share one loop, because lavapipe masks every accumulator
// at each back-edge; two quads halve the back-edges, but lose where registers are few or the body
// outgrows the cache of decoded instructions.
override UNROLL: u32;
@group(0) @binding(8) var<storage, read_write> dy_sums: array<vec4<f32>>;  // [sums, channels / 4]

override OWNED: u32 = select(4u, 8u, WIDE);  // quads per invocation

// Four pixels × 16 channels.
struct Half {
    m0: mat4x4<f32>,
    m1: mat4x4<f32>,
    m2: mat4x4<f32>,
    m3: mat4x4<f32>,
}

// `high` stays zero in narrow tiles.
struct Tile {
    low: Half,
    high: Half,
}

// For epilogues that loop over quads. The constant count lets compilers unroll them: dynamic indexing
// costs seconds of compilation on lavapipe.
fn quads_of(t: Half) -> array<mat4x4<f32>, 4> {
    return array(t.m0, t.m1, t.m2, t.m3);
}

// t[j] += w[j] * x, where column k of w[j] is in lane 4 (k / 2) + j of a (k even) or b (k odd).
fn accumulate(t: ptr<function, Half>, a: vec4<f32>, b: vec4<f32>, x: mat4x4<f32>) {
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

// t[j] += w[j] * x, where row i of w[j] is in lane 4 j + i of a, or 4 (j - 2) + i of b for j = 2, 3.
fn accumulate_rows(t: ptr<function, Half>, a: vec4<f32>, b: vec4<f32>, x: mat4x4<f32>) {
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

// Adds a big quad of four pixels; `at` is the lane's first weight quad, for low and high.
fn add_big(low: ptr<function, Half>, high: ptr<function, Half>, x: mat4x4<f32>, at: vec2<u32>) {
    accumulate(low, weight_quad(at.x), weight_quad(at.x + SMALL_QUADS), x);
    if WIDE {
        accumulate(high, weight_quad(at.y), weight_quad(at.y + SMALL_QUADS), x);
    }
}

// Small pixels first..first+3, quads from s4.
fn correlation(first: u32, s4: u32, lane: u32) -> Tile {
    let p = pixels(first, SMALL_H, SMALL_W);
    let quads = min(s4 + lane % 4u + vec2(0u, 4u), vec2(SMALL_QUADS - 1u));
    var low = Half();
    var high = Half();
    // CPUs divide slowly, so the loop counts taps and quads itself.
    var tap = vec2(0u);
    var c4 = 0u;
    for (var i = 0u; i < KERNEL * KERNEL * BIG_QUADS; i += UNROLL) {
        let pixel = big_starts(p, tap.x, tap.y);
        let at = quads + weight_start(tap.x * KERNEL + tap.y, 4u * c4 + 2u * (lane / 4u));
        add_big(&low, &high, load_big(pixel, c4), at);
        if UNROLL == 2u {
            add_big(&low, &high, load_big(pixel, c4 + 1u), at + 4u * SMALL_QUADS);
        }
        c4 += UNROLL;
        let tap_ends = c4 == BIG_QUADS;
        let row_ends = tap_ends && tap.y + 1u == KERNEL;
        c4 = select(c4, 0u, tap_ends);
        tap = select(tap + vec2(0u, u32(tap_ends)), vec2(tap.x + 1u, 0u), row_ends);
    }
    return Tile(low, high);
}

// Adds a small quad of four pixels; `at` holds the lane's weight quads, two for each half.
fn add_small(
    low: ptr<function, Half>, high: ptr<function, Half>, x: mat4x4<f32>, at: vec4<u32>,
) {
    accumulate_rows(low, weight_quad(at.x), weight_quad(at.y), x);
    if WIDE {
        accumulate_rows(high, weight_quad(at.z), weight_quad(at.w), x);
    }
}

// Big pixels first..first+3 of a phase, quads from c4.
fn adjoint_sum(phase: vec2<u32>, first: u32, c4: u32, lane: u32) -> Tile {
    let p = pixels(first, PHASE_H, PHASE_W);
    let reach = phase + vec2(PAD_Y, PAD_X);
    let start = reach % STRIDE;
    let taps = (KERNEL - start + STRIDE - 1u) / STRIDE;
    let c = 4u * c4 + lane;
    let channels = vec4(weight_start(0u, c), weight_start(0u, c + 8u),
        weight_start(0u, c + 16u), weight_start(0u, c + 24u));
    var low = Half();
    var high = Half();
    let farthest = vec2<i32>((reach - start) / STRIDE);
    var tap_index = vec2(0u);
    var s4 = 0u;
    for (var i = 0u; i < taps.x * taps.y * SMALL_QUADS; i += UNROLL) {
        let tap = start + STRIDE * tap_index;
        let d = farthest - vec2<i32>(tap_index);
        let pixel = small_starts(p, d.x, d.y);
        let at = channels + (tap.x * KERNEL + tap.y) * BIG_C * SMALL_QUADS + s4;
        add_small(&low, &high, load_small(pixel, s4), at);
        if UNROLL == 2u {
            add_small(&low, &high, load_small(pixel, s4 + 1u), at + 1u);
        }
        s4 += UNROLL;
        let tap_ends = s4 == SMALL_QUADS;
        let row_ends = tap_ends && tap_index.y + 1u == taps.y;
        s4 = select(s4, 0u, tap_ends);
        tap_index = select(tap_index + vec2(0u, u32(tap_ends)), vec2(tap_index.x + 1u, 0u), row_ends);
    }
    return Tile(low, high);
}

@compute @workgroup_size(8)
fn correlate(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) invocation: u32,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let first = 4u * (group.y * 8u + invocation);
    let s4 = OWNED * group.x;
    let t = correlation(first, s4, lane % 8u);
    var low = quads_of(t.low);
    var high = quads_of(t.high);
    for (var j = 0u; j < 4u; j++) {
        forward_small(first, s4 + j, low[j]);
        if WIDE {
            forward_small(first, s4 + 4u + j, high[j]);
        }
    }
}

@compute @workgroup_size(8)
fn correlate_gated(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) invocation: u32,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let first = 4u * (group.y * 8u + invocation);
    let s4 = OWNED * group.x;
    let t = correlation(first, s4, lane % 8u);
    var low = quads_of(t.low);
    var high = quads_of(t.high);
    for (var j = 0u; j < 4u; j++) {
        backward_small(first, s4 + j, low[j]);
        if WIDE {
            backward_small(first, s4 + 4u + j, high[j]);
        }
    }
}

@compute @workgroup_size(8)
fn adjoint(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) invocation: u32,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let phase = phase_of(group);
    let first = 4u * (group.y * 8u + invocation);
    let c4 = OWNED * (group.x / (STRIDE * STRIDE));
    let t = adjoint_sum(phase, first, c4, lane % 8u);
    var low = quads_of(t.low);
    var high = quads_of(t.high);
    for (var j = 0u; j < 4u; j++) {
        forward_big(phase, first, c4 + j, low[j]);
        if WIDE {
            forward_big(phase, first, c4 + 4u + j, high[j]);
        }
    }
}

@compute @workgroup_size(8)
fn adjoint_gated(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) invocation: u32,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let phase = phase_of(group);
    let first = 4u * (group.y * 8u + invocation);
    let c4 = OWNED * (group.x / (STRIDE * STRIDE));
    let t = adjoint_sum(phase, first, c4, lane % 8u);
    var low = quads_of(t.low);
    var high = quads_of(t.high);
    for (var j = 0u; j < 4u; j++) {
        backward_big(phase, first, c4 + j, low[j]);
        if WIDE {
            backward_big(phase, first, c4 + 4u + j, high[j]);
        }
    }
}

// Sums over the same positions, for the bias gradient: of the big quads under the tap, and of the small
// quads that the lane loads for each half of a tile.
struct Sums {
    big: vec4<f32>,
    low: vec4<f32>,
    high: vec4<f32>,
}

struct Gradient {
    weights: Tile,
    sums: Sums,
}

// Positions in a quarter of a split. The last quarters may end beyond the last split.
override QUARTER: u32 = ((BATCH * SMALL_H * SMALL_W + SPLITS - 1u) / SPLITS + 4u * UNROLL - 1u)
    / (4u * UNROLL) * UNROLL;

// An invocation owns one big quad of one tap × 8 small quads, or 4, over one split. An iteration takes a
// position of each quarter, so that each load walks along a row and a CPU prefetches it. Lanes share
// their positions, so each of eight lanes computes the coordinates of one and broadcasts them.
fn gradient(s4: u32, row: u32, range: vec2<u32>, lane: u32) -> Gradient {
    let tap = row / BIG_QUADS;
    let offset = vec2(tap % KERNEL - PAD_X, tap / KERNEL - PAD_Y);
    let start = FIRST + (offset.y * BIG_W + offset.x) * BIG_QUADS + row % BIG_QUADS;
    let source = Source(2u * QUARTER * (lane / 4u), s4 + lane % 4u, range.y);
    var low = Half();
    var high = Half();
    var sums = Sums();
    let own = range.x + lane / 4u + lane % 4u * QUARTER;
    var place = place_of(own);
    for (var p = range.x; p < range.x + QUARTER; p += UNROLL) {
        let there = corner_of(place, own + p - range.x < range.y);
        place = next_place(place);
        let x = mat4x4(
            big_quad(start_at(subgroupBroadcast(there, 0u), offset, start)),
            big_quad(start_at(subgroupBroadcast(there, 1u), offset, start)),
            big_quad(start_at(subgroupBroadcast(there, 2u), offset, start)),
            big_quad(start_at(subgroupBroadcast(there, 3u), offset, start)),
        );
        add_positions(&low, &high, &sums, source, p, x);
        if UNROLL == 2u {
            let next = mat4x4(
                big_quad(start_at(subgroupBroadcast(there, 4u), offset, start)),
                big_quad(start_at(subgroupBroadcast(there, 5u), offset, start)),
                big_quad(start_at(subgroupBroadcast(there, 6u), offset, start)),
                big_quad(start_at(subgroupBroadcast(there, 7u), offset, start)),
            );
            add_positions(&low, &high, &sums, source, p + 1u, next);
        }
    }
    return Gradient(Tile(low, high), sums);
}

// Adds positions p, p + QUARTER, p + 2 QUARTER and p + 3 QUARTER, whose big quads are x.
fn add_positions(
    low: ptr<function, Half>, high: ptr<function, Half>, sums: ptr<function, Sums>,
    source: Source, p: u32, x: mat4x4<f32>,
) {
    let columns = transpose(x);
    let a = small_at(source, p, 0u);
    let b = small_at(source, p + QUARTER, 0u);
    accumulate(low, a, b, columns);
    (*sums).big += (x[0] + x[1]) + (x[2] + x[3]);
    (*sums).low += a + b;
    if WIDE {
        let c = small_at(source, p, 4u);
        let d = small_at(source, p + QUARTER, 4u);
        accumulate(high, c, d, columns);
        (*sums).high += c + d;
    }
}

fn store_gradient(split: u32, row: u32, s4: u32, t: Tile) {
    var low = quads_of(t.low);
    var high = quads_of(t.high);
    for (var j = 0u; j < 4u; j++) {
        store_partials(split, row / BIG_QUADS, row % BIG_QUADS, s4 + j, low[j]);
        if WIDE {
            store_partials(split, row / BIG_QUADS, row % BIG_QUADS, s4 + 4u + j, high[j]);
        }
    }
}

// The gradient, and sums of dy where dy is the big image: over the pixels under each of the STRIDE ×
// STRIDE taps from (PAD_Y, PAD_X) on, which together cover all pixels.
@compute @workgroup_size(8)
fn weight_grad_sum_big(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) invocation: u32,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let s4 = OWNED * group.x;
    let row = group.y * 8u + invocation;
    let g = gradient(s4, row, split_range(group.z), lane % 8u);
    store_gradient(group.z, row, s4, g.weights);
    let tap = row / BIG_QUADS;
    // Taps before these wrap around and fail the bound.
    let phase = vec2(tap / KERNEL - PAD_Y, tap % KERNEL - PAD_X);
    if s4 == 0u && tap < KERNEL * KERNEL && phase.x < STRIDE && phase.y < STRIDE {
        let sum = (group.z * STRIDE + phase.x) * STRIDE + phase.y;
        dy_sums[sum * BIG_QUADS + row % BIG_QUADS] = g.sums.big;
    }
}

// The gradient, and two sums of dy where dy is the small image: of the first two quarters of positions,
// and of the last two.
@compute @workgroup_size(8)
fn weight_grad_sum_small(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) invocation: u32,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let s4 = OWNED * group.x;
    let row = group.y * 8u + invocation;
    let g = gradient(s4, row, split_range(group.z), lane % 8u);
    store_gradient(group.z, row, s4, g.weights);
    let first = (2u * group.z + lane % 8u / 4u) * SMALL_QUADS;
    let quad = s4 + lane % 4u;
    if row < 8u && quad < SMALL_QUADS {
        dy_sums[first + quad] = g.sums.low;
    }
    if WIDE && row < 8u && quad + 4u < SMALL_QUADS {
        dy_sums[first + quad + 4u] = g.sums.high;
    }
}

// Coordinates of small position p: x, y and image.
fn place_of(p: u32) -> vec3<u32> {
    return vec3(p % SMALL_W, p / SMALL_W % SMALL_H, p / (SMALL_H * SMALL_W));
}

// Coordinates of the next iteration's position. A row holds at least UNROLL pixels.
fn next_place(place: vec3<u32>) -> vec3<u32> {
    let row_ends = place.x + UNROLL >= SMALL_W;
    let x = place.x + UNROLL - select(0u, SMALL_W, row_ends);
    let y = place.y + u32(row_ends);
    let image_ends = y == SMALL_H;
    return vec3(x, select(y, 0u, image_ends), place.z + u32(image_ends));
}

// The big pixel of tap (0, 0): x, y and first quad; far outside if the position does not count.
fn corner_of(place: vec3<u32>, counts: bool) -> vec3<u32> {
    let corner = STRIDE * place.xy;
    let quad = ((place.z * BIG_H + corner.y) * BIG_W + corner.x) * BIG_QUADS;
    return vec3(select(vec2(1u << 31u), corner, counts), quad);
}

// The small quads that a lane loads: offset of its position, quad, end of the positions.
struct Source {
    ahead: u32,
    quad: u32,
    end: u32,
}

// The lane's quad, or the one `more` quads later, at position p + ahead; zero past the end.
fn small_at(source: Source, p: u32, more: u32) -> vec4<f32> {
    let position = p + source.ahead;
    let quad = min(source.quad + more, SMALL_QUADS - 1u);
    return small_quad(select(NONE, FIRST + position * SMALL_QUADS + quad, position < source.end));
}

// The big quad under a tap; there: x, y and first quad of the big pixel of tap (0, 0).
fn start_at(there: vec3<u32>, offset: vec2<u32>, start: u32) -> u32 {
    // Coordinates below zero wrap around and fail the bound.
    let at = there.xy + offset;
    return select(NONE, start + there.z, at.x < BIG_W && at.y < BIG_H);
}
