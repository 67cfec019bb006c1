// The importance-weighted bound on log p(x), over K draws z of q(z|x):
//   log 1/K sum w,  log w = log p(x|z) + log p(z) - log q(z|x)
// Each draw is added relative to the largest weight so far: w itself is about e^-150, which underflows
// float32.

override BATCH: u32;
override SAMPLES: u32;  // K
override IMAGES: u32 = 0u;  // rows of bounds

@group(0) @binding(0) var<storage, read> logpx_z: array<f32>;           // [BATCH]
@group(0) @binding(1) var<storage, read> logpz: array<f32>;             // [BATCH]
@group(0) @binding(2) var<storage, read> logqz_x: array<f32>;           // [BATCH]
@group(0) @binding(3) var<storage, read> state: StepState;              // step: draws of this batch so far
@group(0) @binding(4) var<storage, read_write> sums: array<vec2<f32>>;  // largest log w, and sum of w / largest w
@group(0) @binding(5) var<storage, read_write> bounds: array<f32>;      // [IMAGES]

// Adds one draw; the first one resets the sums. An invocation owns one image.
@compute @workgroup_size(64)
fn accumulate(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.x;
    if row >= BATCH {
        return;
    }
    let weight = logpx_z[row] + (logpz[row] - logqz_x[row]);
    if state.step == 0u {
        sums[row] = vec2(weight, 1.0);
        return;
    }
    let before = sums[row];
    let largest = max(before.x, weight);
    sums[row] = vec2(largest, before.y * exp(before.x - largest) + exp(weight - largest));
}

// Stores the bounds of a complete batch in the rows of its images.
@compute @workgroup_size(64)
fn record(@builtin(global_invocation_id) id: vec3<u32>) {
    let image = state.position + id.x;
    if id.x < BATCH && image < IMAGES {
        let sum = sums[id.x];
        bounds[image] = sum.x + log(sum.y / f32(SAMPLES));
    }
}
