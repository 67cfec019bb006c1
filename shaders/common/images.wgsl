// The order of the images in an epoch, and the unpacking of their words.

const SHUFFLE_STREAM = 0x53485546u;
const FEISTEL_ROUNDS = 8u;

// Position `at` of a permutation of 0..count: a Feistel network over the next even number of bits,
// repeated until the value is below count (cycle walking). A bijection for every count.
fn permute(at: u32, count: u32, epoch: u32, seed: vec2<u32>) -> u32 {
    let half = (33u - countLeadingZeros(max(count, 2u) - 1u)) / 2u;
    let mask = (1u << half) - 1u;
    var value = at;
    loop {
        var left = value >> half;
        var right = value & mask;
        for (var round = 0u; round < FEISTEL_ROUNDS; round++) {
            let mixed = philox(vec4(right, round, epoch, SHUFFLE_STREAM), seed).x & mask;
            let swapped = left ^ mixed;
            left = right;
            right = swapped;
        }
        value = (left << half) | right;
        if value < count {
            break;
        }
    }
    return value;
}

// Index of the image at position `at` of an epoch: file order, or the epoch's permutation.
fn image_at(at: u32, count: u32, shuffled: bool, epoch: u32, seed: vec2<u32>) -> u32 {
    if shuffled {
        return permute(at, count, epoch, seed);
    }
    return at;
}

// Words per image.
fn words_of(values: u32, bits: u32) -> u32 {
    return (values * bits + 31u) / 32u;
}

// A value from its word: a float, or in [0, 1]; the least significant bits come first.
fn unpacked(word: u32, value: u32, bits: u32) -> f32 {
    if bits == 32u {
        return bitcast<f32>(word);
    }
    let mask = (1u << bits) - 1u;
    return f32((word >> (value * bits % 32u)) & mask) / f32(mask);
}
