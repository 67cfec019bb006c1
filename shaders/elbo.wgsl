// Stores the terms of the objective: means over a training batch in a ring that the host reads later,
// or terms per image in a table of a whole split of the data.

override BATCH: u32;
override RING: u32;       // rows of the ring
override ANALYTIC: bool;  // the loss uses the analytic KL
override BETA: f32;       // weight of the KL term in the loss
override LOSS_SCALE: f32; // factor of the loss
override IMAGES: u32 = 0u;  // rows of the table
override LATENT: u32 = 0u;  // latent dimensions, where the KL term has weights

@group(0) @binding(0) var<storage, read> logpx_z: array<f32>;            // [BATCH]
@group(0) @binding(1) var<storage, read> logpz: array<f32>;              // [BATCH]
@group(0) @binding(2) var<storage, read> logqz_x: array<f32>;            // [BATCH]
@group(0) @binding(3) var<storage, read> kl: array<f32>;                 // [BATCH]
@group(0) @binding(4) var<storage, read> state: StepState;  // common.wgsl
@group(0) @binding(5) var<storage, read_write> ring: array<f32>;         // [RING, 5]: loss, then the four terms
@group(0) @binding(6) var<storage, read_write> terms: array<vec4<f32>>;  // [IMAGES, 4]
@group(0) @binding(7) var<storage, read> kl_weights: array<f32>;         // [2·LATENT + 1]

const LANES = GROUP_SIZE;

fn terms_of(row: u32) -> vec4<f32> {
    return vec4(logpx_z[row], logpz[row], logqz_x[row], kl[row]);
}

fn mean_terms(lane: u32) -> vec4<f32> {
    var sum = vec4(0.0);
    for (var row = lane; row < BATCH; row += LANES) {
        sum += terms_of(row);
    }
    return sum_over_workgroup(sum, lane, 1u) / f32(BATCH);
}

// The row of the ring; `penalty` is the weighted KL term.
fn record_means(mean: vec4<f32>, penalty: f32) {
    let at = (state.step % RING) * 5u;
    ring[at] = LOSS_SCALE * (penalty - mean.x);
    ring[at + 1u] = mean.x;
    ring[at + 2u] = mean.y;
    ring[at + 3u] = mean.z;
    ring[at + 4u] = mean.w;
}

// One workgroup.
@compute @workgroup_size(GROUP_SIZE)
fn batch_means(@builtin(local_invocation_index) lane: u32) {
    let mean = mean_terms(lane);
    if lane == 0u {
        record_means(mean, BETA * select(mean.z - mean.y, mean.w, ANALYTIC));
    }
}

// `batch_means` with weights of the KL term (common/weights.wgsl).
@compute @workgroup_size(GROUP_SIZE)
fn batch_means_weighted(@builtin(local_invocation_index) lane: u32) {
    let mean = mean_terms(lane);
    if lane == 0u {
        var divergence = mean.z - mean.y;
        if ANALYTIC {
            divergence = 0.0;
            for (var d = 0u; d < LATENT; d++) {
                divergence += kl_weights[LATENT + d];
            }
        }
        record_means(mean, BETA * kl_weights[2u * LATENT] * divergence);
    }
}

// An invocation owns one image.
@compute @workgroup_size(64)
fn record(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = state.position + id.x;
    if id.x < BATCH && row < IMAGES {
        terms[row] = terms_of(id.x);
    }
}
