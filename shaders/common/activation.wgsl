// Activations of layers; src/ops/activation.rs has the same numbers. 0 is none.

const RELU = 1u;
const LEAKY_RELU = 2u;
const ELU = 3u;
const TANH = 4u;
const SIGMOID = 5u;
const SLOPE = 0.2;  // of a leaky ReLU, as tf.nn.leaky_relu

// exp(v) - 1 for v <= 0, by its series near 0, where the difference cancels.
fn expm1(v: vec4<f32>) -> vec4<f32> {
    var series = vec4(1.0);
    var n = 8u;
    while n > 1u {
        series = 1.0 + series * v / f32(n);
        n--;
    }
    return select(exp(v) - 1.0, series * v, v > vec4(-0.5));
}

fn sigmoid4(v: vec4<f32>) -> vec4<f32> {
    let e = exp(-abs(v));
    return select(e, vec4(1.0), v >= vec4(0.0)) / (1.0 + e);
}

fn tanh4(v: vec4<f32>) -> vec4<f32> {
    let e = expm1(-2.0 * abs(v));
    let size = -e / (2.0 + e);
    return select(-size, size, v >= vec4(0.0));
}

// The output of a layer. A NaN stays NaN, so that divergence shows.
fn activated4(v: vec4<f32>, kind: u32) -> vec4<f32> {
    let negative = v <= vec4(0.0);
    switch kind {
        case RELU: { return relu4(v); }
        case LEAKY_RELU: { return select(v, SLOPE * v, negative); }
        case ELU: { return select(v, expm1(min(v, vec4(0.0))), negative); }
        case TANH: { return tanh4(v); }
        case SIGMOID: { return sigmoid4(v); }
        default: { return v; }
    }
}

// `dy` times the derivative of the activation whose output is y.
fn backpropagated4(dy: vec4<f32>, y: vec4<f32>, kind: u32) -> vec4<f32> {
    let negative = y <= vec4(0.0);
    switch kind {
        case RELU: { return select(dy, vec4(0.0), negative); }
        case LEAKY_RELU: { return select(dy, SLOPE * dy, negative); }
        case ELU: { return select(dy, dy * (y + 1.0), negative); }
        case TANH: { return dy * (1.0 - y * y); }
        case SIGMOID: { return dy * (y - y * y); }
        default: { return dy; }
    }
}

fn activated(v: f32, kind: u32) -> f32 {
    return activated4(vec4(v), kind).x;
}

fn backpropagated(dy: f32, y: f32, kind: u32) -> f32 {
    return backpropagated4(vec4(dy), vec4(y), kind).x;
}
