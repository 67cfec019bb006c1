// Shared: every module is this file followed by its own.

// Invocations per workgroup of most kernels with barriers. They share this size and one name per type
// of workgroup memory (`quads`), so that src/plan/link.rs can link them into one dispatch.
const GROUP_SIZE = 128u;

// Counters that live on the device, so that replaying a plan needs no upload. src/ops/state.rs lays
// out the same six words.
struct StepState {
    seed: vec2<u32>,     // key of every random stream, low word first
    step: u32,           // optimizer steps done; counter word of the noise
    epoch: u32,          // passes over the data done; selects the permutation
    position: u32,       // images of this epoch already consumed
    stream: u32,         // separates the noise of training, evaluation and pictures
}

// max(0, v) that keeps NaN, so that divergence shows: WGSL lets max() return either operand.
fn relu(v: f32) -> f32 {
    return select(v, 0.0, v <= 0.0);
}

fn relu4(v: vec4<f32>) -> vec4<f32> {
    return select(v, vec4(0.0), v <= vec4(0.0));
}

// log(1 + f) for f in [-0.293, 0.415], within 1 ulp: the polynomial of FreeBSD's logf. WGSL bounds log
// near 1 only by an absolute 2^-21, which is too coarse for sums of hundreds of small logarithms.
fn log1p_near_zero(f: f32) -> f32 {
    let s = f / (2.0 + f);
    let z = s * s;
    let w = z * z;
    let even = w * (0.40000972152 + w * 0.24279078841);
    let odd = z * (0.66666662693 + w * 0.28498786688);
    let half_square = 0.5 * f * f;
    return f - (half_square - s * (half_square + even + odd));
}

// log(1 + e) for e in [0, 1].
fn log1p(e: f32) -> f32 {
    let large = e > 0.41421356;
    let value = log1p_near_zero(select(e, 0.5 * (e - 1.0), large));
    return value + select(0.0, 0.69314718056, large);
}

// log(v) for v > 0 within a few ulp, also near 1.
fn precise_log(v: f32) -> f32 {
    let parts = frexp(v);
    let low = parts.fract < 0.70710678;
    let mantissa = select(parts.fract, 2.0 * parts.fract, low);
    let exponent = select(parts.exp, parts.exp - 1, low);
    return f32(exponent) * 0.69314718056 + log1p_near_zero(mantissa - 1.0);
}

// exp(-|l|) never overflows; both tails of the sigmoid follow from it.
fn sigmoid(l: f32) -> f32 {
    let e = exp(-abs(l));
    return select(e, 1.0, l >= 0.0) / (1.0 + e);
}
