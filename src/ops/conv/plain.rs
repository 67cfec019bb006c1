//! The reference for every geometry: one output per invocation, scalar loads.

use super::kernels::{Call, Kernels, Site};
use super::spec::Conv;
use crate::ops::target::Target;
use crate::ops::wgsl::files;
use crate::plan::{Source, groups};

/// The `plain` kernels.
pub struct Plain;

static SOURCES: [Source; 1] = [Source::new("conv", files!("common/activation", "conv"))];

impl Kernels for Plain {
    fn sources(&self) -> &'static [Source] {
        &SOURCES
    }

    fn fits(&self, _: &Target, _: &Conv) -> bool {
        true
    }

    fn source(&self, _: &Site, _: Call, _: bool) -> &'static Source {
        &SOURCES[0]
    }

    fn reads_quads(&self) -> bool {
        false
    }

    fn reads_texels(&self) -> bool {
        false
    }

    fn grid(&self, &Site { spec, batch, .. }: &Site, call: Call) -> [u32; 3] {
        const ROW: u32 = 32_768;
        let outputs = match call {
            Call::Correlate => batch * spec.small.iter().product::<usize>(),
            Call::Adjoint => batch * spec.big.iter().product::<usize>(),
            Call::WeightGrad(splits) => return [groups(spec.weights(), 64), groups(splits, 1), 1],
        };
        let all = groups(outputs, 64);
        [all.min(ROW), all.div_ceil(ROW), 1]
    }
}
