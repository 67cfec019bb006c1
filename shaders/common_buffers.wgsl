// Quads of images in storage buffers.

@group(0) @binding(0) var<storage, read> big: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> small: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> weights: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> gate: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> big_out: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> small_out: array<vec4<f32>>;

fn big_quad(at: u32) -> vec4<f32> {
    return big[at];
}

fn small_quad(at: u32) -> vec4<f32> {
    return small[at];
}

fn weight_quad(at: u32) -> vec4<f32> {
    return weights[at];
}

fn gate_quad(at: u32) -> vec4<f32> {
    return gate[at];
}

fn put_big(at: u32, v: vec4<f32>) {
    big_out[at] = v;
}

fn put_small(at: u32, v: vec4<f32>) {
    small_out[at] = v;
}
