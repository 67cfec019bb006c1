// Loads of quads from storage buffers. Indices from NONE up are padding and load zero.

const FIRST = 0u;
const NONE = 0x80000000u;

@group(0) @binding(0) var<storage, read> big: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> small: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> weights: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> gate: array<vec4<f32>>;

fn big_quad(at: u32) -> vec4<f32> {
    return select(vec4(0.0), big[select(at, 0u, at >= NONE)], at < NONE);
}

fn small_quad(at: u32) -> vec4<f32> {
    return select(vec4(0.0), small[select(at, 0u, at >= NONE)], at < NONE);
}

fn weight_quad(at: u32) -> vec4<f32> {
    return weights[at];
}

fn gate_quad(at: u32) -> vec4<f32> {
    return gate[select(at, 0u, at >= NONE)];
}
