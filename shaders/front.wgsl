// The batch and the encoder's first convolution in one dispatch, a workgroup per image: it picks the
// image, stages it in workgroup memory and convolves it there. It stores all that the separate kernels
// store, in the same layouts.

override BATCH: u32;   // images in the batch
override COUNT: u32;   // images in the data set
override SHUFFLE: bool;
override BITS: u32;    // bits of one packed value: 1 (0 or 1), 8 (byte / 255) or 32 (a float)
override KERNEL: u32;
override STRIDE: u32;
override PAD_Y: u32;
override PAD_X: u32;
override BIG_H: u32;   // the image: at most 3072 values
override BIG_W: u32;
override BIG_C: u32;
override SMALL_H: u32; // the convolution's output
override SMALL_W: u32;
override SMALL_C: u32; // a multiple of 4
override ACTIVATION: u32;
override VALUES: u32 = BIG_H * BIG_W * BIG_C;
override SMALL_QUADS: u32 = SMALL_C / 4u;

@group(0) @binding(0) var<storage, read> state: StepState;             // common.wgsl
@group(0) @binding(1) var<storage, read> images: array<u32>;           // whole words per image
@group(0) @binding(2) var<storage, read_write> indices: array<u32>;    // [BATCH]
@group(0) @binding(3) var<storage, read_write> x: array<f32>;          // [BATCH, VALUES]
@group(0) @binding(4) var<storage, read> weights: array<vec4<f32>>;    // [KERNEL, KERNEL, BIG_C, SMALL_QUADS]
@group(0) @binding(5) var<storage, read> bias: array<vec4<f32>>;       // [SMALL_QUADS]
@group(0) @binding(6) var<storage, read_write> y: array<vec4<f32>>;    // [BATCH, SMALL_H, SMALL_W, SMALL_QUADS]

const LANES = 256u;
var<workgroup> image: u32;
var<workgroup> pixels: array<f32, 3072>;

// Quad s4 of output pixel (i, j). Padding loads pixel 0 and counts as zero: without branches all loads can
// be in flight at once.
fn correlation(i: u32, j: u32, s4: u32) -> vec4<f32> {
    var sum = bias[s4];
    for (var a = 0u; a < KERNEL; a++) {
        for (var b = 0u; b < KERNEL; b++) {
            // Coordinates below zero wrap around and fail the bound.
            let row = STRIDE * i + a - PAD_Y;
            let column = STRIDE * j + b - PAD_X;
            let inside = row < BIG_H && column < BIG_W;
            for (var c = 0u; c < BIG_C; c++) {
                let weight = weights[((a * KERNEL + b) * BIG_C + c) * SMALL_QUADS + s4];
                let pixel = pixels[select(0u, (row * BIG_W + column) * BIG_C + c, inside)];
                sum += select(0.0, pixel, inside) * weight;
            }
        }
    }
    return sum;
}

// The word of a value; past the last that of the last.
fn word_of(value: u32) -> u32 {
    return images[image * words_of(VALUES, BITS) + min(value, VALUES - 1u) * BITS / 32u];
}

fn stage(row: u32, value: u32, word: u32) {
    if value < VALUES {
        pixels[value] = unpacked(word, value, BITS);
        x[row * VALUES + value] = pixels[value];
    }
}

@compute @workgroup_size(256)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group.x;
    if lane == 0u {
        let at = min(state.position + row, COUNT - 1u);
        image = image_at(at, COUNT, SHUFFLE, state.epoch, state.seed);
        indices[row] = image;
    }
    workgroupBarrier();
    // The loads of four values overlap.
    for (var base = lane; base < VALUES; base += 4u * LANES) {
        let value = base + vec4(0u, 1u, 2u, 3u) * LANES;
        let words = vec4(word_of(value.x), word_of(value.y), word_of(value.z), word_of(value.w));
        stage(row, value.x, words.x);
        stage(row, value.y, words.y);
        stage(row, value.z, words.z);
        stage(row, value.w, words.w);
    }
    workgroupBarrier();
    let all = SMALL_H * SMALL_W * SMALL_QUADS;
    for (var at = lane; at < all; at += LANES) {
        let pixel = at / SMALL_QUADS;
        let sum = correlation(pixel / SMALL_W, pixel % SMALL_W, at % SMALL_QUADS);
        y[row * all + at] = activated4(sum, ACTIVATION);
    }
}
