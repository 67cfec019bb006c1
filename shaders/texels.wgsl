// Moves quads between a buffer and a texture (see common/texels.wgsl), where a kernel that wants
// the one meets a tensor in the other. An invocation owns one quad.

override QUADS: u32;

@group(0) @binding(0) var<storage, read> values: array<vec4<f32>>;
@group(0) @binding(1) var texels_out: texture_storage_2d<rgba32float, write>;
@group(0) @binding(2) var texels: texture_storage_2d<rgba32float, read>;
@group(0) @binding(3) var<storage, read_write> values_out: array<vec4<f32>>;

const TEXELS = 4096u;

@compute @workgroup_size(64)
fn pack(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < QUADS {
        textureStore(texels_out, vec2(id.x % TEXELS, id.x / TEXELS + 1u), values[id.x]);
    }
}

@compute @workgroup_size(64)
fn unpack(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < QUADS {
        values_out[id.x] = textureLoad(texels, vec2(id.x % TEXELS, id.x / TEXELS + 1u));
    }
}
