// Sigmoid cross-entropy on logits, stable for logits of any size:
//   log p(x|z) = -sum [ max(l, 0) - l x + log(1 + exp(-|l|)) ]

override BATCH: u32;
override VALUES: u32;       // values of one image, H·W·C
override CONTINUOUS: bool;  // the continuous Bernoulli
override LOSS_SCALE: f32;   // factor of the loss

@group(0) @binding(0) var<storage, read> logits: array<f32>;               // [BATCH, VALUES]
@group(0) @binding(1) var<storage, read> x: array<f32>;                    // [BATCH, VALUES] in [0, 1]
@group(0) @binding(2) var<storage, read_write> logpx_z: array<f32>;        // [BATCH]
@group(0) @binding(3) var<storage, read_write> dlogits: array<f32>;        // [BATCH, VALUES]
@group(0) @binding(4) var<storage, read_write> probabilities: array<f32>;  // [BATCH, VALUES]

const LANES = GROUP_SIZE;

fn cross_entropy(l: f32, target_value: f32) -> f32 {
    return max(l, 0.0) - l * target_value + log1p(exp(-abs(l)));
}

// The same minus log C(l), C = l / tanh(l / 2), of the continuous Bernoulli (Loaiza-Ganem, Cunningham,
// NeurIPS 2019). Both have log cosh(l / 2), which cancels: what remains is
//   l (1/2 - x) + log(2 sinh(l / 2) / l),
// with a series near 0.
fn continuous_entropy(l: f32, target_value: f32) -> f32 {
    let a = abs(l);
    let s = l * l;
    let near = l * (0.5 - target_value) + s * (1.0 / 24.0 - s * (1.0 / 2880.0 - s / 181440.0));
    let ratio = (1.0 - min(exp(-a), 0.75)) / max(a, 0.25);
    return select(max(l, 0.0) - l * target_value + precise_log(ratio), near, a < 0.5);
}

fn continuous_slope(l: f32, target_value: f32) -> f32 {
    let a = abs(l);
    let s = l * l;
    let near = 0.5 - target_value + l * (1.0 / 12.0 - s * (1.0 / 720.0 - s / 30240.0));
    let e = min(exp(-a), 0.75);
    let rise = e / (1.0 - e) - 1.0 / max(a, 0.25);
    let far = select(-rise, 1.0 + rise, l > 0.0) - target_value;
    return select(far, near, a < 0.5);
}

// -log p of value i of an image; 0 past the last.
fn loss_of(row: u32, i: u32) -> f32 {
    if i >= VALUES {
        return 0.0;
    }
    let at = row * VALUES + i;
    if CONTINUOUS {
        return continuous_entropy(logits[at], x[at]);
    }
    return cross_entropy(logits[at], x[at]);
}

fn slope_of(at: u32) -> f32 {
    if CONTINUOUS {
        return continuous_slope(logits[at], x[at]);
    }
    return sigmoid(logits[at]) - x[at];
}

fn store_loss(row: u32, lane: u32) {
    var sum = vec4(0.0);
    for (var i = 4u * lane; i < VALUES; i += 4u * LANES) {
        sum += vec4(
            loss_of(row, i), loss_of(row, i + 1u), loss_of(row, i + 2u), loss_of(row, i + 3u));
    }
    let total = sum_over_workgroup(sum, lane, 1u);
    if lane == 0u {
        logpx_z[row] = -across(total);
    }
}

// A workgroup owns one image.
@compute @workgroup_size(GROUP_SIZE)
fn loss(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    store_loss(group.x, lane);
}

// `loss`, and the gradient of the mean batch loss.
@compute @workgroup_size(GROUP_SIZE)
fn loss_and_grad(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    store_loss(group.x, lane);
    for (var i = lane; i < VALUES; i += LANES) {
        let at = group.x * VALUES + i;
        dlogits[at] = LOSS_SCALE * slope_of(at) / f32(BATCH);
    }
}

@compute @workgroup_size(64)
fn decode(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.y;
    if id.x >= VALUES || row >= BATCH {
        return;
    }
    probabilities[row * VALUES + id.x] = sigmoid(logits[row * VALUES + id.x]);
}
