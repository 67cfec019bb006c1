// The subgroup lanes of a workgroup of 8. WGSL does not fix them, and conv_broadcast.wgsl reads lanes 0
// to 7: an adapter with another mapping cannot run it.

@group(0) @binding(0) var<storage, read_write> lanes: array<vec2<u32>>;  // [workgroups, 8]

// The invocation's lane, and how many invocations share the subgroup.
@compute @workgroup_size(8)
fn locate(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) invocation: u32,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    lanes[8u * group.x + invocation] = vec2(lane, subgroupAdd(1u));
}
