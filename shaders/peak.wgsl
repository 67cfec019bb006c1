// Peak throughput of an adapter: multiply-adds in registers, and plain copies. `bench` compares the
// training kernels with them.

override ROUNDS: u32;  // four multiply-adds on 32 values each
override COPY_QUADS: u32;

@group(0) @binding(0) var<storage, read> factors: array<f32>;               // scale and shift
@group(0) @binding(1) var<storage, read_write> sums: array<vec4<f32>>;      // one per invocation
@group(0) @binding(2) var<storage, read> values: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> values_out: array<vec4<f32>>;
@group(0) @binding(4) var texels: texture_storage_2d<rgba32float, read>;

const TEXELS = 4096u;

// Four dependent multiply-adds.
fn four(a: vec4<f32>, scale: vec4<f32>, shift: vec4<f32>) -> vec4<f32> {
    return fma(fma(fma(fma(a, scale, shift), scale, shift), scale, shift), scale, shift);
}

// 32 independent values hide the latency, with four multiply-adds each per iteration: the fastest shape
// tried on lavapipe, where longer bodies lose.
@compute @workgroup_size(64)
fn multiply_add(@builtin(global_invocation_id) id: vec3<u32>) {
    let scale = vec4(factors[0]);
    let shift = vec4(factors[1]);
    var a = vec4(f32(id.x % 64u)) / 64.0 + vec4(0.0, 0.25, 0.5, 0.75);
    var b = a + 1.0;
    var c = a + 2.0;
    var d = a + 3.0;
    var e = a + 4.0;
    var f = a + 5.0;
    var g = a + 6.0;
    var h = a + 7.0;
    for (var round = 0u; round < ROUNDS; round++) {
        a = four(a, scale, shift);
        b = four(b, scale, shift);
        c = four(c, scale, shift);
        d = four(d, scale, shift);
        e = four(e, scale, shift);
        f = four(f, scale, shift);
        g = four(g, scale, shift);
        h = four(h, scale, shift);
    }
    sums[id.x] = ((a + b) + (c + d)) + ((e + f) + (g + h));
}

// An invocation copies four quads, 64 apart, to keep several loads in flight.
@compute @workgroup_size(64)
fn copy(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) id: vec3<u32>) {
    let first = group.x * 256u + id.x;
    for (var i = first; i < min(first + 256u, COPY_QUADS); i += 64u) {
        values_out[i] = values[i];
    }
}

// `copy` from a texture mirror (common/texels.wgsl), for adapters whose kernels load from these.
@compute @workgroup_size(64)
fn copy_texels(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) id: vec3<u32>) {
    let first = group.x * 256u + id.x;
    for (var i = first; i < min(first + 256u, COPY_QUADS); i += 64u) {
        values_out[i] = textureLoad(texels, vec2(i % TEXELS, i / TEXELS + 1u));
    }
}
