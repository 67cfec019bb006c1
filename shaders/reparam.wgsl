// Reparameterization z = mean + exp(logvar / 2) eps, with log-densities and gradient
// (common/reparam.wgsl). Encoder output q is [BATCH, 2·LATENT]: means, then log-variances.

@group(0) @binding(0) var<storage, read> q: array<f32>;               // [BATCH, 2·LATENT]
@group(0) @binding(1) var<storage, read> eps: array<f32>;             // [BATCH, LATENT]
@group(0) @binding(2) var<storage, read_write> z_out: array<f32>;     // [BATCH, LATENT]
@group(0) @binding(3) var<storage, read_write> logpz: array<f32>;     // [BATCH]
@group(0) @binding(4) var<storage, read_write> logqz_x: array<f32>;   // [BATCH]
@group(0) @binding(5) var<storage, read_write> kl: array<f32>;        // [BATCH], analytic
@group(0) @binding(6) var<storage, read> z: array<f32>;               // [BATCH, LATENT]
@group(0) @binding(7) var<storage, read> dz: array<f32>;              // [BATCH, LATENT], from the decoder
@group(0) @binding(8) var<storage, read_write> dq: array<f32>;        // [BATCH, 2·LATENT]
@group(0) @binding(9) var<storage, read> kl_weights: array<f32>;      // [2·LATENT + 1], common/weights.wgsl

// An invocation owns one image and sums over its latent dimensions in order.
@compute @workgroup_size(64)
fn sample(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.x;
    if row >= BATCH {
        return;
    }
    var sum = Drawn();
    for (var d = 0u; d < LATENT; d++) {
        let mean = q[row * 2u * LATENT + d];
        let logvar = q[row * 2u * LATENT + LATENT + d];
        let drawn = draw_code(mean, logvar, eps[row * LATENT + d]);
        z_out[row * LATENT + d] = drawn.z;
        sum.prior += drawn.prior;
        sum.posterior += drawn.posterior;
        sum.divergence += drawn.divergence;
    }
    logpz[row] = -0.5 * sum.prior;
    logqz_x[row] = -0.5 * sum.posterior;
    kl[row] = 0.5 * sum.divergence;
}

// Stores the gradient of one latent dimension of one image; `weight` is a further factor of the KL term.
fn store_gradient(at: u32, weight: f32) {
    let at_mean = at / LATENT * 2u * LATENT + at % LATENT;
    let at_logvar = at_mean + LATENT;
    let grad = code_gradient(q[at_mean], q[at_logvar], eps[at], z[at], dz[at], weight);
    dq[at_mean] = grad.x;
    dq[at_logvar] = grad.y;
}

// An invocation owns one latent dimension of one image.
@compute @workgroup_size(64)
fn backward(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < BATCH * LATENT {
        store_gradient(id.x, 1.0);
    }
}

// `backward` with a weight of the KL term for each dimension (common/weights.wgsl).
@compute @workgroup_size(64)
fn backward_weighted(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < BATCH * LATENT {
        store_gradient(id.x, kl_weights[id.x % LATENT]);
    }
}

fn divergence_of(row: u32, d: u32) -> f32 {
    let mean = q[row * 2u * LATENT + d];
    let logvar = q[row * 2u * LATENT + LATENT + d];
    return 0.5 * (exp(logvar) + mean * mean - 1.0 - logvar);
}
