// The decoder's last layer, the loss's gradient and the way back through the layer in one dispatch.
// The layer is a transposed convolution of stride 1 to a picture of few channels. A workgroup owns a
// band of rows of one image; it computes the rows above and below that the way back reaches too,
// and stores what is its own, as the plain kernels store it.

override BATCH: u32;
override KERNEL: u32;
override PAD_Y: u32;
override PAD_X: u32;
override HEIGHT: u32;
override WIDTH: u32;
override BIG_C: u32;    // channels of the picture
override SMALL_C: u32;  // channels that the layer reads, a multiple of 4
override GATED: bool;   // gradient: zero where h, itself a ReLU's output, is 0
override BAND: u32;     // rows of a band
override TEAM: u32;     // invocations that share a logit, each with every TEAM-th quad of channels;
                        // a band and the rows around it have at most 2048 values for each of them
override QUADS: u32 = SMALL_C / 4u;

@group(0) @binding(0) var<storage, read> h: array<vec4<f32>>;            // [BATCH, HEIGHT, WIDTH, QUADS]
@group(0) @binding(1) var<storage, read> weights: array<vec4<f32>>;      // [KERNEL, KERNEL, BIG_C, QUADS]
@group(0) @binding(2) var<storage, read> bias: array<f32>;               // [BIG_C]
@group(0) @binding(3) var<storage, read> x: array<f32>;                  // [BATCH, HEIGHT, WIDTH, BIG_C]
@group(0) @binding(4) var<storage, read_write> logits: array<f32>;       // the same
@group(0) @binding(5) var<storage, read_write> dlogits: array<f32>;      // the same
@group(0) @binding(6) var<storage, read_write> dh: array<vec4<f32>>;     // the shape of h

const LANES = 256u;
var<workgroup> shares: array<f32, 2048>;  // of logits from PAD_Y rows above the band on, [values, TEAM]
var<workgroup> slopes: array<f32, 2048>;  // dlogits of the same; 0 outside the image

// What quads first, first + TEAM.. of h give to a logit. Neighbours read neighbouring quads of one pixel.
fn share_of_logit(n: u32, y: u32, x: u32, c: u32, first: u32) -> f32 {
    var sum = vec4(0.0);
    for (var a = 0u; a < KERNEL; a++) {
        for (var b = 0u; b < KERNEL; b++) {
            // Above and left of the image these wrap around, and so are outside.
            let i = y + PAD_Y - a;
            let j = x + PAD_X - b;
            if i >= HEIGHT || j >= WIDTH {
                continue;
            }
            let at = ((n * HEIGHT + i) * WIDTH + j) * QUADS;
            let row = ((a * KERNEL + b) * BIG_C + c) * QUADS;
            for (var s4 = first; s4 < QUADS; s4 += TEAM) {
                sum += h[at + s4] * weights[row + s4];
            }
        }
    }
    return (sum.x + sum.y) + (sum.z + sum.w);
}

// Four channels of the gradient on h at row i of the band.
fn gradient(i: u32, j: u32, s4: u32) -> vec4<f32> {
    var sum = vec4(0.0);
    for (var a = 0u; a < KERNEL; a++) {
        for (var b = 0u; b < KERNEL; b++) {
            let column = j + b - PAD_X;
            if column >= WIDTH {
                continue;
            }
            for (var c = 0u; c < BIG_C; c++) {
                let slope = slopes[((i + a) * WIDTH + column) * BIG_C + c];
                sum += slope * weights[((a * KERNEL + b) * BIG_C + c) * QUADS + s4];
            }
        }
    }
    return sum;
}

@compute @workgroup_size(256)
fn forward_and_back(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
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
    for (var i = lane; i < rows * WIDTH * QUADS; i += LANES) {
        let pixel = i / QUADS;
        let sum = gradient(pixel / WIDTH, pixel % WIDTH, i % QUADS);
        let at = (n * HEIGHT + first) * WIDTH * QUADS + i;
        dh[at] = select(sum, vec4(0.0), vec4(GATED) & (h[at] <= vec4(0.0)));
    }
}
