// Sums over a workgroup of LANES invocations; each module that has one defines LANES, a power of two.

var<workgroup> quads: array<vec4<f32>, LANES>;

// A tree in a fixed order that adds each lane to the sum number lane % sums, where `sums` is a power of
// two. Lanes below `sums` get the totals. A barrier must separate two calls.
fn sum_over_workgroup(value: vec4<f32>, lane: u32, sums: u32) -> vec4<f32> {
    quads[lane] = value;
    for (var stride = LANES / 2u; stride >= sums; stride /= 2u) {
        workgroupBarrier();
        if lane < stride {
            quads[lane] += quads[lane + stride];
        }
    }
    return quads[lane];
}

fn across(v: vec4<f32>) -> f32 {
    return (v.x + v.y) + (v.z + v.w);
}
