//! Fused: the decoder's last layer, the gradient of the loss, and the layer's input gradient.

use super::activation::Activation;
use super::bce::LossAndGrad;
use super::conv::{Call, Contract, Epilogue};
use super::fused::Fused;
use super::operation::Operation;
use super::target::Target;
use super::wgsl::files;
use crate::plan::{Plan, Source, groups};

pub(super) static SOURCE: Source = Source::new("head", files!("common/activation", "head"));

/// The transposed convolution, the gradient of the loss with respect to its output, and its input
/// gradient. The loss itself is a separate step.
#[derive(Clone, Debug)]
pub struct ForwardAndBack {
    layer: Contract,
    loss: LossAndGrad,
    gradient: Contract,
    /// Rows per band.
    band: usize,
    /// Invocations that share a value.
    team: usize,
}

impl ForwardAndBack {
    /// `None` if the layer does not fit.
    pub fn of(layer: Contract, loss: LossAndGrad, gradient: Contract) -> Option<Self> {
        /// Most values of a band with its halo rows, times the team size, in workgroup memory.
        const MOST: usize = 2048;
        /// Rows per band if they fit; an image of 28 rows has four bands.
        const BAND: usize = 7;
        let spec = layer.spec;
        let [_, width, channels] = spec.big;
        let rows = |team: usize| (MOST / (width * channels * team)).saturating_sub(spec.kernel - 1);
        let teams = [8, 4, 2, 1].into_iter();
        let mut teams = teams.filter(|&t| t <= spec.small[2] / 4 && rows(t) > 0);
        let team = teams.next()?;
        let linear = matches!(
            layer.epilogue,
            Epilogue::Forward {
                activation: Activation::None,
                ..
            }
        );
        let back = matches!(gradient.epilogue, Epilogue::Backward { .. });
        let plain = !loss.loss.continuous && loss.scale == 1.0;
        let fits = linear
            && plain
            && back
            && (layer.call, gradient.call) == (Call::Adjoint, Call::Correlate)
            && spec.stride == 1
            && spec.small[..2] == spec.big[..2]
            && spec.small[2].is_multiple_of(4);
        fits.then_some(ForwardAndBack {
            layer,
            loss,
            gradient,
            band: rows(team).min(BAND),
            team,
        })
    }
}

impl Operation for ForwardAndBack {
    fn lower(&self, plan: &mut Plan, target: &Target) {
        let ForwardAndBack {
            layer,
            loss,
            gradient,
            band,
            team,
        } = self.clone();
        let (Epilogue::Forward { bias, .. }, Epilogue::Backward { activation, .. }) =
            (layer.epilogue, gradient.epilogue)
        else {
            unreachable!("`ForwardAndBack::of` takes a layer and its gradient alone");
        };
        let spec = layer.spec;
        let [height, width, channels] = spec.big;
        let sizes = [
            ("HEIGHT", height),
            ("WIDTH", width),
            ("BAND", band),
            ("TEAM", team),
            ("BATCH", plan.batch),
            ("KERNEL", spec.kernel),
            ("PAD_Y", spec.pad[0]),
            ("PAD_X", spec.pad[1]),
            ("BIG_C", channels),
            ("SMALL_C", spec.small[2]),
        ];
        let mut constants = sizes.map(|(name, size)| (name, size as f64)).to_vec();
        constants.push(("GATE", activation.number()));
        let fused = Fused {
            label: format!("{}, bce gradient, {}", layer.label, gradient.label),
            source: &SOURCE,
            entry: "forward_and_back",
            constants,
            bindings: vec![
                ("h", layer.x),
                ("weights", layer.weights),
                ("bias", bias),
                ("x", loss.loss.x),
                ("logits", layer.y),
                ("dlogits", loss.dlogits),
                ("dh", gradient.y),
            ],
            grid: [groups(height, band), groups(plan.batch, 1), 1],
        };
        fused.push(plan, target, &[&layer, &loss, &gradient]);
    }
}
