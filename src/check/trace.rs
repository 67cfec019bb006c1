//! Runs a case step by step against the CPU twins, to find the first wrong step.

use super::case::Case;
use super::compare::{Limit, Row};
use super::kernels;
use super::pair::{Pair, Submit};
use super::run;
use crate::gpu::{Gpu, GpuError};
use crate::plan::Step;

/// The result of a trace.
#[derive(Clone, Debug)]
pub struct Trace {
    /// Number of tensors compared.
    pub compared: usize,
    /// The first tensor beyond its limit, with its optimizer step, from 1.
    pub first: Option<(usize, Row)>,
}

/// The limit of a kernel in a trace: five times that of ordinary inputs, since the weights and images
/// of a file may have any size.
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

/// Dispatches each step of a case's plan alone and compares its outputs with those of its twin on the
/// same inputs. Ends at the first tensor beyond its limit.
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
        let rows = pair.walk(&plan, Submit::Singly, limit).await?;
        trace.compared += rows.len();
        let off = rows.into_iter().find(|row| !row.ok());
        trace.first = off.map(|row| (k + 1, row));
        if trace.first.is_some() {
            break;
        }
    }
    Ok(trace)
}
