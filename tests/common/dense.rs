//! Dense layers for tests: a plan with every kernel of a layer, and its inputs.

use cvae_gpu::ops::dense::{self, Dense};
use cvae_gpu::ops::{Activation, Graph, Target};
use cvae_gpu::plan::{Plan, Role};

use super::pair::Pair;

/// Forward, input gradient and the gradients of weights and bias.
pub fn plan(
    target: &Target,
    batch: usize,
    spec: Dense,
    forward: Activation,
    backward: Activation,
) -> Plan {
    let mut p = Graph::new(batch);
    let mut data = |name: &str, shape: &[usize]| p.slot(name, shape, Role::Data);
    let x = data("x", &[batch, spec.inputs]);
    let weights = data("weights", &[spec.inputs, spec.outputs]);
    let bias = data("bias", &[spec.outputs]);
    let dy = data("dy", &[batch, spec.outputs]);
    let mut result = |name: &str, shape: &[usize]| p.slot(name, shape, Role::Activation);
    let y = result("y", &[batch, spec.outputs]);
    let dx = result("dx", &[batch, spec.inputs]);
    let weights_grad = result("weights_grad", &[spec.inputs, spec.outputs]);
    let bias_grad = result("bias_grad", &[spec.outputs]);
    p.push(dense::Forward {
        label: "forward".into(),
        spec,
        activation: forward,
        x,
        weights,
        bias,
        y,
    });
    p.push(dense::InputGrad {
        label: "input grad".into(),
        spec,
        activation: backward,
        dy,
        weights,
        x,
        dx,
    });
    p.push(dense::WeightGrad {
        layer: "dense".into(),
        spec,
        x,
        dy,
        weights_grad,
        bias_grad,
    });
    let mut target = target.clone();
    target.heuristics.dense_as_conv = false;
    p.lower(&target)
}

/// Numbers in (-1, 1); the layer's input is a ReLU output.
pub fn fill(pair: &mut Pair, plan: &Plan, seed: u64) {
    pair.set_random(plan, 1.0, seed);
    let len = plan[plan.find("x").expect("x")].len();
    let x = super::uniform(len, 1.0, 99).into_iter();
    pair.set(plan, "x", &x.map(|v| v.max(0.0)).collect::<Vec<_>>());
}
