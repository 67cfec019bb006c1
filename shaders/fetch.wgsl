// Gathers a batch from the packed, resident data set and unpacks it to floats in [0, 1], or draws it
// by the numbers of common/philox.wgsl.

override BATCH: u32;   // images in the batch
override VALUES: u32;  // values of one image, H·W·C
override BITS: u32;    // bits of one packed value: 1 (0 or 1) or 8 (byte / 255)

@group(0) @binding(0) var<storage, read> images: array<u32>;   // whole words per image, least significant bits first
@group(0) @binding(1) var<storage, read> indices: array<u32>;  // [BATCH]
@group(0) @binding(2) var<storage, read_write> x: array<f32>;  // [BATCH, VALUES]
@group(0) @binding(3) var<storage, read> state: StepState;     // common.wgsl

const PIXEL_STREAM = 4u;

// An invocation owns one value of one image.
@compute @workgroup_size(64)
fn unpack(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.y;
    let value = id.x;
    if value >= VALUES || row >= BATCH {
        return;
    }
    let word = images[indices[row] * words_of(VALUES, BITS) + value * BITS / 32u];
    x[row * VALUES + value] = unpacked(word, value, BITS);
}

// A byte is 255 times the probability of a 1, but for 2^-32 of it; 0 and 255 are certain. What is drawn
// belongs to the image and the epoch, not to the place in the batch. An invocation owns the four
// values of one word of one image.
@compute @workgroup_size(64)
fn draw(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.y;
    let block = id.x;
    let blocks = (VALUES + 3u) / 4u;
    if block >= blocks || row >= BATCH {
        return;
    }
    let image = indices[row];
    let bytes = images[image * blocks + block];
    let counter = vec4(block, image, state.epoch, PIXEL_STREAM);
    let random = min(philox(counter, state.seed), vec4(0xfffffffeu));
    let first = 4u * block;
    for (var i = 0u; i < min(4u, VALUES - first); i++) {
        let threshold = ((bytes >> (8u * i)) & 0xffu) * 0x01010101u;
        x[row * VALUES + first + i] = select(0.0, 1.0, random[i] < threshold);
    }
}
