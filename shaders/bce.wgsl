// Sigmoid cross-entropy on logits, stable for logits of any size:
//   log p(x|z) = -sum [ max(l, 0) - l x + log(1 + exp(-|l|)) ]

override BATCH: u32;
override VALUES: u32;  // values of one image, H·W·C, a multiple of 4

@group(0) @binding(0) var<storage, read> logits: array<vec4<f32>>;               // [BATCH, VALUES]
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;                    // [BATCH, VALUES] in [0, 1]
@group(0) @binding(2) var<storage, read_write> logpx_z: array<f32>;              // [BATCH]
@group(0) @binding(3) var<storage, read_write> dlogits: array<vec4<f32>>;        // [BATCH, VALUES]
@group(0) @binding(4) var<storage, read_write> probabilities: array<vec4<f32>>;  // [BATCH, VALUES]

override IMAGE_QUADS: u32 = VALUES / 4u;
const LANES = GROUP_SIZE;

// log(1 + e) for e in [0, 1].
fn log1p(e: f32) -> f32 {
    let large = e > 0.41421356;
    let value = log1p_near_zero(select(e, 0.5 * (e - 1.0), large));
    return value + select(0.0, 0.69314718056, large);
}

fn cross_entropy(l: f32, target_value: f32) -> f32 {
    return max(l, 0.0) - l * target_value + log1p(exp(-abs(l)));
}

fn cross_entropies(l: vec4<f32>, targets: vec4<f32>) -> vec4<f32> {
    return vec4(
        cross_entropy(l.x, targets.x), cross_entropy(l.y, targets.y),
        cross_entropy(l.z, targets.z), cross_entropy(l.w, targets.w));
}

fn sigmoids(l: vec4<f32>) -> vec4<f32> {
    return vec4(sigmoid(l.x), sigmoid(l.y), sigmoid(l.z), sigmoid(l.w));
}

fn store_sum(row: u32, lane: u32, sum: vec4<f32>) {
    let total = sum_over_workgroup(sum, lane, 1u);
    if lane == 0u {
        logpx_z[row] = -across(total);
    }
}

// A workgroup owns one image.
@compute @workgroup_size(GROUP_SIZE)
fn loss(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    var sum = vec4(0.0);
    for (var i = lane; i < IMAGE_QUADS; i += LANES) {
        let at = group.x * IMAGE_QUADS + i;
        sum += cross_entropies(logits[at], x[at]);
    }
    store_sum(group.x, lane, sum);
}

// `loss`, and the gradient of the mean batch loss.
@compute @workgroup_size(GROUP_SIZE)
fn loss_and_grad(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    var sum = vec4(0.0);
    for (var i = lane; i < IMAGE_QUADS; i += LANES) {
        let at = group.x * IMAGE_QUADS + i;
        sum += cross_entropies(logits[at], x[at]);
        dlogits[at] = (sigmoids(logits[at]) - x[at]) / f32(BATCH);
    }
    store_sum(group.x, lane, sum);
}

@compute @workgroup_size(64)
fn decode(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.y;
    if id.x >= IMAGE_QUADS || row >= BATCH {
        return;
    }
    let at = row * IMAGE_QUADS + id.x;
    probabilities[at] = sigmoids(logits[at]);
}
