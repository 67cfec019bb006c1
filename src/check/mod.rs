//! The self-test of an adapter. No device is compared with itself: references come from TensorFlow or
//! from the twins, plain loops in double precision.

pub mod builtin;
pub mod case;
pub mod compare;
pub mod kernels;
pub mod limits;
pub mod outcome;
pub mod pair;
pub mod run;
pub mod trace;

pub use case::{Case, CaseError};
pub use compare::{Limit, Row, Section};
pub use kernels::kernels;
pub use limits::{Grade, judge};
pub use outcome::Outcome;
pub use trace::{Trace, trace};

use crate::gpu::{Gpu, GpuError};
use crate::model::Loss;

/// The built-in cases: the recorded one, and those of the twins, which are computed lazily.
#[cfg(feature = "cli")]
pub fn cases() -> impl Iterator<Item = Case> {
    std::iter::once_with(builtin::recorded).chain(made())
}

/// The cases of the twins, computed lazily.
pub fn made() -> impl Iterator<Item = Case> {
    builtin::recipes().into_iter().map(|recipe| recipe.cook())
}

/// Runs a case on an adapter and compares the results, which are returned too. `strict` applies the
/// *good* limits if they are fair for the case.
pub async fn check_case(
    gpu: &Gpu,
    case: &Case,
    strict: bool,
) -> Result<(Section, Outcome), GpuError> {
    let plan = run::plan(case, gpu.target());
    let outcome = run::on_adapter(gpu, &plan, case).await?;
    let grade = Grade::of(case, strict);
    let [h, w, c] = case.model.image;
    let section = Section {
        name: case.name.clone(),
        about: format!(
            "batch {}, {} steps, images {h}×{w}×{c}, latent {}, {} KL",
            case.batch,
            case.eps.len(),
            case.model.latent_dim,
            match case.model.loss {
                Loss::Mc => "Monte Carlo",
                Loss::AnalyticKl => "analytic",
            }
        ),
        judged_by: grade.name(),
        rows: judge(case, &outcome, grade),
        not_compared: case.unknown.clone(),
    };
    Ok((section, outcome))
}
