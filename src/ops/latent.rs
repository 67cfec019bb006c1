//! Fused: forward and backward pass through the latent space.

use super::activation::{Activation, constants as activations};
use super::dense::{self, Dense};
use super::fused::Fused;
use super::objective::KlTerm;
use super::operation::Operation;
use super::posterior::{Backward as SamplingGrad, Posterior, Sampled};
use super::reparam;
use super::target::Target;
use super::wgsl::files;
use crate::plan::{Constants, Plan, Source, groups};

pub(super) static SOURCE: Source = Source::new(
    "latent",
    files!(
        "common/reparam",
        "common/activation",
        "common/sum",
        "latent"
    ),
);

/// Most latent dimensions that fit into workgroup memory.
pub const MOST: usize = 8;

/// The encoder's dense layer, the sampling and the decoder's dense layer.
#[derive(Clone, Debug)]
pub struct Forward {
    encoder: dense::Forward,
    sample: Sampled,
    decoder: dense::Forward,
}

/// The input gradients of the decoder's dense layer, of the sampling and of the encoder's dense layer.
#[derive(Clone, Debug)]
pub struct Backward {
    decoder: dense::InputGrad,
    sampling: SamplingGrad,
    encoder: dense::InputGrad,
}

fn constants(
    batch: usize,
    term: KlTerm,
    encoder: Dense,
    decoder: Dense,
    activations: [(&'static str, f64); 2],
) -> Constants {
    let mut constants = reparam::constants(batch, decoder.inputs, term).to_vec();
    constants.extend([
        ("IN", encoder.inputs as f64),
        ("OUT", decoder.outputs as f64),
    ]);
    constants.extend(activations);
    constants
}

impl Forward {
    /// `None` if the layers do not fit.
    pub fn of(encoder: dense::Forward, sample: Sampled, decoder: dense::Forward) -> Option<Self> {
        let fits = encoder.activation == Activation::None
            && sample.posterior == Posterior::Diagonal
            && decoder.spec.inputs <= MOST;
        fits.then_some(Forward {
            encoder,
            sample,
            decoder,
        })
    }
}

impl Operation for Forward {
    fn lower(&self, plan: &mut Plan, target: &Target) {
        let Forward {
            encoder,
            sample,
            decoder,
        } = self.clone();
        let fused = Fused {
            label: "latent forward".into(),
            source: &SOURCE,
            entry: "forward",
            constants: constants(
                plan.batch,
                KlTerm::PLAIN,
                encoder.spec,
                decoder.spec,
                activations(Some(decoder.activation), None),
            ),
            bindings: vec![
                ("x", encoder.x),
                ("enc_weights", encoder.weights),
                ("enc_bias", encoder.bias),
                ("q_out", encoder.y),
                ("eps", sample.eps),
                ("z_out", sample.z),
                ("logpz", sample.logpz),
                ("logqz_x", sample.logqz_x),
                ("kl", sample.kl),
                ("dec_weights", decoder.weights),
                ("dec_bias", decoder.bias),
                ("y", decoder.y),
            ],
            grid: [groups(plan.batch, 1), 1, 1],
        };
        fused.push(plan, target, &[&encoder, &sample, &decoder]);
    }
}

impl Backward {
    /// `None` if the layers do not fit.
    pub fn of(
        decoder: dense::InputGrad,
        sampling: SamplingGrad,
        encoder: dense::InputGrad,
    ) -> Option<Self> {
        let fits = decoder.activation == Activation::None
            && sampling.drawn.posterior == Posterior::Diagonal
            && sampling.weights.is_none()
            && decoder.spec.inputs <= MOST;
        fits.then_some(Backward {
            decoder,
            sampling,
            encoder,
        })
    }
}

impl Operation for Backward {
    fn lower(&self, plan: &mut Plan, target: &Target) {
        let Backward {
            decoder,
            sampling,
            encoder,
        } = self.clone();
        let fused = Fused {
            label: "latent backward".into(),
            source: &SOURCE,
            entry: "backward",
            constants: constants(
                plan.batch,
                sampling.term,
                encoder.spec,
                decoder.spec,
                activations(None, Some(encoder.activation)),
            ),
            bindings: vec![
                ("dy", decoder.dy),
                ("dec_weights", decoder.weights),
                ("dz", decoder.dx),
                ("q", sampling.drawn.q),
                ("eps", sampling.drawn.eps),
                ("z", sampling.drawn.z),
                ("dq", sampling.dq),
                ("enc_weights", encoder.weights),
                ("x", encoder.x),
                ("dx", encoder.dx),
            ],
            grid: [groups(plan.batch, 1), 1, 1],
        };
        fused.push(plan, target, &[&decoder, &sampling, &encoder]);
    }
}
