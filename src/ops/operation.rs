//! The list of operations.

use super::{
    Target, adam, bce, conv, dense, elbo, fetch, front, head, importance, lanes, latent, peak,
    reduce, reparam, rng, state,
};
use crate::plan::Plan;

/// Something to compute, over slots.
pub trait Operation: Sized + Into<Op> {
    /// What it consists of on an adapter; most operations are one thing.
    fn expand(self, _: &mut Plan, _: &Target) -> Vec<Op> {
        vec![self.into()]
    }

    /// Appends its steps to the plan.
    fn lower(&self, plan: &mut Plan, target: &Target);
}

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident($type:ty),)*) => {
        /// An operation.
        #[derive(Clone, Debug)]
        pub enum Op {
            $($(#[$doc])* $name($type),)*
        }

        $(impl From<$type> for Op {
            fn from(op: $type) -> Op {
                Op::$name(op)
            }
        })*

        impl Operation for Op {
            fn expand(self, plan: &mut Plan, target: &Target) -> Vec<Op> {
                match self {
                    $(Op::$name(op) => op.expand(plan, target),)*
                }
            }

            fn lower(&self, plan: &mut Plan, target: &Target) {
                match self {
                    $(Op::$name(op) => op.lower(plan, target),)*
                }
            }
        }
    };
}

operations! {
    /// Which images stand in the batch.
    Shuffle(rng::Shuffle),
    /// Noise of the latent codes.
    Normals(rng::Normals),
    /// The batch, from packed images.
    Fetch(fetch::Fetch),
    /// A convolution or transposed convolution, forward or backward.
    Conv(conv::Contract),
    /// The gradients of its weights and bias.
    ConvWeightGrad(conv::WeightGrad),
    /// Partial sums of these gradients.
    ConvPartials(conv::Partials),
    /// A dense layer.
    Dense(dense::Forward),
    /// The gradient of its input.
    DenseInputGrad(dense::InputGrad),
    /// The gradients of its weights and bias.
    DenseWeightGrad(dense::WeightGrad),
    /// The reparameterization and the latent log-densities.
    Sample(reparam::Sampled),
    /// Its gradient.
    SampleGrad(reparam::Backward),
    /// log p(x|z).
    Loss(bce::Loss),
    /// log p(x|z) and the gradient of the loss.
    LossAndGrad(bce::LossAndGrad),
    /// Probabilities of logits.
    Decode(bce::Decode),
    /// Batch means of the terms, into the metrics ring.
    BatchMeans(elbo::BatchMeans),
    /// Terms of each image, into a table.
    Record(elbo::Record),
    /// A draw of the importance-weighted bound.
    Accumulate(importance::Accumulate),
    /// The importance-weighted bounds of a batch.
    RecordBounds(importance::Record),
    /// The sum of all rows.
    SumRows(reduce::SumRows),
    /// Sums of ranges of rows.
    ColumnSums(reduce::ColumnSums),
    /// The sum of all values.
    Total(reduce::Total),
    /// The step state, moved on.
    Advance(state::Advance),
    /// The optimizer's update.
    Adam(adam::Update),
    /// Fused: the batch and the first convolution.
    Front(front::Forward),
    /// Fused: the way through the latent space.
    Latent(latent::Forward),
    /// Fused: the way back through the latent space.
    LatentGrad(latent::Backward),
    /// Fused: the last layer, the loss's gradient, and the way back through the layer.
    Head(head::ForwardAndBack),
    /// Fused: two sums and the optimizer's update.
    AdamOfSums(adam::UpdateOfSums),
    /// The adapter's peak in arithmetic.
    MultiplyAdd(peak::MultiplyAdd),
    /// The adapter's peak in memory traffic.
    Copy(peak::Copy),
    /// Which lanes invocations have.
    Locate(lanes::Locate),
}
