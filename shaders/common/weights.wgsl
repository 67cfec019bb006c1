// The weights of the KL term: they rise over the first steps, and are 0 for dimensions below their free
// bits. A workgroup owns a latent dimension. `divergence_of` is that of reparam.wgsl or full.wgsl.

override RISE: f32 = 0.0;    // steps over which the weight rises from 0
override FREE: f32 = 0.0;    // nats of each dimension that cost nothing

@group(0) @binding(10) var<storage, read> state: StepState;              // `step` counts the steps done
@group(0) @binding(11) var<storage, read_write> weights_out: array<f32>;  // [2·LATENT + 1]: a weight for
// each dimension, its divergence or the free bits, and the weight of all

const LANES = GROUP_SIZE;

@compute @workgroup_size(GROUP_SIZE)
fn weights(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let d = group.x;
    var sum = 0.0;
    for (var row = lane; row < BATCH; row += GROUP_SIZE) {
        sum += divergence_of(row, d);
    }
    let total = sum_over_workgroup(vec4(sum, 0.0, 0.0, 0.0), lane, 1u).x;
    if lane == 0u {
        let divergence = total / f32(BATCH);
        let risen = f32(state.step) / max(RISE, 1.0);
        let weight = select(1.0, risen, f32(state.step) < RISE);
        weights_out[d] = select(weight, 0.0, divergence < FREE);
        weights_out[LATENT + d] = max(divergence, FREE);
        if d == 0u {
            weights_out[2u * LATENT] = weight;
        }
    }
}
