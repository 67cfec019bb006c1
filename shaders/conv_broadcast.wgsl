// Convolution in register tiles that share loads across a subgroup of at least 8 invocations.
// Channel counts are multiples of 8.
//
// An invocation owns 4 pixels × 32 output channels, or 16. The channels are the same for the whole
// workgroup, so the weights between them and a quad of input channels are loaded by 8 lanes, four
// vectors each or two, and handed round: 8 loads for 512 multiply-adds, or 6 for 256. On adapters
// whose loads cost more than their arithmetic, software ones above all, this is worth two to four
// times.
//
// There is one loop, over taps and quads together, and it may take two quads at a time: to end an
// iteration costs a software adapter a blend of every sum, and to end a loop a copy. Where registers
// are few, or a longer body outgrows what a processor keeps of decoded instructions, it costs more
// than that.
//
// The lanes with subgroup ids 0 to 7 do the loading for the whole subgroup; a larger subgroup
// repeats their loads. Nothing may leave early, or its weights would be missing.

override WIDE: bool;  // 32 channels, else 16
override QUADS: u32;  // in an iteration, 1 or 2
@group(0) @binding(8) var<storage, read_write> dy_sums: array<vec4<f32>>;  // [sums, channels / 4]

override OWNED: u32 = select(4u, 8u, WIDE);  // quads an invocation owns

// Four pixels of 16 channels.
struct Half {
    m0: mat4x4<f32>,
    m1: mat4x4<f32>,
    m2: mat4x4<f32>,
    m3: mat4x4<f32>,
}

// The upper half stays zero in narrow tiles.
struct Tile {
    low: Half,
    high: Half,
}

// For the epilogues, which loop over quads. The loops have a constant count, so that compilers
// unroll them: indexing the array at run time would cost seconds of compilation on lavapipe.
fn quads_of(t: Half) -> array<mat4x4<f32>, 4> {
    return array(t.m0, t.m1, t.m2, t.m3);
}

// t[j] += w[j] * x, where column k of w[j] lies in lane 4 (k / 2) + j of a (k even) or b (odd).
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

// t[j] += w[j] * x, where row i of w[j] lies in lane 4 j + i of a, for j = 2 and 3 of b.
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

// Adds what big quad c4 of four pixels gives; the weights between its first channel and a tile's
// first quad lie at `at`.
fn add_big(low: ptr<function, Half>, high: ptr<function, Half>, x: mat4x4<f32>, at: vec2<u32>) {
    accumulate(low, weight_quad(at.x), weight_quad(at.x + SMALL_QUADS), x);
    if WIDE {
        accumulate(high, weight_quad(at.y), weight_quad(at.y + SMALL_QUADS), x);
    }
}

// Small pixels first..first+3, quads s4...
fn correlation(first: u32, s4: u32, lane: u32) -> Tile {
    let p = pixels(first, SMALL_H, SMALL_W);
    let quads = min(s4 + lane % 4u + vec2(0u, 4u), vec2(SMALL_QUADS - 1u));
    var low = Half();
    var high = Half();
    // Divisions are slow on CPUs, so the loop counts its taps and quads itself.
    var tap = vec2(0u);
    var c4 = 0u;
    for (var i = 0u; i < KERNEL * KERNEL * BIG_QUADS; i += QUADS) {
        let pixel = big_starts(p, tap.x, tap.y);
        let at = quads + weight_start(tap.x * KERNEL + tap.y, 4u * c4 + 2u * (lane / 4u));
        add_big(&low, &high, load_big(pixel, c4), at);
        if QUADS == 2u {
            add_big(&low, &high, load_big(pixel, c4 + 1u), at + 4u * SMALL_QUADS);
        }
        c4 += QUADS;
        let tap_ends = c4 == BIG_QUADS;
        let row_ends = tap_ends && tap.y + 1u == KERNEL;
        c4 = select(c4, 0u, tap_ends);
        tap = select(tap + vec2(0u, u32(tap_ends)), vec2(tap.x + 1u, 0u), row_ends);
    }
    return Tile(low, high);
}

// Adds what a small quad of four pixels gives; the weights between it and the channels of two lanes
// of a tile lie at `at`.
fn add_small(
    low: ptr<function, Half>, high: ptr<function, Half>, x: mat4x4<f32>, at: vec4<u32>,
) {
    accumulate_rows(low, weight_quad(at.x), weight_quad(at.y), x);
    if WIDE {
        accumulate_rows(high, weight_quad(at.z), weight_quad(at.w), x);
    }
}

// Big pixels first..first+3 of a phase, quads c4...
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
    var met = vec2(0u);
    var s4 = 0u;
    for (var i = 0u; i < taps.x * taps.y * SMALL_QUADS; i += QUADS) {
        let tap = start + STRIDE * met;
        let d = farthest - vec2<i32>(met);
        let pixel = small_starts(p, d.x, d.y);
        let at = channels + (tap.x * KERNEL + tap.y) * BIG_C * SMALL_QUADS + s4;
        add_small(&low, &high, load_small(pixel, s4), at);
        if QUADS == 2u {
            add_small(&low, &high, load_small(pixel, s4 + 1u), at + 1u);
        }
        s4 += QUADS;
        let tap_ends = s4 == SMALL_QUADS;
        let row_ends = tap_ends && met.y + 1u == taps.y;
        s4 = select(s4, 0u, tap_ends);
        met = select(met + vec2(0u, u32(tap_ends)), vec2(met.x + 1u, 0u), row_ends);
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

// What an invocation finds over its range of positions besides: sums of the big quads that its tap
// meets, and of the small quads that it loads, for each half of a tile.
struct Sums {
    big: vec4<f32>,
    low: vec4<f32>,
    high: vec4<f32>,
}

struct Gradient {
    weights: Tile,
    besides: Sums,
}

// Positions in a quarter of a range. The last quarters may end beyond the last range.
override QUARTER: u32 = ((BATCH * SMALL_H * SMALL_W + SPLITS - 1u) / SPLITS + 4u * QUADS - 1u)
    / (4u * QUADS) * QUADS;

// An invocation owns one big quad of one tap against 8 small quads, or 4, over one range of
// positions, of which it takes one of each quarter at a time: so each of its loads walks along a row
// pixel by pixel, and a CPU's caches foresee the next. Positions are the same for all lanes, so each
// of eight lanes finds its own in the images.
fn gradient(s4: u32, row: u32, range: vec2<u32>, lane: u32) -> Gradient {
    let tap = row / BIG_QUADS;
    let offset = vec2(tap % KERNEL - PAD_X, tap / KERNEL - PAD_Y);
    let start = FIRST + (offset.y * BIG_W + offset.x) * BIG_QUADS + row % BIG_QUADS;
    let source = Source(2u * QUARTER * (lane / 4u), s4 + lane % 4u, range.y);
    var low = Half();
    var high = Half();
    var besides = Sums();
    let own = range.x + lane / 4u + lane % 4u * QUARTER;
    var place = place_of(own);
    for (var p = range.x; p < range.x + QUARTER; p += QUADS) {
        let there = corner_of(place, own + p - range.x < range.y);
        place = next_place(place);
        let x = mat4x4(
            big_quad(start_at(subgroupBroadcast(there, 0u), offset, start)),
            big_quad(start_at(subgroupBroadcast(there, 1u), offset, start)),
            big_quad(start_at(subgroupBroadcast(there, 2u), offset, start)),
            big_quad(start_at(subgroupBroadcast(there, 3u), offset, start)),
        );
        add_positions(&low, &high, &besides, source, p, x);
        if QUADS == 2u {
            let next = mat4x4(
                big_quad(start_at(subgroupBroadcast(there, 4u), offset, start)),
                big_quad(start_at(subgroupBroadcast(there, 5u), offset, start)),
                big_quad(start_at(subgroupBroadcast(there, 6u), offset, start)),
                big_quad(start_at(subgroupBroadcast(there, 7u), offset, start)),
            );
            add_positions(&low, &high, &besides, source, p + 1u, next);
        }
    }
    return Gradient(Tile(low, high), besides);
}

// Adds what p and the positions a quarter, two and three on give, which meet the big quads x.
fn add_positions(
    low: ptr<function, Half>, high: ptr<function, Half>, besides: ptr<function, Sums>,
    source: Source, p: u32, x: mat4x4<f32>,
) {
    let columns = transpose(x);
    let a = small_at(source, p, 0u);
    let b = small_at(source, p + QUARTER, 0u);
    accumulate(low, a, b, columns);
    (*besides).big += (x[0] + x[1]) + (x[2] + x[3]);
    (*besides).low += a + b;
    if WIDE {
        let c = small_at(source, p, 4u);
        let d = small_at(source, p + QUARTER, 4u);
        accumulate(high, c, d, columns);
        (*besides).high += c + d;
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

// The gradient, and sums of the big image, where that is the gradient of the output: over the pixels
// that each tap of the first STRIDE rows and columns meets. Between them these meet all.
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
    // Before the first row or column these wrap around, and so are no less beyond.
    let phase = vec2(tap / KERNEL - PAD_Y, tap % KERNEL - PAD_X);
    if s4 == 0u && tap < KERNEL * KERNEL && phase.x < STRIDE && phase.y < STRIDE {
        let sum = (group.z * STRIDE + phase.x) * STRIDE + phase.y;
        dy_sums[sum * BIG_QUADS + row % BIG_QUADS] = g.besides.big;
    }
}

// The gradient, and two sums of the small image, where that is the gradient of the output: of the
// first two quarters of positions, and of the others.
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
        dy_sums[first + quad] = g.besides.low;
    }
    if WIDE && row < 8u && quad + 4u < SMALL_QUADS {
        dy_sums[first + quad + 4u] = g.besides.high;
    }
}

// Where position p of the small image lies: x, y and the image.
fn place_of(p: u32) -> vec3<u32> {
    return vec3(p % SMALL_W, p / SMALL_W % SMALL_H, p / (SMALL_H * SMALL_W));
}

// Where the position of the next iteration lies. Rows hold as many as an iteration takes, or more.
fn next_place(place: vec3<u32>) -> vec3<u32> {
    let row_ends = place.x + QUADS >= SMALL_W;
    let x = place.x + QUADS - select(0u, SMALL_W, row_ends);
    let y = place.y + u32(row_ends);
    let image_ends = y == SMALL_H;
    return vec3(x, select(y, 0u, image_ends), place.z + u32(image_ends));
}

// The big pixel of tap (0, 0) of a place: x, y and first quad. Far outside where it does not count.
fn corner_of(place: vec3<u32>, counts: bool) -> vec3<u32> {
    let corner = STRIDE * place.xy;
    let quad = ((place.z * BIG_H + corner.y) * BIG_W + corner.x) * BIG_QUADS;
    return vec3(select(vec2(1u << 31u), corner, counts), quad);
}

// What a lane loads of the small image: how far on its positions are, its quad, and their end.
struct Source {
    ahead: u32,
    quad: u32,
    end: u32,
}

// The quad of a lane, or the one `more` quads on, at position p as far as that is ahead.
fn small_at(source: Source, p: u32, more: u32) -> vec4<f32> {
    let position = p + source.ahead;
    let quad = min(source.quad + more, SMALL_QUADS - 1u);
    return small_quad(select(NONE, FIRST + position * SMALL_QUADS + quad, position < source.end));
}

// The big quad which a tap meets; there: x and y of the big pixel of tap (0, 0) and its first quad.
fn start_at(there: vec3<u32>, offset: vec2<u32>, start: u32) -> u32 {
    // Below zero an offset wraps around, and so is no less outside.
    let at = there.xy + offset;
    return select(NONE, start + there.z, at.x < BIG_W && at.y < BIG_H);
}
