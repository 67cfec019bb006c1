//! Runs a case on an adapter, with the plan and the kernels of training, or on the CPU twins. Neither
//! uses the expectations of the case.

use super::case::Case;
use super::outcome::Outcome;
use crate::gpu::{Gpu, GpuError, Memory, Replay};
use crate::model::{self, Feed};
use crate::ops::Target;
use crate::plan::{Plan, cpu};

/// The train step of a case: that of training without the steps that fetch and draw.
pub fn plan(case: &Case, target: &Target) -> Plan {
    model::train_step(&case.model, Feed::Injected, case.adam, case.batch, target)
}

/// The results of an adapter with this plan, such as [`plan`], and one submission per step.
pub async fn on_adapter(gpu: &Gpu, plan: &Plan, case: &Case) -> Result<Outcome, GpuError> {
    let _ahead = gpu.compile_ahead(&[plan]);
    let memory = Memory::allocate(gpu, &[plan]).await?;
    let replay = Replay::compile(gpu, plan, &memory).await?;
    for (name, values) in &case.params {
        memory.write(gpu, plan, name, values)?;
    }
    memory.write(gpu, plan, "x", &case.x)?;
    if !case.labels.is_empty() {
        memory.write_words(gpu, plan, "labels", &case.labels)?;
    }
    let mut outcome = Outcome::new(&case.model, case.batch, case.eps.len());
    for (k, eps) in case.eps.iter().enumerate() {
        memory.write(gpu, plan, "eps", eps)?;
        gpu.submit(&[(&replay, 1)], None)?.words(gpu).await?;
        for (tensor, slot) in outcome.due(k) {
            let values = memory.read(gpu, plan, &slot).await?;
            let values: Vec<f64> = values.into_iter().map(f64::from).collect();
            outcome.keep(&tensor, k, &values);
        }
    }
    Ok(outcome)
}

/// The results of the CPU twins, in double precision.
pub fn on_twins(case: &Case) -> Outcome {
    let plan = plan(case, &Target::portable());
    let mut memory = cpu::Memory::default();
    memory.fit(&plan);
    for (name, values) in &case.params {
        memory.set_floats(&plan, name, values);
    }
    memory.set_floats(&plan, "x", &case.x);
    if !case.labels.is_empty() {
        memory.set_words(&plan, "labels", &case.labels);
    }
    let mut outcome = Outcome::new(&case.model, case.batch, case.eps.len());
    for (k, eps) in case.eps.iter().enumerate() {
        memory.set_floats(&plan, "eps", eps);
        memory.run(&plan);
        for (tensor, slot) in outcome.due(k) {
            outcome.keep(&tensor, k, &memory.floats(&plan, &slot));
        }
    }
    outcome
}
