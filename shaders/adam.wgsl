// Adam as Keras computes it, over all parameters in one dispatch:
//   m += (g - m)(1 - beta1);  v += (g^2 - v)(1 - beta2)
//   w -= rate sqrt(1 - beta2^t) / (1 - beta1^t) · m / (sqrt(v) + epsilon)
// Epsilon is added to the root of the uncorrected v. An invocation owns four parameters.

override COUNT: u32;          // parameters / 4
override RATE: f32;           // learning rate
override EPSILON: f32;
override KEEP_LESS1: f32;     // 1 - beta1, rounded once
override KEEP_LESS2: f32;     // 1 - beta2
override LOG_BETA1: f32;
override LOG_BETA2: f32;
override DECAY: f32 = 0.0;        // decoupled weight decay
// The rate follows a schedule: a linear rise over WARMUP steps, then constant, half a cosine until step
// LAST, or FACTOR to the power of the number of EVERY steps done.
override SCHEDULE: u32 = 0u;
override WARMUP: f32 = 0.0;
override LAST: f32 = 1.0;
override EVERY: u32 = 1u;
override FACTOR: f32 = 1.0;
// `update_sums` adds the rows of two gradients itself: offset in the arena and length in quads, and rows.
override WEIGHTS_AT: u32 = 0u;
override WEIGHTS_QUADS: u32 = 0u;
override WEIGHTS_ROWS: u32 = 0u;
override BIAS_AT: u32 = 0u;
override BIAS_QUADS: u32 = 0u;
override BIAS_ROWS: u32 = 0u;

@group(0) @binding(0) var<storage, read> state: StepState;  // `step` counts this step already
@group(0) @binding(1) var<storage, read> grads: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> params: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> m: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> v: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> grads_out: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> weights_rows: array<vec4<f32>>;  // [WEIGHTS_ROWS, WEIGHTS_QUADS]
@group(0) @binding(7) var<storage, read> bias_rows: array<vec4<f32>>;     // [BIAS_ROWS, BIAS_QUADS]

// 1 - beta^t = -expm1(t log beta), within 1e-6 of its value for every t. Single-precision pow() and a
// running product of beta lose digits.
fn correction(log_beta: f32, t: f32) -> f32 {
    let x = t * log_beta;
    if x < -0.5 {
        return 1.0 - exp(x);
    }
    let tail = 1.0 / 6.0 + x * (1.0 / 24.0 + x * (1.0 / 120.0 + x * (1.0 / 720.0 + x / 5040.0)));
    return -x * (1.0 + x * (0.5 + x * tail));
}

const COSINE = 1u;
const STAIRS = 2u;
const HALF_PI = 1.57079633;

// sin(x) for x in [0, π/2], within 6e-8 of its value; some drivers' sine is wrong by 2e-4.
fn sine(x: f32) -> f32 {
    let s = x * x;
    let tail = 1.0 / 5040.0 - s * (1.0 / 362880.0 - s / 39916800.0);
    return x * (1.0 - s * (1.0 / 6.0 - s * (1.0 / 120.0 - s * tail)));
}

// The learning rate of a step, counted from 1.
fn rate_at(step: u32) -> f32 {
    let t = f32(step);
    var rate = RATE;
    if SCHEDULE == COSINE {
        let done = (t - 1.0 - WARMUP) / max(LAST - WARMUP, 1.0);
        // (1 + cos(π done)) / 2
        let root = sine(HALF_PI * (1.0 - clamp(done, 0.0, 1.0)));
        rate *= root * root;
    } else if SCHEDULE == STAIRS {
        rate *= pow(FACTOR, f32((step - 1u) / EVERY));
    }
    if t < WARMUP {
        rate *= t / WARMUP;
    }
    return rate;
}

fn follow(i: u32, g: vec4<f32>) {
    let t = f32(state.step);
    let plain = rate_at(state.step);
    let rate = plain * sqrt(correction(LOG_BETA2, t)) / correction(LOG_BETA1, t);
    let m_next = m[i] + (g - m[i]) * KEEP_LESS1;
    let v_next = v[i] + (g * g - v[i]) * KEEP_LESS2;
    m[i] = m_next;
    v[i] = v_next;
    if DECAY > 0.0 {
        params[i] -= plain * DECAY * params[i];
    }
    params[i] -= rate * m_next / (sqrt(v_next) + EPSILON);
}

@compute @workgroup_size(64)
fn update(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < COUNT {
        follow(id.x, grads[id.x]);
    }
}

// `update` that first sums the rows of two gradients, in order.
@compute @workgroup_size(64)
fn update_sums(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= COUNT {
        return;
    }
    var g = grads_out[i];
    // Indices before a gradient's start wrap around and fail the bound.
    let weight = i - WEIGHTS_AT;
    let bias = i - BIAS_AT;
    if weight < WEIGHTS_QUADS {
        g = vec4(0.0);
        for (var r = 0u; r < WEIGHTS_ROWS; r++) {
            g += weights_rows[r * WEIGHTS_QUADS + weight];
        }
        grads_out[i] = g;
    } else if bias < BIAS_QUADS {
        g = vec4(0.0);
        for (var r = 0u; r < BIAS_ROWS; r++) {
            g += bias_rows[r * BIAS_QUADS + bias];
        }
        grads_out[i] = g;
    }
    follow(i, g);
}
