// Clips the gradients of all parameters to a global norm.

override COUNT: u32;   // gradients / 4
override PARTS: u32;   // sums of squares, one for each workgroup of `squares`
override MOST: f32 = 1.0;  // largest norm

@group(0) @binding(0) var<storage, read> grads: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> parts_out: array<f32>;        // [PARTS]
@group(0) @binding(2) var<storage, read> parts: array<f32>;                  // [PARTS]
@group(0) @binding(3) var<storage, read_write> clipped: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> norm_out: array<f32>;         // [1], before clipping

const LANES = GROUP_SIZE;

// A workgroup sums every PARTS-th block of GROUP_SIZE quads.
@compute @workgroup_size(GROUP_SIZE)
fn squares(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    var sum = vec4(0.0);
    for (var i = group.x * LANES + lane; i < COUNT; i += PARTS * LANES) {
        sum += grads[i] * grads[i];
    }
    let total = sum_over_workgroup(sum, lane, 1u);
    if lane == 0u {
        parts_out[group.x] = across(total);
    }
}

// Each workgroup adds the sums anew, in the same order.
@compute @workgroup_size(GROUP_SIZE)
fn clip(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    var sum = 0.0;
    for (var i = 0u; i < PARTS; i++) {
        sum += parts[i];
    }
    let norm = sqrt(sum);
    let i = group.x * LANES + lane;
    if i < COUNT {
        clipped[i] = grads[i] * select(1.0, MOST / norm, norm > MOST);
    }
    if i == 0u {
        norm_out[0] = norm;
    }
}
