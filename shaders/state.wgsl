// Moves the step state on by one step, so that the next replay needs nothing from the host.

override BATCH: u32;
override COUNT: u32;  // images in the data set

@group(0) @binding(0) var<storage, read_write> state: StepState;

@compute @workgroup_size(1)
fn advance() {
    state.step += 1u;
    let position = state.position + BATCH;
    let ended = position >= COUNT;
    state.position = select(position, 0u, ended);
    state.epoch += select(0u, 1u, ended);
}
