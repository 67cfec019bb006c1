// Unpacks a batch of the images on the device to floats, or draws each value as 0 or 1
// (common/philox.wgsl). Can mirror images, left to right.

override BATCH: u32;     // images in the batch
override VALUES: u32;    // values of one image, H·W·C
override WIDTH: u32;     // columns of an image
override CHANNELS: u32;  // channels of an image
override BITS: u32;      // bits of one packed value: 1 (0 or 1), 8 (byte / 255) or 32 (a float)
override FLIP: bool;     // `draw` also mirrors, like `flip`

@group(0) @binding(0) var<storage, read> images: array<u32>;   // whole words per image, least significant bits first
@group(0) @binding(1) var<storage, read> places: array<u32>;   // [BATCH], where the images are
@group(0) @binding(2) var<storage, read_write> x: array<f32>;   // [BATCH, VALUES]
@group(0) @binding(3) var<storage, read> state: StepState;     // common.wgsl
@group(0) @binding(4) var<storage, read> indices: array<u32>;  // [BATCH], which images they are

const PIXEL_STREAM = 4u;
const FLIP_STREAM = 6u;

// Whether an epoch mirrors the image of a row: an even chance.
fn is_mirrored(row: u32) -> bool {
    let counter = vec4(0u, indices[row], state.epoch, FLIP_STREAM);
    return (philox(counter, state.seed).x & 1u) == 1u;
}

// Where a value of an image goes in the batch.
fn place_of(row: u32, value: u32, mirrored: bool) -> u32 {
    let column = value / CHANNELS % WIDTH;
    let opposite = value - column * CHANNELS + (WIDTH - 1u - column) * CHANNELS;
    return row * VALUES + select(value, opposite, mirrored);
}

// Four values of an image, or the last few, or none.
fn unpack_four(row: u32, first: u32, mirrored: bool) {
    let start = places[row] * words_of(VALUES, BITS);
    for (var value = first; value < min(first + 4u, VALUES); value++) {
        let word = images[start + value * BITS / 32u];
        x[place_of(row, value, mirrored)] = unpacked(word, value, BITS);
    }
}

@compute @workgroup_size(64)
fn unpack(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.y < BATCH {
        unpack_four(id.y, 4u * id.x, false);
    }
}

// `unpack`, with half of the images mirrored, others in each epoch.
@compute @workgroup_size(64)
fn flip(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.y < BATCH {
        unpack_four(id.y, 4u * id.x, is_mirrored(id.y));
    }
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
    let drawn = select(vec4(0.0), vec4(1.0), random < thresholds);
    let mirrored = FLIP && is_mirrored(row);
    for (var k = 0u; k < min(4u, VALUES - 4u * block); k++) {
        x[place_of(row, 4u * block + k, mirrored)] = drawn[k];
    }
}
