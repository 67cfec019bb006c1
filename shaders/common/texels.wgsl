// Loads of quads from textures: one texel per quad, 4096 texels per row. Row 0 stays zero: the padding.
// lavapipe vectorizes texel loads over its lanes, but serializes buffer loads and texel stores, so
// results go to buffers (src/plan/mirror.rs).

const TEXELS = 4096u;
const FIRST = TEXELS;
const NONE = 0u;

@group(0) @binding(0) var big: texture_storage_2d<rgba32float, read>;
@group(0) @binding(1) var small: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var weights: texture_storage_2d<rgba32float, read>;
@group(0) @binding(4) var gate: texture_storage_2d<rgba32float, read>;

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
