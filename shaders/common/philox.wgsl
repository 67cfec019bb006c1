// Counter-based random numbers: a draw depends on (seed, counter) alone, so there is no state to store.
// Philox4x32-10: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
// src/rng.rs tests the published known answers.

// High word of a 32×32-bit product, from 16-bit halves: WGSL has no 64-bit integers.
fn multiply_high(a: u32, b: u32) -> u32 {
    let a_low = a & 0xffffu;
    let a_high = a >> 16u;
    let b_low = b & 0xffffu;
    let b_high = b >> 16u;
    let t = a_high * b_low + ((a_low * b_low) >> 16u);
    let u = a_low * b_high + (t & 0xffffu);
    return a_high * b_high + (t >> 16u) + (u >> 16u);
}

fn philox(start: vec4<u32>, seed: vec2<u32>) -> vec4<u32> {
    var counter = start;
    var key = seed;
    for (var round = 0u; round < 10u; round++) {
        let high0 = multiply_high(0xd2511f53u, counter.x);
        let high1 = multiply_high(0xcd9e8d57u, counter.z);
        counter = vec4(
            high1 ^ counter.y ^ key.x,
            0xcd9e8d57u * counter.z,
            high0 ^ counter.w ^ key.y,
            0xd2511f53u * counter.x,
        );
        key += vec2(0x9e3779b9u, 0xbb67ae85u);
    }
    return counter;
}
