// Gathers a batch from the packed, resident data set and unpacks it to floats in [0, 1].
// An invocation owns one value of one image.

override BATCH: u32;   // images in the batch
override VALUES: u32;  // values of one image, H·W·C
override BITS: u32;    // bits of one packed value: 1 (0 or 1) or 8 (byte / 255)

@group(0) @binding(0) var<storage, read> images: array<u32>;   // whole words per image, least significant bits first
@group(0) @binding(1) var<storage, read> indices: array<u32>;  // [BATCH]
@group(0) @binding(2) var<storage, read_write> x: array<f32>;  // [BATCH, VALUES]

@compute @workgroup_size(64)
fn unpack(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.y;
    let value = id.x;
    if value >= VALUES || row >= BATCH {
        return;
    }
    let words = (VALUES * BITS + 31u) / 32u;
    let bit = value * BITS;
    let word = images[indices[row] * words + bit / 32u];
    let mask = (1u << BITS) - 1u;
    x[row * VALUES + value] = f32((word >> (bit % 32u)) & mask) / f32(mask);
}
