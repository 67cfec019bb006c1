//! Runs a case step by step against the CPU twins, to name the first step that goes wrong.

use super::case::Case;
use super::compare::{Limit, Row};
use super::kernels;
use super::pair::{Pair, Submit, Walk};
use super::run;
use crate::gpu::{Gpu, GpuError};
use crate::plan::Step;

/// What a trace came to.
#[derive(Clone, Debug)]
pub struct Trace {
    /// Kernel calls that were compared.
    pub compared: usize,
    /// The first tensor that is off, and the optimizer step, from 1, in which it is.
    pub first: Option<(usize, Row)>,
}

/// How far a kernel may be from its twin in a trace, where weights and images are a file's and may
/// be of any size: five times what they are held to on ordinary ones.
fn limit(step: &Step, slot: &str) -> Limit {
    match kernels::limit(step, slot) {
        Limit::OfLargest(share) => Limit::OfLargest(5.0 * share),
        Limit::Each { relative, absolute } => Limit::Each {
            relative: 5.0 * relative,
            absolute: 5.0 * absolute,
        },
        limit => limit,
    }
}

/// Dispatches every step of a case's plan alone, and compares what it wrote with its twin, which
/// gets the same inputs; ends at the first tensor beyond its limit.
pub async fn trace(gpu: &Gpu, case: &Case) -> Result<Trace, GpuError> {
    let plan = run::plan(case, gpu.target());
    let mut pair = Pair::new(gpu, &[&plan]).await?;
    for (name, values) in &case.params {
        pair.set(&plan, name, values)?;
    }
    pair.set(&plan, "x", &case.x)?;
    let mut trace = Trace {
        compared: 0,
        first: None,
    };
    for (k, eps) in case.eps.iter().enumerate() {
        pair.set(&plan, "eps", eps)?;
        let listen = |row: Row| {
            trace.compared += 1;
            if row.ok() {
                return Walk::On;
            }
            trace.first = Some((k + 1, row));
            Walk::End
        };
        pair.walk(&plan, Submit::Singly, limit, listen).await?;
        if trace.first.is_some() {
            break;
        }
    }
    Ok(trace)
}
