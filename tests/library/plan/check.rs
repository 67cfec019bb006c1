//! What the check of a plan refuses.

use cvae_gpu::ops::dense::{Dense, Forward, WeightGrad};
use cvae_gpu::ops::{Activation, Graph, Target};
use cvae_gpu::plan::{Caps, Slots};
use cvae_gpu::plan::{Plan, Role, Scalar};

fn message(plan: &Plan) -> String {
    plan.check().expect_err("a faulty plan").to_string()
}

// Memory is found by name.
#[test]
fn two_slots_of_one_name_are_refused() {
    let mut plan = Plan::new(2, Caps::portable(), Slots::default());
    plan.slot("x", &[2, 8], Role::Activation);
    assert!(plan.check().is_ok());
    plan.slot("x", &[2, 4], Role::Data);
    assert_eq!(message(&plan), "two slots are called `x`");
}

/// The error for the gradients of a dense layer, optionally with its forward pass.
fn layer(inputs: usize, outputs: usize, batch: usize, forward: bool) -> String {
    let mut g = Graph::new(batch);
    let spec = Dense { inputs, outputs };
    let x = g.slot("x", &[batch, inputs], Role::Data);
    let of = WeightGrad {
        layer: "dense".into(),
        spec,
        x,
        dy: g.slot("dy", &[batch, outputs], Role::Data),
        weights_grad: g.slot("weights", &[inputs, outputs], Role::Grad),
        bias_grad: g.slot("bias", &[outputs], Role::Grad),
    };
    g.push(of);
    if forward {
        let of = Forward {
            label: "forward".into(),
            spec,
            activation: Activation::None,
            x,
            weights: g.slot("w", &[inputs, outputs], Role::Param),
            bias: g.slot("b", &[outputs], Role::Param),
            y: g.slot("y", &[batch, outputs], Role::Activation),
        };
        g.push(of);
    }
    let caps = Caps {
        max_binding_bytes: 1 << 40,
        ..Caps::portable()
    };
    message(&g.lower(&Target::new(caps)))
}

#[test]
fn a_smaller_batch_is_advised_only_where_it_helps() {
    let many_weights = layer(65_536, 128, 32, false);
    assert!(many_weights.contains("65535"), "{many_weights}");
    assert!(!many_weights.contains("batch"), "{many_weights}");
    assert!(many_weights.contains("fewer filters"), "{many_weights}");

    // One row of the grid per image.
    let many_images = layer(4, 4, 65_536, true);
    assert!(many_images.contains("smaller batch"), "{many_images}");
    // One workgroup per feature, since long sums take a workgroup each.
    let many_features = layer(128, 65_536, 4, true);
    assert!(!many_features.contains("batch"), "{many_features}");
}

#[test]
fn a_slot_that_is_too_large_names_what_has_to_be_smaller() {
    let over = |role, scalar: Scalar, rows: usize| {
        let mut g = Graph::new(32);
        match scalar {
            Scalar::F32 => g.slot("large", &[rows, 4 << 20], role),
            Scalar::U32 => g.words("large", &[rows, 4 << 20], role),
        };
        message(&g.lower(&Target::portable()))
    };
    let activation = over(Role::Activation, Scalar::F32, 32);
    assert!(
        activation.contains("use a smaller batch (up to 8 fits)"),
        "{activation}"
    );
    // A packed set may have as many images as the batch.
    for images in [32, 60_000] {
        let set = over(Role::Data, Scalar::U32, images);
        assert!(!set.contains("batch") && set.contains("images"), "{set}");
    }
    let weights = over(Role::Param, Scalar::F32, 100);
    assert!(
        !weights.contains("batch") && weights.contains("filters"),
        "{weights}"
    );
}
