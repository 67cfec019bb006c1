// Moves the step state on by one step, so that the next replay needs nothing from the host.

override BATCH: u32;
override COUNT: u32;  // images in the data set
override STEPS: u32;  // how far time moves: 1, or 0 where all batches belong to one moment

@group(0) @binding(0) var<storage, read_write> state: StepState;  // common.wgsl
@compute @workgroup_size(1)
fn advance() {
    state.step += STEPS;
    let position = state.position + BATCH;
    let ended = position >= COUNT;
    state.position = select(position, 0u, ended);
    state.epoch += select(0u, 1u, ended);
}
