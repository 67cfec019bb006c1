//! Fused: the way through the latent space, forward and back.

use super::fused;
use crate::plan::{Plan, Step, groups};

/// Latent dimensions that an image's workgroup has room for.
pub const MOST: usize = 8;

/// The encoder's dense layer, the sampling and the decoder's dense layer in one step; none where
/// the layers do not fit.
pub fn forward(plan: &Plan, encoder: &Step, sample: &Step, decoder: &Step) -> Option<Step> {
    let constants = constants(encoder, sample, decoder)?;
    let bindings = vec![
        ("x", encoder.bound("x")?),
        ("enc_weights", encoder.bound("weights")?),
        ("enc_bias", encoder.bound("bias")?),
        ("q_out", encoder.bound("y")?),
        ("eps", sample.bound("eps")?),
        ("z_out", sample.bound("z_out")?),
        ("logpz", sample.bound("logpz")?),
        ("logqz_x", sample.bound("logqz_x")?),
        ("kl", sample.bound("kl")?),
        ("dec_weights", decoder.bound("weights")?),
        ("dec_bias", decoder.bound("bias")?),
        ("y", decoder.bound("y")?),
    ];
    let grid = [groups(plan.batch, 1), 1, 1];
    let steps = [encoder, sample, decoder];
    Some(fused(
        plan,
        "latent forward".into(),
        ("latent", "forward"),
        constants,
        bindings,
        grid,
        &steps,
    ))
}

/// The gradients of the decoder's dense layer, of the sampling and of the encoder's dense layer on
/// their inputs in one step; none where the layers do not fit.
pub fn backward(plan: &Plan, decoder: &Step, sampling: &Step, encoder: &Step) -> Option<Step> {
    let constants = constants(encoder, sampling, decoder)?;
    let bindings = vec![
        ("dy", decoder.bound("dy")?),
        ("dec_weights", decoder.bound("weights")?),
        ("dz", decoder.bound("dx")?),
        ("q", sampling.bound("q")?),
        ("eps", sampling.bound("eps")?),
        ("z", sampling.bound("z")?),
        ("dq", sampling.bound("dq")?),
        ("enc_weights", encoder.bound("weights")?),
        ("x", encoder.bound("x")?),
        ("dx", encoder.bound("dx")?),
    ];
    let grid = [groups(plan.batch, 1), 1, 1];
    let steps = [decoder, sampling, encoder];
    Some(fused(
        plan,
        "latent backward".into(),
        ("latent", "backward"),
        constants,
        bindings,
        grid,
        &steps,
    ))
}

type Constants = Vec<(&'static str, f64)>;

fn constants(encoder: &Step, sampling: &Step, decoder: &Step) -> Option<Constants> {
    let latent = sampling.kernel.constant("LATENT")?;
    let plain = encoder.kernel.constant("RELU") == Some(0.0)
        && decoder.kernel.constant("GATED") == Some(0.0);
    let mut constants = sampling.kernel.constants.clone();
    constants.extend([
        ("IN", encoder.kernel.constant("IN")?),
        ("OUT", decoder.kernel.constant("OUT")?),
        ("RELU", decoder.kernel.constant("RELU")?),
        ("GATED", encoder.kernel.constant("GATED")?),
    ]);
    (plain && latent <= MOST as f64).then_some(constants)
}
