// Advances the step state, so that the next replay needs no upload.

override BATCH: u32;
override COUNT: u32;  // images in the data set
override STEPS: u32;  // steps per replay: 1, or 0 if all batches share a step

@group(0) @binding(0) var<storage, read_write> state: StepState;  // common.wgsl

@compute @workgroup_size(1)
fn advance() {
    state.step += STEPS;
    let position = state.position + BATCH;
    let ended = position >= COUNT;
    state.position = select(position, 0u, ended);
    state.epoch += select(0u, 1u, ended);
}
