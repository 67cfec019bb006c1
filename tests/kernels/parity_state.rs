//! Kernels that use the step state against their twins: tests/common/suite/state.rs.

crate::tests! { state, checked too:
    updates_of_adam_agree_with_their_twin_from_the_first_step_to_the_millionth,
    updates_of_adam_are_subtracted_from_the_weights,
    the_state_advances_through_epochs_as_its_twin_does,
    time_ticks_while_the_batch_stays_and_can_be_taken_back,
    shuffles_are_equal_to_their_twins,
    an_epoch_of_shuffled_batches_takes_every_image_once,
    normals_are_within_4_ulps_of_their_twins,
}
