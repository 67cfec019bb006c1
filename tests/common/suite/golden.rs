//! Cases recorded with TensorFlow (assets/golden), replayed by the CPU twins and by the kernels of
//! training on the adapter, compared tensor by tensor with the strict limits.

use std::path::Path;

use crate::common::report::Report;
use crate::common::suite::step::as_gpus;
use cvae_gpu::check::{Case, Grade, Outcome, judge, run};
use cvae_gpu::gpu::Gpu;
use cvae_gpu::ops::Target;
use cvae_gpu::plan::Plan;

/// Runs a case and compares it. In p2 a pre-activation is so close to 0 that it may round to the other
/// side; the other cases must meet the limits of a good implementation.
pub fn check(name: &str, run: impl Fn(&Case) -> Outcome) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/golden");
    let path = Path::new(folder).join(name).with_extension("safetensors");
    let case = Case::read(&path).expect(name);
    let grade = if name == "p2" {
        Grade::Must
    } else {
        Grade::Good
    };
    assert_eq!(Grade::of(&case, true), grade);
    assert_eq!(Grade::of(&case, false), Grade::Must);
    assert!(case.unknown.is_empty(), "{:?}", case.unknown);
    let mut report = Report::default();
    for row in judge(&case, &run(&case), grade) {
        report.add(name, row);
    }
    // A model of dense layers has fewer tensors.
    report.finish(if name == "m2" { 41 } else { 65 });
}

/// The results of a device with the kernels of `target`, after `edit` of the plan.
pub fn on_adapter(gpu: &Gpu, target: &Target, edit: impl Fn(&mut Plan), case: &Case) -> Outcome {
    let mut plan = run::plan(case, target);
    edit(&mut plan);
    pollster::block_on(run::on_adapter(gpu, &plan, case)).expect("a run")
}

pub fn p1_holds_on_the_adapter(gpu: &Gpu) {
    check("p1", |case| on_adapter(gpu, gpu.target(), |_| (), case));
}

// Fused, bundled and with workgroup tiles, which a software adapter does not choose.
pub fn p1_holds_as_gpus_run_it(gpu: &Gpu) {
    check("p1", |case| on_adapter(gpu, &as_gpus(gpu), |_| (), case));
}

pub fn p2_holds_on_the_adapter(gpu: &Gpu) {
    check("p2", |case| on_adapter(gpu, gpu.target(), |_| (), case));
}

pub fn p3_holds_on_the_adapter(gpu: &Gpu) {
    check("p3", |case| on_adapter(gpu, gpu.target(), |_| (), case));
}

pub fn m1_holds_on_the_adapter(gpu: &Gpu) {
    check("m1", |case| on_adapter(gpu, gpu.target(), |_| (), case));
}

pub fn m2_holds_on_the_adapter(gpu: &Gpu) {
    check("m2", |case| on_adapter(gpu, gpu.target(), |_| (), case));
}

pub fn m3_holds_on_the_adapter(gpu: &Gpu) {
    check("m3", |case| on_adapter(gpu, gpu.target(), |_| (), case));
}

pub fn m4_holds_on_the_adapter(gpu: &Gpu) {
    check("m4", |case| on_adapter(gpu, gpu.target(), |_| (), case));
}

pub fn m5_holds_on_the_adapter(gpu: &Gpu) {
    check("m5", |case| on_adapter(gpu, gpu.target(), |_| (), case));
}

pub fn m6_holds_on_the_adapter(gpu: &Gpu) {
    check("m6", |case| on_adapter(gpu, gpu.target(), |_| (), case));
}
