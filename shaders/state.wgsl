// Moves the step state on by one step, so that the next replay needs nothing from the host.

override BATCH: u32;
override COUNT: u32;       // images in the data set
override KEEP_LESS1: f32;  // 1 - beta1
override KEEP_LESS2: f32;  // 1 - beta2

@group(0) @binding(0) var<storage, read_write> state: StepState;

// 1 - beta^t is kept by u <- beta u + (1 - beta): it loses no digits at small t, where a
// running product of beta or pow() is off by more than 1e-5.
@compute @workgroup_size(1)
fn advance() {
    state.step += 1u;
    state.correction1 += (1.0 - state.correction1) * KEEP_LESS1;
    state.correction2 += (1.0 - state.correction2) * KEEP_LESS2;
    let position = state.position + BATCH;
    let ended = position >= COUNT;
    state.position = select(position, 0u, ended);
    state.epoch += select(0u, 1u, ended);
}
