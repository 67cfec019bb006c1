// The encoder's dense layer, the reparameterization and the decoder's dense layer in one dispatch, a
// workgroup per image; and their gradients. Each alone computes little, yet takes a GPU as long as a
// convolution. It stores all that the separate kernels store, in the same layouts.

override IN: u32;      // inputs of the encoder's dense layer
override OUT: u32;     // outputs of the decoder's dense layer
override ACTIVATION: u32;  // of the decoder's layer
override GATE: u32;        // input gradient: the activation whose output is x

@group(0) @binding(0) var<storage, read> x: array<f32>;                // [BATCH, IN]
@group(0) @binding(1) var<storage, read> enc_weights: array<f32>;      // [IN, 2·LATENT]
@group(0) @binding(2) var<storage, read> enc_bias: array<f32>;         // [2·LATENT]
@group(0) @binding(3) var<storage, read_write> q_out: array<f32>;      // [BATCH, 2·LATENT]
@group(0) @binding(4) var<storage, read> eps: array<f32>;              // [BATCH, LATENT]
@group(0) @binding(5) var<storage, read_write> z_out: array<f32>;      // [BATCH, LATENT]
@group(0) @binding(6) var<storage, read_write> logpz: array<f32>;      // [BATCH]
@group(0) @binding(7) var<storage, read_write> logqz_x: array<f32>;    // [BATCH]
@group(0) @binding(8) var<storage, read_write> kl: array<f32>;         // [BATCH]
@group(0) @binding(9) var<storage, read> dec_weights: array<f32>;      // [LATENT, OUT]
@group(0) @binding(10) var<storage, read> dec_bias: array<f32>;        // [OUT]
@group(0) @binding(11) var<storage, read_write> y: array<f32>;         // [BATCH, OUT]
@group(0) @binding(12) var<storage, read> q: array<f32>;               // [BATCH, 2·LATENT]
@group(0) @binding(13) var<storage, read> z: array<f32>;               // [BATCH, LATENT]
@group(0) @binding(14) var<storage, read> dy: array<f32>;              // [BATCH, OUT]
@group(0) @binding(15) var<storage, read_write> dz: array<f32>;        // [BATCH, LATENT]
@group(0) @binding(16) var<storage, read_write> dq: array<f32>;        // [BATCH, 2·LATENT]
@group(0) @binding(17) var<storage, read_write> dx: array<f32>;        // [BATCH, IN]

const LANES = 256u;
// The image's mean and log-variance, and its code; in `backward` their gradients.
var<workgroup> moments: array<f32, 16>;
var<workgroup> code: array<f32, 8>;

// Each invocation takes four inputs or outputs at a time, so that their loads overlap.
const ROUND = 4u * LANES;

fn four_from(first: u32) -> vec4<u32> {
    return first + vec4(0u, 1u, 2u, 3u) * LANES;
}

// The products of an input with four features; zero past the last input.
fn encoded(row: u32, i: u32, features: vec4<u32>) -> vec4<f32> {
    let input = min(i, IN - 1u);
    let at = input * 2u * LATENT + features;
    return select(0.0, x[row * IN + input], i < IN)
        * vec4(enc_weights[at.x], enc_weights[at.y], enc_weights[at.z], enc_weights[at.w]);
}

// An output of the decoder's layer before its activation.
fn decoded(o: u32) -> f32 {
    let output = min(o, OUT - 1u);
    var sum = dec_bias[output];
    for (var d = 0u; d < LATENT; d++) {
        sum += code[d] * dec_weights[d * OUT + output];
    }
    return sum;
}

fn store_y(row: u32, o: u32, sum: f32) {
    if o < OUT {
        y[row * OUT + o] = activated(sum, ACTIVATION);
    }
}

@compute @workgroup_size(256)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group.x;
    let width = 2u * LATENT;
    // Four features at a time, clamped to the last.
    for (var first = 0u; first < width; first += 4u) {
        let o = min(first + vec4(0u, 1u, 2u, 3u), vec4(width - 1u));
        var sum = vec4(0.0);
        for (var base = lane; base < IN; base += ROUND) {
            let i = four_from(base);
            let products = mat4x4(
                encoded(row, i.x, o), encoded(row, i.y, o), encoded(row, i.z, o), encoded(row, i.w, o));
            sum = sum + products[0] + products[1] + products[2] + products[3];
        }
        let total = sum_over_workgroup(sum, lane, 1u);
        if lane == 0u {
            for (var k = 0u; k < min(4u, width - first); k++) {
                let feature = first + k;
                moments[feature] = total[k] + enc_bias[feature];
                q_out[row * width + feature] = moments[feature];
            }
        }
        workgroupBarrier();
    }
    if lane == 0u {
        var sum = Drawn();
        for (var d = 0u; d < LATENT; d++) {
            let drawn = draw_code(moments[d], moments[LATENT + d], eps[row * LATENT + d]);
            code[d] = drawn.z;
            z_out[row * LATENT + d] = drawn.z;
            sum.prior += drawn.prior;
            sum.posterior += drawn.posterior;
            sum.divergence += drawn.divergence;
        }
        logpz[row] = -0.5 * sum.prior;
        logqz_x[row] = -0.5 * sum.posterior;
        kl[row] = 0.5 * sum.divergence;
    }
    workgroupBarrier();
    for (var base = lane; base < OUT; base += ROUND) {
        let o = four_from(base);
        let sums = vec4(decoded(o.x), decoded(o.y), decoded(o.z), decoded(o.w));
        store_y(row, o.x, sums.x);
        store_y(row, o.y, sums.y);
        store_y(row, o.z, sums.z);
        store_y(row, o.w, sums.w);
    }
}

// The products of an output's gradient with its weights of four latent dimensions; zero past the last.
fn decoded_back(row: u32, o: u32, dimensions: vec4<u32>) -> vec4<f32> {
    let output = min(o, OUT - 1u);
    let at = dimensions * OUT + output;
    return select(0.0, dy[row * OUT + output], o < OUT)
        * vec4(dec_weights[at.x], dec_weights[at.y], dec_weights[at.z], dec_weights[at.w]);
}

// The gradient of an input, behind the gate.
fn encoded_back(row: u32, i: u32) -> f32 {
    let input = min(i, IN - 1u);
    let gate = x[row * IN + input];
    var sum = 0.0;
    for (var o = 0u; o < 2u * LATENT; o++) {
        sum += moments[o] * enc_weights[input * 2u * LATENT + o];
    }
    return backpropagated(sum, gate, GATE);
}

fn store_dx(row: u32, i: u32, gradient: f32) {
    if i < IN {
        dx[row * IN + i] = gradient;
    }
}

@compute @workgroup_size(256)
fn backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group.x;
    for (var first = 0u; first < LATENT; first += 4u) {
        let d = min(first + vec4(0u, 1u, 2u, 3u), vec4(LATENT - 1u));
        var sum = vec4(0.0);
        for (var base = lane; base < OUT; base += ROUND) {
            let o = four_from(base);
            let products = mat4x4(
                decoded_back(row, o.x, d), decoded_back(row, o.y, d),
                decoded_back(row, o.z, d), decoded_back(row, o.w, d));
            sum = sum + products[0] + products[1] + products[2] + products[3];
        }
        let total = sum_over_workgroup(sum, lane, 1u);
        if lane == 0u {
            for (var k = 0u; k < min(4u, LATENT - first); k++) {
                code[first + k] = total[k];
                dz[row * LATENT + first + k] = total[k];
            }
        }
        workgroupBarrier();
    }
    let width = 2u * LATENT;
    if lane < LATENT {
        let at = row * LATENT + lane;
        let at_mean = row * width + lane;
        let at_logvar = at_mean + LATENT;
        let grad = code_gradient(q[at_mean], q[at_logvar], eps[at], z[at], code[lane], 1.0);
        moments[lane] = grad.x;
        moments[LATENT + lane] = grad.y;
        dq[at_mean] = grad.x;
        dq[at_logvar] = grad.y;
    }
    workgroupBarrier();
    for (var base = lane; base < IN; base += ROUND) {
        let i = four_from(base);
        let gradients = vec4(
            encoded_back(row, i.x), encoded_back(row, i.y), encoded_back(row, i.z), encoded_back(row, i.w));
        store_dx(row, i.x, gradients.x);
        store_dx(row, i.y, gradients.y);
        store_dx(row, i.z, gradients.z);
        store_dx(row, i.w, gradients.w);
    }
}
