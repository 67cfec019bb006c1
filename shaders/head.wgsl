// The decoder's last layer, a transposed convolution of stride 1 to a picture of few channels, the loss's
// gradient and the layer's input gradient in one dispatch. A workgroup owns a band of rows of one image
// and also computes its halo; it stores the band as the separate kernels do.

override BATCH: u32;
override KERNEL: u32;
override PAD_Y: u32;
override PAD_X: u32;
override HEIGHT: u32;
override WIDTH: u32;
override BIG_C: u32;    // channels of the picture
override SMALL_C: u32;  // channels that the layer reads, a multiple of 4
override GATE: u32;     // input gradient: the activation whose output is h
override BAND: u32;     // rows of a band
override TEAM: u32;     // invocations per logit, each with every TEAM-th quad of channels;
                        // band and halo have at most 2048 / TEAM values
override SMALL_QUADS: u32 = SMALL_C / 4u;
override SHARE: u32 = (SMALL_QUADS + TEAM - 1u) / TEAM;  // quads of an invocation and tap

@group(0) @binding(0) var<storage, read> h: array<vec4<f32>>;            // [BATCH, HEIGHT, WIDTH, SMALL_QUADS]
@group(0) @binding(1) var<storage, read> weights: array<vec4<f32>>;      // [KERNEL, KERNEL, BIG_C, SMALL_QUADS]
@group(0) @binding(2) var<storage, read> bias: array<f32>;               // [BIG_C]
@group(0) @binding(3) var<storage, read> x: array<f32>;                  // [BATCH, HEIGHT, WIDTH, BIG_C]
@group(0) @binding(4) var<storage, read_write> logits: array<f32>;       // the same
@group(0) @binding(5) var<storage, read_write> dlogits: array<f32>;      // the same
@group(0) @binding(6) var<storage, read_write> dh: array<vec4<f32>>;     // the shape of h

const LANES = 256u;
var<workgroup> shares: array<f32, 2048>;  // partial logits from PAD_Y rows above the band, [values, TEAM]
var<workgroup> slopes: array<f32, 2048>;  // dlogits of the same; 0 outside the image

// Partial logit over quads first, first + TEAM.. of h. Neighbours load neighbouring quads of a pixel. What
// is outside loads quad 0 and counts as zero: without branches all loads can be in flight at once.
fn share_of_logit(n: u32, y: u32, x: u32, c: u32, first: u32) -> f32 {
    var sum = vec4(0.0);
    for (var a = 0u; a < KERNEL; a++) {
        for (var b = 0u; b < KERNEL; b++) {
            // Coordinates below zero wrap around and fail the bound.
            let i = y + PAD_Y - a;
            let j = x + PAD_X - b;
            let inside = i < HEIGHT && j < WIDTH;
            let at = ((n * HEIGHT + i) * WIDTH + j) * SMALL_QUADS;
            let row = ((a * KERNEL + b) * BIG_C + c) * SMALL_QUADS;
            for (var k = 0u; k < SHARE; k++) {
                let s4 = first + k * TEAM;
                let exists = inside && s4 < SMALL_QUADS;
                let quad = select(vec4(0.0), h[select(0u, at + s4, exists)], exists);
                sum += quad * weights[row + min(s4, SMALL_QUADS - 1u)];
            }
        }
    }
    return (sum.x + sum.y) + (sum.z + sum.w);
}

override PRODUCTS: u32 = KERNEL * KERNEL * BIG_C;  // of a value of dh

// The slope of product number `product` of pixel (i, j) of the band; zero outside and past the last.
fn slope_of(i: u32, j: u32, product: u32) -> f32 {
    let tap = product / BIG_C;
    let column = j + tap % KERNEL - PAD_X;
    let exists = column < WIDTH && product < PRODUCTS;
    let at = ((i + tap / KERNEL) * WIDTH + column) * BIG_C + product % BIG_C;
    return select(0.0, slopes[select(0u, at, exists)], exists);
}

fn weight_of(product: u32, s4: u32) -> vec4<f32> {
    return weights[min(product, PRODUCTS - 1u) * SMALL_QUADS + s4];
}

// Quad s4 of dh in row i of the band. The loads of four products overlap.
fn gradient(i: u32, j: u32, s4: u32) -> vec4<f32> {
    var sum = vec4(0.0);
    for (var p = 0u; p < PRODUCTS; p += 4u) {
        let slope = vec4(
            slope_of(i, j, p), slope_of(i, j, p + 1u), slope_of(i, j, p + 2u), slope_of(i, j, p + 3u));
        sum += slope.x * weight_of(p, s4);
        sum += slope.y * weight_of(p + 1u, s4);
        sum += slope.z * weight_of(p + 2u, s4);
        sum += slope.w * weight_of(p + 3u, s4);
    }
    return sum;
}

@compute @workgroup_size(256)
fn forward_and_back(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let n = group.y;
    let first = group.x * BAND;
    let rows = min(BAND, HEIGHT - first);
    let row_values = WIDTH * BIG_C;
    let values = (rows + KERNEL - 1u) * row_values;
    for (var i = lane; i < values * TEAM; i += LANES) {
        let y = first + i / TEAM / row_values - PAD_Y;
        let value = i / TEAM % row_values;
        if y < HEIGHT {
            shares[i] = share_of_logit(n, y, value / BIG_C, value % BIG_C, i % TEAM);
        }
    }
    workgroupBarrier();
    for (var i = lane; i < values; i += LANES) {
        let y = first + i / row_values - PAD_Y;
        let value = i % row_values;
        var slope = 0.0;
        if y < HEIGHT {
            var l = bias[value % BIG_C];
            for (var k = 0u; k < TEAM; k++) {
                l += shares[i * TEAM + k];
            }
            let at = (n * HEIGHT + y) * row_values + value;
            slope = (sigmoid(l) - x[at]) / f32(BATCH);
            if y - first < rows {
                logits[at] = l;
                dlogits[at] = slope;
            }
        }
        slopes[i] = slope;
    }
    workgroupBarrier();
    for (var i = lane; i < rows * WIDTH * SMALL_QUADS; i += LANES) {
        let pixel = i / SMALL_QUADS;
        let sum = gradient(pixel / WIDTH, pixel % WIDTH, i % SMALL_QUADS);
        let at = (n * HEIGHT + first) * WIDTH * SMALL_QUADS + i;
        dh[at] = backpropagated4(sum, h[at], GATE);
    }
}
