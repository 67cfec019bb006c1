// The order of the images (common/images.wgsl) and the noise of the latent codes (common/philox.wgsl).

override BATCH: u32;     // images in the batch
override LATENT: u32;    // latent dimensions
override COUNT: u32;     // images in the data set
override SHUFFLE: bool;  // false: file order
override WINDOW: u32;    // images on the device at a time

@group(0) @binding(0) var<storage, read> state: StepState;  // common.wgsl
@group(0) @binding(1) var<storage, read_write> indices: array<u32>;  // [BATCH]
@group(0) @binding(2) var<storage, read_write> eps: array<f32>;      // [BATCH, LATENT]
@group(0) @binding(3) var<storage, read_write> places: array<u32>;   // [BATCH]

const HALF_PI = 1.57079632679;
const LN2_HIGH = 0.69313812256;
const LN2_LOW = 9.0580006145e-6;

// indices[row]: the data set's image in this row of the batch.
@compute @workgroup_size(64)
fn shuffle(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.x;
    if row >= BATCH {
        return;
    }
    let at = min(state.position + row, COUNT - 1u);
    indices[row] = image_at(at, COUNT, SHUFFLE, state.epoch, state.seed);
}

// places[row]: where the image of this row is, if the images of a pass come in windows, in its order.
@compute @workgroup_size(64)
fn place(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.x;
    if row >= BATCH {
        return;
    }
    places[row] = min(state.position + row, COUNT - 1u) % WINDOW;
}

// -log(u) for u = (2k + 1) / 2^24, k < 2^23: splits off the exponent.
fn minus_log(u: f32) -> f32 {
    var exponent = i32(bitcast<u32>(u) >> 23u) - 127;
    var mantissa = bitcast<f32>((bitcast<u32>(u) & 0x7fffffu) | 0x3f800000u);
    if mantissa > 1.41421356 {
        mantissa *= 0.5;
        exponent += 1;
    }
    let e = f32(exponent);
    return -(e * LN2_HIGH + (log1p_near_zero(mantissa - 1.0) + e * LN2_LOW));
}

// Box-Muller: two normals from two words. Sine and cosine are polynomials (Cephes, single precision)
// on an eighth of the circle, because WGSL bounds its own only absolutely.
fn normal_pair(radius_bits: u32, angle_bits: u32) -> vec2<f32> {
    let u = (f32(radius_bits >> 9u) + 0.5) * 0x1p-23;
    let radius = sqrt(2.0 * minus_log(u));
    let fraction = (f32((angle_bits >> 7u) & 0x7fffffu) + 0.5) * 0x1p-23;
    let mirrored = fraction > 0.5;
    let t = HALF_PI * select(fraction, 1.0 - fraction, mirrored);
    let z = t * t;
    let sine = t + t * z * (-1.6666654611e-1 + z * (8.3321608736e-3 - z * 1.9515295891e-4));
    let cosine = 1.0 - 0.5 * z
        + z * z * (4.166664568298827e-2 + z * (-1.388731625493765e-3 + z * 2.443315711809948e-5));
    let first = vec2(select(cosine, sine, mirrored), select(sine, cosine, mirrored));
    switch angle_bits >> 30u {
        case 0u: { return radius * first; }
        case 1u: { return radius * vec2(-first.y, first.x); }
        case 2u: { return radius * -first; }
        default: { return radius * vec2(first.y, -first.x); }
    }
}

// eps ~ N(0, 1). An invocation owns four latent dimensions of one image.
@compute @workgroup_size(64)
fn normals(@builtin(global_invocation_id) id: vec3<u32>) {
    let blocks = (LATENT + 3u) / 4u;
    let row = id.x / blocks;
    let block = id.x % blocks;
    if row >= BATCH {
        return;
    }
    let counter = vec4(block, state.position + row, state.step, state.stream);
    let bits = philox(counter, state.seed);
    let four = vec4(normal_pair(bits.x, bits.y), normal_pair(bits.z, bits.w));
    for (var i = 0u; i < min(4u, LATENT - 4u * block); i++) {
        eps[row * LATENT + 4u * block + i] = four[i];
    }
}
