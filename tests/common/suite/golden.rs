//! Recorded cases of TensorFlow (tests/golden), replayed by the CPU twins and by the kernels of
//! training on the adapter, compared tensor by tensor.

use crate::common;
use crate::common::case::{Case, Outcome};
use cvae_gpu::gpu::{Gpu, Memory, Replay};
use cvae_gpu::model::{self, Feed};
use cvae_gpu::ops::adam::Adam;
use cvae_gpu::plan::{Caps, Plan, cpu};

fn plan(case: &Case, caps: &Caps) -> Plan {
    model::train_step(
        &case.model,
        Feed::Injected,
        Adam::default(),
        case.batch,
        caps,
    )
}

pub fn on_cpu(case: &Case) -> Outcome {
    let plan = plan(case, &Caps::portable());
    let mut memory = cpu::Memory::default();
    memory.fit(&plan);
    for (name, values) in &case.params {
        memory.set_floats(&plan, name, values);
    }
    memory.set_floats(&plan, "x", &case.x);
    let mut outcome = Outcome::default();
    for (k, eps) in case.eps.iter().enumerate() {
        memory.set_floats(&plan, "eps", eps);
        memory.run(&plan);
        let read = |name: &str| memory.floats(&plan, name);
        outcome.collect(&plan, k, k + 1 == case.eps.len(), read);
    }
    outcome
}

/// What a device computes with the kernels of `caps`, after `edit` of the plan.
pub fn on_gpu(gpu: &Gpu, caps: &Caps, edit: impl Fn(&mut Plan), case: &Case) -> Outcome {
    let mut plan = plan(case, caps);
    edit(&mut plan);
    let memory = Memory::allocate(gpu, &[&plan]).expect("memory");
    let replay = Replay::compile(gpu, &plan, &memory).expect("replay");
    for (name, values) in &case.params {
        memory.write(gpu, &plan, name, values).expect(name);
    }
    memory.write(gpu, &plan, "x", &case.x).expect("x");
    let mut outcome = Outcome::default();
    for (k, eps) in case.eps.iter().enumerate() {
        memory.write(gpu, &plan, "eps", eps).expect("eps");
        gpu.submit(&[(&replay, 1)], None).expect("submit");
        let read = |name: &str| {
            let floats = pollster::block_on(memory.read(gpu, &plan, name)).expect(name);
            floats.into_iter().map(f64::from).collect()
        };
        outcome.collect(&plan, k, k + 1 == case.eps.len(), read);
    }
    outcome
}

pub fn check(name: &str, run: impl Fn(&Case) -> Outcome) {
    let case = Case::read(name);
    let rows = case.compare(&run(&case));
    println!("{name}: {} tensors; the nearest to its limit:", rows.len());
    let worst = |a: &&common::case::Row, b: &&common::case::Row| a.share().total_cmp(&b.share());
    println!("  {}", rows.iter().max_by(worst).expect("rows"));
    let bad: Vec<_> = rows
        .iter()
        .filter(|r| r.share() > 1.0)
        .map(ToString::to_string)
        .collect();
    assert!(
        bad.is_empty(),
        "{name} is off on {}:\n{}",
        common::adapter_name(),
        bad.join("\n")
    );
    assert!(
        rows.len() > 60,
        "{name} compared only {} tensors",
        rows.len()
    );
}

pub fn p1_holds_on_the_adapter(gpu: &Gpu) {
    check("p1", |case| on_gpu(gpu, gpu.caps(), |_| (), case));
}

pub fn p2_holds_on_the_adapter(gpu: &Gpu) {
    check("p2", |case| on_gpu(gpu, gpu.caps(), |_| (), case));
}

pub fn p3_holds_on_the_adapter(gpu: &Gpu) {
    check("p3", |case| on_gpu(gpu, gpu.caps(), |_| (), case));
}
