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

@compute @workgroup_size(256)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group.x;
    let width = 2u * LATENT;
    // Four features at a time, clamped to the last.
    for (var first = 0u; first < width; first += 4u) {
        let o = min(first + vec4(0u, 1u, 2u, 3u), vec4(width - 1u));
        var sum = vec4(0.0);
        for (var i = lane; i < IN; i += LANES) {
            let at = i * width + o;
            sum += x[row * IN + i] * vec4(
                enc_weights[at.x], enc_weights[at.y], enc_weights[at.z], enc_weights[at.w]);
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
    for (var o = lane; o < OUT; o += LANES) {
        var sum = dec_bias[o];
        for (var d = 0u; d < LATENT; d++) {
            sum += code[d] * dec_weights[d * OUT + o];
        }
        y[row * OUT + o] = activated(sum, ACTIVATION);
    }
}

@compute @workgroup_size(256)
fn backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group.x;
    for (var first = 0u; first < LATENT; first += 4u) {
        let d = min(first + vec4(0u, 1u, 2u, 3u), vec4(LATENT - 1u));
        var sum = vec4(0.0);
        for (var o = lane; o < OUT; o += LANES) {
            let at = d * OUT + o;
            sum += dy[row * OUT + o] * vec4(
                dec_weights[at.x], dec_weights[at.y], dec_weights[at.z], dec_weights[at.w]);
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
    for (var i = lane; i < IN; i += LANES) {
        var sum = 0.0;
        for (var o = 0u; o < width; o++) {
            sum += moments[o] * enc_weights[i * width + o];
        }
        let at = row * IN + i;
        dx[at] = backpropagated(sum, x[at], GATE);
    }
}
