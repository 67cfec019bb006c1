// Dense layers: y = x W + b with W [IN, OUT] row-major (Keras layout), and their gradients. Forward reads
// W down a column, the input gradient along a row. `*_deep` spreads a long sum over a workgroup; the
// other kernels give each output to one invocation.

override BATCH: u32;
override IN: u32;      // features of x
override OUT: u32;     // features of y
override ACTIVATION: u32;  // forward
override GATE: u32;        // input gradient: the activation whose output is x

@group(0) @binding(0) var<storage, read> x: array<f32>;                  // [BATCH, IN]
@group(0) @binding(1) var<storage, read> weights: array<f32>;            // [IN, OUT]
@group(0) @binding(2) var<storage, read> bias: array<f32>;               // [OUT]
@group(0) @binding(3) var<storage, read_write> y: array<f32>;            // [BATCH, OUT]
@group(0) @binding(4) var<storage, read> dy: array<f32>;                 // [BATCH, OUT]
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;           // [BATCH, IN]
@group(0) @binding(6) var<storage, read_write> weights_grad: array<f32>; // [IN, OUT]
@group(0) @binding(7) var<storage, read_write> bias_grad: array<f32>;    // [OUT]

const LANES = 64u;

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.y;
    let o = id.x;
    if o >= OUT || row >= BATCH {
        return;
    }
    var sum = bias[o];
    for (var i = 0u; i < IN; i++) {
        sum += x[row * IN + i] * weights[i * OUT + o];
    }
    y[row * OUT + o] = activated(sum, ACTIVATION);
}

@compute @workgroup_size(64)
fn forward_deep(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group.y;
    let o = group.x;
    var sum = 0.0;
    for (var i = lane; i < IN; i += LANES) {
        sum += x[row * IN + i] * weights[i * OUT + o];
    }
    let total = sum_over_workgroup(vec4(sum), lane, 1u).x;
    if lane == 0u {
        y[row * OUT + o] = activated(total + bias[o], ACTIVATION);
    }
}

@compute @workgroup_size(64)
fn input_grad(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.y;
    let i = id.x;
    if i >= IN || row >= BATCH {
        return;
    }
    var sum = 0.0;
    for (var o = 0u; o < OUT; o++) {
        sum += dy[row * OUT + o] * weights[i * OUT + o];
    }
    dx[row * IN + i] = backpropagated(sum, x[row * IN + i], GATE);
}

@compute @workgroup_size(64)
fn input_grad_deep(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group.y;
    let i = group.x;
    var sum = 0.0;
    for (var o = lane; o < OUT; o += LANES) {
        sum += dy[row * OUT + o] * weights[i * OUT + o];
    }
    let total = sum_over_workgroup(vec4(sum), lane, 1u).x;
    if lane == 0u {
        dx[row * IN + i] = backpropagated(total, x[row * IN + i], GATE);
    }
}

// Rows whose loads are in flight together.
const ROWS = 8u;

// An invocation owns one weight or, past the last weight, one bias.
@compute @workgroup_size(64)
fn weight_grad(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x / OUT;
    let o = id.x % OUT;
    if i > IN {
        return;
    }
    var sum = 0.0;
    if i < IN {
        for (var first = 0u; first < BATCH; first += ROWS) {
            for (var k = 0u; k < ROWS; k++) {
                let row = min(first + k, BATCH - 1u);
                let feature = select(0.0, x[row * IN + i], first + k < BATCH);
                sum += feature * dy[row * OUT + o];
            }
        }
        weights_grad[id.x] = sum;
    } else {
        for (var first = 0u; first < BATCH; first += ROWS) {
            for (var k = 0u; k < ROWS; k++) {
                let row = min(first + k, BATCH - 1u);
                sum += select(0.0, dy[row * OUT + o], first + k < BATCH);
            }
        }
        bias_grad[o] = sum;
    }
}
