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

@group(0) @binding(0) var<storage, read> state: StepState;  // common.wgsl; this step is counted
@group(0) @binding(1) var<storage, read> grads: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> params: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> m: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> v: array<vec4<f32>>;

// 1 - beta^t = -expm1(t log beta), within 1e-6 of its value for every t. In single precision
// pow() and a running product of beta both lose digits, at small t and at large.
fn correction(log_beta: f32, t: f32) -> f32 {
    let x = t * log_beta;
    if x < -0.5 {
        return 1.0 - exp(x);
    }
    let tail = 1.0 / 6.0 + x * (1.0 / 24.0 + x * (1.0 / 120.0 + x * (1.0 / 720.0 + x / 5040.0)));
    return -x * (1.0 + x * (0.5 + x * tail));
}

@compute @workgroup_size(64)
fn update(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= COUNT {
        return;
    }
    let t = f32(state.step);
    let rate = RATE * sqrt(correction(LOG_BETA2, t)) / correction(LOG_BETA1, t);
    let g = grads[i];
    let m_next = m[i] + (g - m[i]) * KEEP_LESS1;
    let v_next = v[i] + (g * g - v[i]) * KEEP_LESS2;
    m[i] = m_next;
    v[i] = v_next;
    params[i] -= rate * m_next / (sqrt(v_next) + EPSILON);
}
