// Quads of images in textures: one texel is one quad, and quads run along rows of 4096 texels.
// The first row belongs to no image and stays zero: the padding of a convolution is read there.
// A software adapter may read a texel many times faster than four values of a buffer: lavapipe
// unrolls a texel load over its lanes, but walks the lanes of a buffer load one by one.

const TEXELS = 4096u;
const FIRST = TEXELS;
const NONE = 0u;

@group(0) @binding(0) var big: texture_storage_2d<rgba32float, read>;
@group(0) @binding(1) var small: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var weights: texture_storage_2d<rgba32float, read>;
@group(0) @binding(4) var gate: texture_storage_2d<rgba32float, read>;
@group(0) @binding(5) var big_out: texture_storage_2d<rgba32float, write>;
@group(0) @binding(6) var small_out: texture_storage_2d<rgba32float, write>;

fn texel(at: u32) -> vec2<u32> {
    return vec2(at % TEXELS, at / TEXELS);
}

fn big_quad(at: u32) -> vec4<f32> {
    return textureLoad(big, texel(at));
}

fn small_quad(at: u32) -> vec4<f32> {
    return textureLoad(small, texel(at));
}

fn weight_quad(at: u32) -> vec4<f32> {
    return textureLoad(weights, texel(at));
}

fn gate_quad(at: u32) -> vec4<f32> {
    return textureLoad(gate, texel(at));
}

fn put_big(at: u32, v: vec4<f32>) {
    textureStore(big_out, texel(at), v);
}

fn put_small(at: u32, v: vec4<f32>) {
    textureStore(small_out, texel(at), v);
}
