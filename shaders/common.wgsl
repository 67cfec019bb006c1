// Shared by every module; a module is this file followed by its own.

// Invocations of a workgroup that meet at barriers. Most kernels agree on it, so that they can share a
// dispatch (src/plan/link.rs). Their memory has one name by type, `quads`, which such a dispatch then
// has once.
const GROUP_SIZE = 128u;

// Counters that live on the device from step to step, so that the host writes nothing while
// a plan is replayed. src/ops/state.rs lays out the same six words.
struct StepState {
    seed: vec2<u32>,     // key of every random stream, low word first
    step: u32,           // optimizer steps done; the time axis of the noise
    epoch: u32,          // passes over the data done; selects the permutation
    position: u32,       // images of this epoch consumed so far
    stream: u32,         // keeps the noise of training, evaluation and pictures apart
}

// max(0, v), but a NaN stays a NaN, so that training that diverges is seen at once: WGSL lets max()
// give either operand.
fn relu(v: f32) -> f32 {
    return select(v, 0.0, v <= 0.0);
}

fn relu4(v: vec4<f32>) -> vec4<f32> {
    return select(v, vec4(0.0), v <= vec4(0.0));
}

// log(1 + f) for f in [-0.293, 0.415], within 1 ulp: the polynomial of FreeBSD's logf.
// WGSL promises only an absolute error of 2^-21 for log near 1, which is too coarse for sums of
// hundreds of small logarithms.
fn log1p_near_zero(f: f32) -> f32 {
    let s = f / (2.0 + f);
    let z = s * s;
    let w = z * z;
    let even = w * (0.40000972152 + w * 0.24279078841);
    let odd = z * (0.66666662693 + w * 0.28498786688);
    let half_square = 0.5 * f * f;
    return f - (half_square - s * (half_square + even + odd));
}

// exp(-|l|) never overflows, and both tails of the sigmoid follow from it.
fn sigmoid(l: f32) -> f32 {
    let e = exp(-abs(l));
    return select(e, 1.0, l >= 0.0) / (1.0 + e);
}
