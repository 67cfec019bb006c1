//! Runs a case step by step against the CPU twins, to find the first wrong step.

use serde::Serialize;

use super::case::Case;
use super::compare::Row;
use super::kernels;
use super::pair::{Pair, Submit};
use super::run;
use crate::gpu::{Gpu, GpuError};
use crate::plan::Step;

/// The result of a trace.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Trace {
    /// Name of the case.
    pub case: String,
    /// Number of tensors compared.
    pub compared: usize,
    /// Optimizer step of the first tensor beyond its limit, from 1.
    pub train_step: Option<usize>,
    /// The first tensor beyond its limit.
    #[serde(flatten)]
    pub first: Option<Row>,
}

/// Slack of the limits, since the weights and images of a file may have any size.
const SLACK: f64 = 5.0;

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
        case: case.name.clone(),
        compared: 0,
        train_step: None,
        first: None,
    };
    let limit = |step: &Step, slot: &str| kernels::limit(step, slot, SLACK);
    for (k, eps) in case.eps.iter().enumerate() {
        pair.set(&plan, "eps", eps)?;
        let rows = pair.walk(&plan, Submit::Singly, limit).await?;
        trace.compared += rows.len();
        trace.first = rows.into_iter().find(|row| !row.ok());
        if trace.first.is_some() {
            trace.train_step = Some(k + 1);
            break;
        }
    }
    Ok(trace)
}
