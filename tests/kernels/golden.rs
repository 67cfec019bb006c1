//! Cases recorded with TensorFlow, on the twins and on the adapter: tests/common/suite/golden.rs.

use crate::common::suite::golden::check;
use cvae_gpu::check::run::on_twins;

crate::tests! { golden:
    p1_holds_on_the_adapter,
    p1_holds_as_gpus_run_it,
    p2_holds_on_the_adapter,
    p3_holds_on_the_adapter,
    m1_holds_on_the_adapter,
    m2_holds_on_the_adapter,
    m3_holds_on_the_adapter,
    m4_holds_on_the_adapter,
    m5_holds_on_the_adapter,
    m6_holds_on_the_adapter,
}

// One case suffices with wgpu's checks: parity.rs and properties.rs test the checked kernels.
#[test]
fn p3_holds_on_the_adapter_in_checked_shaders() {
    crate::common::suite::golden::p3_holds_on_the_adapter(crate::common::checked_gpu());
}

#[test]
fn p1_holds_on_the_twins() {
    check("p1", on_twins);
}

#[test]
fn p2_holds_on_the_twins() {
    check("p2", on_twins);
}

#[test]
fn p3_holds_on_the_twins() {
    check("p3", on_twins);
}

#[test]
fn described_models_hold_on_the_twins() {
    for name in ["m1", "m2", "m3", "m4", "m5", "m6"] {
        check(name, on_twins);
    }
}
