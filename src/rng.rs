//! Counter-based random numbers (Philox) on the CPU; twins of `shaders/common/philox.wgsl`,
//! `shaders/rng.wgsl` and `shaders/fetch.wgsl`. A draw is a function of (seed, counter).
//!
//! Integers match the device bit for bit. Normals are computed in `f64` from the same bits; the device
//! approximates them with single-precision polynomials. The host draws initial weights here.

/// Separates the random numbers of different purposes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Noise of training steps.
    Train = 0,
    /// Noise of the test ELBO.
    Evaluate = 1,
    /// Noise of reconstructions.
    Picture = 2,
    /// Initial weights.
    Weights = 3,
    /// Binarized training images, drawn anew each epoch.
    Pixels = 4,
    /// Binarized evaluation images, drawn once.
    FixedPixels = 5,
    /// Training images that are mirrored, drawn anew each epoch.
    Flip = 6,
}

const SHUFFLE_STREAM: u32 = 0x5348_5546;
const FEISTEL_ROUNDS: u32 = 8;

/// Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011).
pub fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    let product = |a: u32, b: u32| {
        let wide = u64::from(a) * u64::from(b);
        ((wide >> 32) as u32, wide as u32)
    };
    for _ in 0..10 {
        let (high0, low0) = product(0xd251_1f53, counter[0]);
        let (high1, low1) = product(0xcd9e_8d57, counter[2]);
        counter = [
            high1 ^ counter[1] ^ key[0],
            low1,
            high0 ^ counter[3] ^ key[1],
            low0,
        ];
        key[0] = key[0].wrapping_add(0x9e37_79b9);
        key[1] = key[1].wrapping_add(0xbb67_ae85);
    }
    counter
}

/// The Philox key of a seed, low word first.
pub fn key(seed: u64) -> [u32; 2] {
    [seed as u32, (seed >> 32) as u32]
}

/// Element `at` of the permutation of `0..count` for (key, epoch).
///
/// A Feistel network over the next even number of bits, iterated until the result is below `count`
/// (cycle walking), so it is a bijection for every `count`.
pub fn permute(at: u32, count: u32, epoch: u32, key: [u32; 2]) -> u32 {
    let half = (33 - (count.max(2) - 1).leading_zeros()) / 2;
    let mask = (1u32 << half) - 1;
    let mut value = at;
    loop {
        let (mut left, mut right) = (value >> half, value & mask);
        for round in 0..FEISTEL_ROUNDS {
            let mixed = philox([right, round, epoch, SHUFFLE_STREAM], key)[0] & mask;
            (left, right) = (right, left ^ mixed);
        }
        value = (left << half) | right;
        if value < count {
            return value;
        }
    }
}

/// Two standard normals from two words, by the Box–Muller transform.
pub fn normal_pair(radius_bits: u32, angle_bits: u32) -> [f64; 2] {
    let unit = |bits: u32| (f64::from(bits) + 0.5) / f64::from(1 << 23);
    let radius = (-2.0 * unit(radius_bits >> 9).ln()).sqrt();
    let quarter = f64::from(angle_bits >> 30);
    // Reduced to a quarter turn and mirrored at its middle, as on the device, for accuracy near 0.
    let fraction = unit((angle_bits >> 7) & 0x7f_ffff);
    let half_pi = std::f64::consts::FRAC_PI_2;
    let (mut sine, mut cosine) = (half_pi * fraction.min(1.0 - fraction)).sin_cos();
    if fraction > 0.5 {
        (sine, cosine) = (cosine, sine);
    }
    let (x, y) = match quarter as u32 {
        0 => (cosine, sine),
        1 => (-sine, cosine),
        2 => (-cosine, -sine),
        _ => (sine, -cosine),
    };
    [radius * x, radius * y]
}

/// Four standard normals for a counter.
pub fn normals(counter: [u32; 4], key: [u32; 2]) -> [f64; 4] {
    let bits = philox(counter, key);
    let [a, b] = normal_pair(bits[0], bits[1]);
    let [c, d] = normal_pair(bits[2], bits[3]);
    [a, b, c, d]
}

/// Four Bernoulli draws with probability byte / 255, to within 2⁻³²; bytes 0 and 255 are exact.
/// `counter` is (index of the four values, image, epoch, stream).
pub fn bernoulli(bytes: [u8; 4], counter: [u32; 4], key: [u32; 2]) -> [bool; 4] {
    let random = philox(counter, key);
    // (2³² − 1) / 255 is an integer.
    let threshold = |i: usize| u32::from(bytes[i]) * 0x0101_0101;
    std::array::from_fn(|i| random[i].min(u32::MAX - 1) < threshold(i))
}

/// `count` uniform numbers in (-limit, limit) for parameter tensor number `tensor`.
pub fn uniform(count: usize, limit: f64, tensor: u32, key: [u32; 2]) -> Vec<f32> {
    let block = |i: usize| philox([i as u32, tensor, 0, Stream::Weights as u32], key);
    (0..count.div_ceil(4))
        .flat_map(block)
        .take(count)
        .map(|bits| (limit * ((f64::from(bits) + 0.5) / 2_147_483_648.0 - 1.0)) as f32)
        .collect()
}
