// Unpacks a batch of the images on the device to floats in [0, 1], or draws each value as 0 or 1
// (common/philox.wgsl).

override BATCH: u32;   // images in the batch
override VALUES: u32;  // values of one image, H·W·C
override BITS: u32;    // bits of one packed value: 1 (0 or 1) or 8 (byte / 255)

@group(0) @binding(0) var<storage, read> images: array<u32>;   // whole words per image, least significant bits first
@group(0) @binding(1) var<storage, read> places: array<u32>;   // [BATCH], where the images are
@group(0) @binding(2) var<storage, read_write> x: array<f32>;   // [BATCH, VALUES]
@group(0) @binding(3) var<storage, read> state: StepState;     // common.wgsl
@group(0) @binding(4) var<storage, read> indices: array<u32>;  // [BATCH], which images they are

const PIXEL_STREAM = 4u;

// Stores four values of an image; the last quad may be incomplete.
fn store(row: u32, first: u32, values: vec4<f32>) {
    for (var k = 0u; k < 4u; k++) {
        if first + k < VALUES {
            x[row * VALUES + first + k] = values[k];
        }
    }
}

// An invocation owns four values of one image, in one word.
@compute @workgroup_size(64)
fn unpack(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.y;
    let first = 4u * id.x;
    if first >= VALUES || row >= BATCH {
        return;
    }
    let word = images[places[row] * words_of(VALUES, BITS) + first * BITS / 32u];
    store(row, first, vec4(
        unpacked(word, first, BITS),
        unpacked(word, first + 1u, BITS),
        unpacked(word, first + 2u, BITS),
        unpacked(word, first + 3u, BITS),
    ));
}

// A byte is 255 times the probability of a 1, within 2^-32; 0 and 255 are certain. The counter has
// image and epoch, not the row of the batch. An invocation owns the four values of one word.
@compute @workgroup_size(64)
fn draw(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.y;
    let block = id.x;
    if 4u * block >= VALUES || row >= BATCH {
        return;
    }
    let bytes = images[places[row] * words_of(VALUES, 8u) + block];
    let counter = vec4(block, indices[row], state.epoch, PIXEL_STREAM);
    let random = min(philox(counter, state.seed), vec4(0xfffffffeu));
    let thresholds = ((vec4(bytes) >> vec4(0u, 8u, 16u, 24u)) & vec4(0xffu)) * 0x01010101u;
    store(row, 4u * block, select(vec4(0.0), vec4(1.0), random < thresholds));
}
