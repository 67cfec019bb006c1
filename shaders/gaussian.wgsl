// A Gaussian likelihood with one standard deviation for all values of an image:
//   log p(x|z) = -sum [ r^2 / 2 + log sigma + log(2 pi) / 2 ],  r = (x - mean) / sigma
// The mean is l, the decoder's output, or sigmoid(l). `*_learned` read log sigma from a parameter.

override BATCH: u32;
override VALUES: u32;          // values of one image, H·W·C
override SIGMOID_MEAN: bool;
override LOG_SIGMA: f32;       // if it is fixed
override LOSS_SCALE: f32;      // factor of the loss

@group(0) @binding(0) var<storage, read> logits: array<f32>;               // l, [BATCH, VALUES]
@group(0) @binding(1) var<storage, read> x: array<f32>;                    // [BATCH, VALUES]
@group(0) @binding(2) var<storage, read_write> logpx_z: array<f32>;        // [BATCH]
@group(0) @binding(3) var<storage, read_write> dlogits: array<f32>;        // [BATCH, VALUES]
@group(0) @binding(4) var<storage, read_write> probabilities: array<f32>;  // means, [BATCH, VALUES]
@group(0) @binding(5) var<storage, read> log_sigma: array<f32>;            // [1]
@group(0) @binding(6) var<storage, read_write> dlog_sigma: array<f32>;     // share of each image, [BATCH]

const LANES = GROUP_SIZE;
const HALF_LOG_2_PI = 0.9189385332;

fn mean_of(l: f32) -> f32 {
    return select(l, sigmoid(l), SIGMOID_MEAN);
}

fn residual(at: u32, log_sigma: f32) -> f32 {
    return (x[at] - mean_of(logits[at])) * exp(-log_sigma);
}

// Sums of r^2 and of 1 - r^2 over an image. The second is not VALUES minus the first, which cancels.
fn squares(row: u32, lane: u32, log_sigma: f32) -> vec4<f32> {
    var sum = vec4(0.0);
    for (var i = lane; i < VALUES; i += LANES) {
        let r = residual(row * VALUES + i, log_sigma);
        sum += vec4(r * r, 1.0 - r * r, 0.0, 0.0);
    }
    return sum_over_workgroup(sum, lane, 1u);
}

fn store_loss(row: u32, squares: f32, log_sigma: f32) {
    logpx_z[row] = -(0.5 * squares + f32(VALUES) * (log_sigma + HALF_LOG_2_PI));
}

fn store_grads(row: u32, lane: u32, log_sigma: f32) {
    for (var i = lane; i < VALUES; i += LANES) {
        let at = row * VALUES + i;
        let mean = mean_of(logits[at]);
        let slope = select(1.0, mean - mean * mean, SIGMOID_MEAN);
        let r = residual(at, log_sigma);
        dlogits[at] = -LOSS_SCALE * r * exp(-log_sigma) * slope / f32(BATCH);
    }
}

// A workgroup owns one image.
@compute @workgroup_size(GROUP_SIZE)
fn loss(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let total = squares(group.x, lane, LOG_SIGMA);
    if lane == 0u {
        store_loss(group.x, total.x, LOG_SIGMA);
    }
}

@compute @workgroup_size(GROUP_SIZE)
fn loss_learned(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let total = squares(group.x, lane, log_sigma[0]);
    if lane == 0u {
        store_loss(group.x, total.x, log_sigma[0]);
    }
}

// `loss`, and the gradient of the mean batch loss.
@compute @workgroup_size(GROUP_SIZE)
fn loss_and_grad(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let total = squares(group.x, lane, LOG_SIGMA);
    if lane == 0u {
        store_loss(group.x, total.x, LOG_SIGMA);
    }
    store_grads(group.x, lane, LOG_SIGMA);
}

@compute @workgroup_size(GROUP_SIZE)
fn loss_and_grad_learned(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let total = squares(group.x, lane, log_sigma[0]);
    if lane == 0u {
        store_loss(group.x, total.x, log_sigma[0]);
        dlog_sigma[group.x] = LOSS_SCALE * total.y / f32(BATCH);
    }
    store_grads(group.x, lane, log_sigma[0]);
}

// Means of images in [0, 1], clamped to it. A NaN stays NaN.
@compute @workgroup_size(64)
fn decode(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < VALUES && id.y < BATCH {
        let at = id.y * VALUES + id.x;
        let mean = mean_of(logits[at]);
        probabilities[at] = select(select(mean, 0.0, mean < 0.0), 1.0, mean > 1.0);
    }
}

// Means of images of any numbers.
@compute @workgroup_size(64)
fn decode_reals(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < VALUES && id.y < BATCH {
        let at = id.y * VALUES + id.x;
        probabilities[at] = mean_of(logits[at]);
    }
}
