// Stores the terms of the objective: means over a training batch in a ring that the host reads later,
// or terms per image in a table of a whole split of the data.

override BATCH: u32;
override RING: u32;       // rows of the ring
override ANALYTIC: bool;  // the loss uses the analytic KL
override BETA: f32;       // weight of the KL term in the loss
override IMAGES: u32 = 0u;  // rows of the table

@group(0) @binding(0) var<storage, read> logpx_z: array<f32>;            // [BATCH]
@group(0) @binding(1) var<storage, read> logpz: array<f32>;              // [BATCH]
@group(0) @binding(2) var<storage, read> logqz_x: array<f32>;            // [BATCH]
@group(0) @binding(3) var<storage, read> kl: array<f32>;                 // [BATCH]
@group(0) @binding(4) var<storage, read> state: StepState;  // common.wgsl
@group(0) @binding(5) var<storage, read_write> ring: array<f32>;         // [RING, 5]: loss, then the four terms
@group(0) @binding(6) var<storage, read_write> terms: array<vec4<f32>>;  // [IMAGES, 4]

var<workgroup> quads: array<vec4<f32>, GROUP_SIZE>;

fn terms_of(row: u32) -> vec4<f32> {
    return vec4(logpx_z[row], logpz[row], logqz_x[row], kl[row]);
}

// One workgroup: a reduction tree in a fixed order.
@compute @workgroup_size(GROUP_SIZE)
fn batch_means(@builtin(local_invocation_index) lane: u32) {
    var sum = vec4(0.0);
    for (var row = lane; row < BATCH; row += GROUP_SIZE) {
        sum += terms_of(row);
    }
    quads[lane] = sum;
    for (var stride = GROUP_SIZE / 2u; stride > 0u; stride /= 2u) {
        workgroupBarrier();
        if lane < stride {
            quads[lane] += quads[lane + stride];
        }
    }
    if lane == 0u {
        let mean = quads[0] / f32(BATCH);
        let divergence = select(mean.z - mean.y, mean.w, ANALYTIC);
        let at = (state.step % RING) * 5u;
        ring[at] = BETA * divergence - mean.x;
        ring[at + 1u] = mean.x;
        ring[at + 2u] = mean.y;
        ring[at + 3u] = mean.z;
        ring[at + 4u] = mean.w;
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
