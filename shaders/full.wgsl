// Reparameterization with a full covariance: z = mean + T eps, T lower triangular. Encoder output q is
// [BATCH, VALUES]: means, then t, the elements of T as tfp.math.fill_triangular reads them. The diagonal
// of T is softplus(t) + 1e-5.

override BATCH: u32;
override LATENT: u32;
override ANALYTIC: bool;  // gradient of the analytic KL, else of the Monte Carlo estimate
override BETA: f32;       // weight of the KL term in the loss
override ELEMENTS: u32 = LATENT * (LATENT + 1u) / 2u;  // of T
override VALUES: u32 = LATENT + ELEMENTS;

@group(0) @binding(0) var<storage, read> q: array<f32>;               // [BATCH, VALUES]
@group(0) @binding(1) var<storage, read> eps: array<f32>;             // [BATCH, LATENT]
@group(0) @binding(2) var<storage, read_write> z_out: array<f32>;     // [BATCH, LATENT]
@group(0) @binding(3) var<storage, read_write> logpz: array<f32>;     // [BATCH]
@group(0) @binding(4) var<storage, read_write> logqz_x: array<f32>;   // [BATCH]
@group(0) @binding(5) var<storage, read_write> kl: array<f32>;        // [BATCH], analytic
@group(0) @binding(6) var<storage, read> z: array<f32>;               // [BATCH, LATENT]
@group(0) @binding(7) var<storage, read> dz: array<f32>;              // [BATCH, LATENT], from the decoder
@group(0) @binding(8) var<storage, read_write> dq: array<f32>;        // [BATCH, VALUES]
@group(0) @binding(9) var<storage, read> kl_weights: array<f32>;      // [2·LATENT + 1], common/weights.wgsl

const LOG_2_PI = 1.8378770664;
const LEAST = 1e-5;

// Number in t of the element of T at place k = i LATENT + j.
fn element(k: u32) -> u32 {
    if k < ELEMENTS - LATENT {
        return LATENT + k;
    }
    return 2u * ELEMENTS - LATENT - 1u - k;
}

// Place of element m of t. An element stands at two places of the square, one of them above the
// diagonal; the first LATENT stand at one.
fn place(m: u32) -> u32 {
    let late = 2u * ELEMENTS - LATENT - 1u - m;
    if m >= LATENT {
        let early = m - LATENT;
        if early % LATENT <= early / LATENT {
            return early;
        }
    }
    return late;
}

fn softplus(t: f32) -> f32 {
    return max(t, 0.0) + log1p(exp(-abs(t)));
}

// T at (i, j), with j <= i.
fn scale(row: u32, i: u32, j: u32) -> f32 {
    let t = q[row * VALUES + LATENT + element(i * LATENT + j)];
    if i == j {
        return softplus(t) + LEAST;
    }
    return t;
}

// An invocation owns one image.
@compute @workgroup_size(64)
fn sample(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.x;
    if row >= BATCH {
        return;
    }
    var prior = 0.0;       // -2 log p(z)
    var posterior = 0.0;   // -2 log q(z|x)
    var divergence = 0.0;  // 2 KL
    for (var i = 0u; i < LATENT; i++) {
        let mean = q[row * VALUES + i];
        var code = mean;
        divergence += mean * mean - 1.0;
        for (var j = 0u; j < i; j++) {
            let t = scale(row, i, j);
            code += t * eps[row * LATENT + j];
            divergence += t * t;
        }
        let noise = eps[row * LATENT + i];
        let diagonal = scale(row, i, i);
        let log_diagonal = precise_log(diagonal);
        code += diagonal * noise;
        z_out[row * LATENT + i] = code;
        prior += code * code + LOG_2_PI;
        posterior += noise * noise + LOG_2_PI + 2.0 * log_diagonal;
        divergence += diagonal * diagonal - 2.0 * log_diagonal;
    }
    logpz[row] = -0.5 * prior;
    logqz_x[row] = -0.5 * posterior;
    kl[row] = 0.5 * divergence;
}

// The dimension of a value of q: the row of T.
fn dimension_of(value: u32) -> u32 {
    if value < LATENT {
        return value;
    }
    return place(value - LATENT) / LATENT;
}

// The value of dq at `at_q`; `weigh` is a further factor of the KL term.
fn gradient_of(at_q: u32, weigh: f32) -> f32 {
    let row = at_q / VALUES;
    let value = at_q % VALUES;
    let weight = weigh * (BETA / f32(BATCH));
    if value < LATENT {
        let at = row * LATENT + value;
        return dz[at] + weight * select(z[at], q[at_q], ANALYTIC);
    }
    let k = place(value - LATENT);
    let i = k / LATENT;
    let j = k % LATENT;
    let at = row * LATENT + i;
    let t = scale(row, i, j);
    let drawn = dz[at] + select(weight * z[at], 0.0, ANALYTIC);
    var grad = drawn * eps[row * LATENT + j] + select(0.0, weight * t, ANALYTIC);
    if i == j {
        grad = (grad - weight / t) * sigmoid(q[at_q]);
    }
    return grad;
}

// An invocation owns one value of dq.
@compute @workgroup_size(64)
fn backward(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < BATCH * VALUES {
        dq[id.x] = gradient_of(id.x, 1.0);
    }
}

// `backward` with a weight of the KL term for each dimension (`weights` in common/weights.wgsl).
@compute @workgroup_size(64)
fn backward_weighted(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < BATCH * VALUES {
        dq[id.x] = gradient_of(id.x, kl_weights[dimension_of(id.x % VALUES)]);
    }
}

fn divergence_of(row: u32, d: u32) -> f32 {
    let mean = q[row * VALUES + d];
    var divergence = mean * mean - 1.0;
    for (var j = 0u; j < d; j++) {
        let t = scale(row, d, j);
        divergence += t * t;
    }
    let diagonal = scale(row, d, d);
    return 0.5 * (divergence + diagonal * diagonal) - precise_log(diagonal);
}
