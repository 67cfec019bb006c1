//! Recorded cases of TensorFlow, on the twins and on the adapter: tests/common/suite/golden.rs.

use crate::common::suite::golden::check;
use cvae_gpu::check::run::on_twins;

crate::tests! { golden, checked too:
    p1_holds_on_the_adapter,
    p2_holds_on_the_adapter,
    p3_holds_on_the_adapter,
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
