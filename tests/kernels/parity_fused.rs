//! Fused kernels: tests/common/suite/fused.rs.

crate::tests! { fused, checked too:
    the_way_through_the_latent_space_agrees_with_its_steps,
    the_last_layer_with_the_loss_agrees_with_its_steps,
    the_batch_with_the_first_layer_agrees_with_its_steps,
    updates_of_sums_agree_with_their_steps,
}
