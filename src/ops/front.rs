//! Fused: the batch and the encoder's first convolution.

use super::conv::{Call, Contract, Epilogue};
use super::fetch::Fetch;
use super::fused::Fused;
use super::operation::Operation;
use super::rng::{Order, Shuffle};
use super::target::Target;
use super::wgsl::files;
use crate::plan::{Plan, Source, flag, groups};

pub(super) static SOURCE: Source = Source::new(
    "front",
    files!(
        "common/philox",
        "common/images",
        "common/activation",
        "front"
    ),
);

/// Image order, fetch and the encoder's first convolution.
#[derive(Clone, Debug)]
pub struct Forward {
    shuffle: Shuffle,
    fetch: Fetch,
    conv: Contract,
}

impl Forward {
    /// `None` if the convolution does not fit.
    pub fn of(shuffle: Shuffle, fetch: Fetch, conv: Contract) -> Option<Self> {
        /// Most values of an image that fit into workgroup memory.
        const MOST: usize = 3072;
        let spec = conv.spec;
        let fits = conv.call == Call::Correlate
            && matches!(conv.epilogue, Epilogue::Forward { .. })
            && !fetch.data.drawn
            && !fetch.data.flipped
            && fetch.data.is_whole()
            && spec.big.iter().product::<usize>() <= MOST
            && spec.small[2].is_multiple_of(4);
        fits.then_some(Forward {
            shuffle,
            fetch,
            conv,
        })
    }
}

impl Operation for Forward {
    fn lower(&self, plan: &mut Plan, target: &Target) {
        let Forward {
            shuffle,
            fetch,
            conv,
        } = self.clone();
        let Epilogue::Forward { bias, activation } = conv.epilogue else {
            unreachable!("`Forward::of` takes forward convolutions alone");
        };
        let mut constants = conv.spec.constants(plan.batch);
        constants.extend([
            ("COUNT", shuffle.count as f64),
            ("SHUFFLE", flag(shuffle.order == Order::Shuffled)),
            ("BITS", f64::from(fetch.data.depth.bits())),
            ("ACTIVATION", activation.number()),
        ]);
        let fused = Fused {
            label: format!("fetch, {}", conv.label),
            source: &SOURCE,
            entry: "forward",
            constants,
            bindings: vec![
                ("state", shuffle.state),
                ("images", fetch.images),
                ("indices", shuffle.indices),
                ("x", fetch.x),
                ("weights", conv.weights),
                ("bias", bias),
                ("y", conv.y),
            ],
            grid: [groups(plan.batch, 1), 1, 1],
        };
        fused.push(plan, target, &[&shuffle, &fetch, &conv]);
    }
}
