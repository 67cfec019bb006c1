// The reparameterization z = mean + exp(logvar / 2) eps, its log-densities, and its gradient.
// Encoder output q is [BATCH, 2·LATENT]: means first, then log-variances.

override BATCH: u32;
override LATENT: u32;
override ANALYTIC: bool;  // gradient of the analytic KL instead of the Monte Carlo one
override BETA: f32;       // weight of the KL term in the loss

@group(0) @binding(0) var<storage, read> q: array<f32>;               // [BATCH, 2·LATENT]
@group(0) @binding(1) var<storage, read> eps: array<f32>;             // [BATCH, LATENT]
@group(0) @binding(2) var<storage, read_write> z_out: array<f32>;     // [BATCH, LATENT]
@group(0) @binding(3) var<storage, read_write> logpz: array<f32>;     // [BATCH]
@group(0) @binding(4) var<storage, read_write> logqz_x: array<f32>;   // [BATCH]
@group(0) @binding(5) var<storage, read_write> kl: array<f32>;        // [BATCH], analytic
@group(0) @binding(6) var<storage, read> z: array<f32>;               // [BATCH, LATENT]
@group(0) @binding(7) var<storage, read> dz: array<f32>;              // [BATCH, LATENT], from the decoder
@group(0) @binding(8) var<storage, read_write> dq: array<f32>;        // [BATCH, 2·LATENT]

const LOG_2_PI = 1.8378770664;

// An invocation owns one image and sums over its latent dimensions in order.
@compute @workgroup_size(64)
fn sample(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.x;
    if row >= BATCH {
        return;
    }
    var prior = 0.0;
    var posterior = 0.0;
    var divergence = 0.0;
    for (var d = 0u; d < LATENT; d++) {
        let mean = q[row * 2u * LATENT + d];
        let logvar = q[row * 2u * LATENT + LATENT + d];
        let value = mean + exp(0.5 * logvar) * eps[row * LATENT + d];
        z_out[row * LATENT + d] = value;
        prior += value * value + LOG_2_PI;
        let offset = value - mean;
        posterior += offset * offset * exp(-logvar) + logvar + LOG_2_PI;
        divergence += exp(logvar) + mean * mean - 1.0 - logvar;
    }
    logpz[row] = -0.5 * prior;
    logqz_x[row] = -0.5 * posterior;
    kl[row] = 0.5 * divergence;
}

// Gradient of the mean loss over the batch, where BETA weighs the KL term. In the Monte Carlo form
// log q(z|x) gives no net gradient on the mean, because (z - mean)^2 exp(-logvar) = eps^2.
// An invocation owns one latent dimension of one image.
@compute @workgroup_size(64)
fn backward(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= BATCH * LATENT {
        return;
    }
    let row = id.x / LATENT;
    let d = id.x % LATENT;
    let at_mean = row * 2u * LATENT + d;
    let at_logvar = at_mean + LATENT;
    let logvar = q[at_logvar];
    let noise = 0.5 * eps[id.x] * exp(0.5 * logvar);
    let scale = BETA / f32(BATCH);
    if ANALYTIC {
        dq[at_mean] = dz[id.x] + q[at_mean] * scale;
        dq[at_logvar] = dz[id.x] * noise + 0.5 * scale * (exp(logvar) - 1.0);
    } else {
        let total = dz[id.x] + z[id.x] * scale;
        dq[at_mean] = total;
        dq[at_logvar] = total * noise - 0.5 * scale;
    }
}
