//! The shader modules of all operations.

use super::{
    adam, bce, clip, conv, dense, elbo, fetch, front, full, gaussian, head, importance, input,
    lanes, latent, peak, reduce, reparam, rng, state,
};
use crate::plan::Source;

/// Every module, sorted by name.
pub fn sources() -> Vec<&'static Source> {
    let one = [
        &adam::SOURCE,
        &bce::SOURCE,
        &clip::SOURCE,
        &dense::SOURCE,
        &elbo::SOURCE,
        &fetch::SOURCE,
        &front::SOURCE,
        &full::SOURCE,
        &gaussian::SOURCE,
        &head::SOURCE,
        &importance::SOURCE,
        &input::SOURCE,
        &lanes::SOURCE,
        &latent::SOURCE,
        &peak::SOURCE,
        &reduce::SOURCE,
        &reparam::SOURCE,
        &rng::SOURCE,
        &state::SOURCE,
    ];
    let variants = conv::Variant::ALL.into_iter();
    let variants = variants.flat_map(|variant| variant.kernels().sources());
    let mut all: Vec<&Source> = variants.chain(one).collect();
    all.sort_by_key(|source| source.name);
    all
}

/// The module `name`.
pub fn source(name: &str) -> Option<&'static Source> {
    sources().into_iter().find(|s| s.name == name)
}
