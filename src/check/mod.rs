//! The self-test of an adapter: does it compute what it should?
//!
//! | module | what it is |
//! |---|---|
//! | [`case`](mod@case) | a recorded case: batch, noise, weights, and what must come of them |
//! | [`outcome`] | what an implementation computed, under the names of the case |
//! | [`run`] | a case on an adapter, or on the CPU twins |
//! | [`limits`], [`compare`] | how near the two must be, and how near they are |
//! | [`pair`](mod@pair), [`kernels`](mod@kernels) | plans on device and twins side by side; every kernel alone |
//! | [`builtin`] | the cases that come with the program |
//! | [`trace`](mod@trace) | the first step of a case that goes wrong |
//! | [`report`] | the verdict |
//!
//! Nothing here compares a device with itself: cases were recorded with TensorFlow, or come from
//! the twins, plain loops in double precision.

pub mod builtin;
pub mod case;
pub mod compare;
pub mod kernels;
pub mod limits;
pub mod outcome;
pub mod pair;
pub mod report;
pub mod run;
pub mod trace;

pub use case::{Case, CaseError};
pub use compare::{Limit, Row};
pub use kernels::kernels;
pub use limits::{Grade, judge};
pub use outcome::Outcome;
pub use report::{Report, Section};
pub use trace::{Trace, trace};

use crate::gpu::{Gpu, GpuError};
use crate::model::Loss;

/// Why a check could not be made. What an adapter computes wrong is no error but a row of the
/// [`Report`].
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// A case cannot be used.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// The adapter cannot run it.
    #[error(transparent)]
    Gpu(#[from] GpuError),
}

/// The cases that come with the program, one after the other; those made by the twins are made
/// when their turn comes.
pub fn cases() -> impl Iterator<Item = Result<Case, CaseError>> {
    let made = builtin::recipes().into_iter();
    std::iter::once_with(builtin::recorded).chain(made.map(|recipe| Ok(recipe.cook())))
}

/// Runs a case on an adapter and judges it; `strict` holds it to what a good implementation
/// meets, where that is fair. Gives what was computed, too.
///
/// # Errors
///
/// [`GpuError`] where the adapter cannot run it at all.
pub async fn check_case(
    gpu: &Gpu,
    case: &Case,
    strict: bool,
) -> Result<(Section, Outcome), GpuError> {
    let outcome = run::on_adapter(gpu, case).await?;
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

/// Everything that a check without options does: all kernels against their twins, then the cases
/// that come with the program. `progress` hears what comes next.
///
/// # Errors
///
/// [`CheckError`]; what is computed wrong is in the report.
pub async fn suite(
    gpu: &Gpu,
    strict: bool,
    progress: &mut dyn FnMut(&str),
) -> Result<Report, CheckError> {
    let mut report = Report {
        sections: kernels(gpu, progress).await?,
    };
    for case in cases() {
        let case = case?;
        progress(&case.name);
        report
            .sections
            .push(check_case(gpu, &case, strict).await?.0);
    }
    Ok(report)
}
