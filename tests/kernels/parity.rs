//! Every kernel and every fused kernel against its twin, and whole plans of the model against the CPU:
//! the checks of tests/common/suite as tests on the adapter.

crate::tests! { kernels, checked too:
    dense_layers_agree_with_their_twins,
    dense_activations_agree_with_their_twins,
    sampling_and_its_gradient_agree_with_their_twins,
    cross_entropy_agrees_with_its_twin_for_logits_to_80_and_real_targets,
    cross_entropy_of_nearly_certain_pixels_is_exact_too,
    batch_means_go_to_the_row_of_their_step_and_nowhere_else,
    terms_are_recorded_in_the_rows_of_their_images_and_nowhere_else,
    bounds_over_draws_agree_with_their_twins_and_with_their_definition,
    samples_of_any_covariance_and_their_gradients_agree_with_their_twins,
    weights_of_the_kl_term_agree_with_their_twins,
    gradients_are_clipped_to_the_norm_of_all,
    likelihoods_agree_with_their_twins,
    a_learned_deviation_and_its_gradient_agree_with_their_twins,
    labels_follow_the_features_and_are_dropped_from_their_gradient,
    sums_over_rows_agree_with_their_twins_from_buffers_and_textures,
    mirrors_hold_what_they_mirror,
    images_are_fetched_as_they_were_packed,
    images_are_mirrored_by_image_and_epoch_as_their_twins_are,
    images_are_fetched_from_a_window_in_the_order_of_the_pass,
    images_are_drawn_by_image_and_epoch_as_their_twins_are,
    the_kernels_that_measure_peaks_do_all_of_their_work,
    invocations_stand_in_the_lanes_that_their_twin_has,
}

crate::tests! { convolutions:
    plain_kernels_agree_with_their_twins,
    thin_kernels_agree_with_their_twins,
    thin_kernels_in_textures_agree_with_their_twins,
    tile_kernels_agree_with_their_twins,
    tile_kernels_in_textures_agree_with_their_twins,
    broadcast_kernels_agree_with_their_twins,
    broadcast_kernels_in_textures_agree_with_their_twins,
    workgroup_kernels_agree_with_their_twins,
    plain_outputs_of_more_than_a_row_of_workgroups_are_all_computed,
}

crate::tests! { fused, checked too:
    the_way_through_the_latent_space_agrees_with_its_steps,
    the_last_layer_with_the_loss_agrees_with_its_steps,
    the_batch_with_the_first_layer_agrees_with_its_steps,
    updates_of_sums_agree_with_their_steps,
}

crate::tests! { state, checked too:
    updates_of_adam_agree_with_their_twin_from_the_first_step_to_the_millionth,
    updates_of_adam_are_subtracted_from_the_weights,
    scheduled_updates_agree_with_their_twin,
    the_state_advances_through_epochs_as_its_twin_does,
    time_ticks_while_the_batch_stays_and_can_be_taken_back,
    shuffles_are_equal_to_their_twins,
    an_epoch_of_shuffled_batches_takes_every_image_once,
    normals_are_within_4_ulps_of_their_twins,
}

crate::tests! { step:
    train_step_and_evaluation_agree_with_the_cpu_as_the_adapter_runs_them,
    train_step_and_evaluation_agree_with_the_cpu_in_plain_kernels,
    train_step_and_evaluation_agree_with_the_cpu_in_tile_kernels_in_textures,
    train_step_and_evaluation_agree_with_the_cpu_as_gpus_run_them,
    steps_of_weighted_losses_on_drawn_images_agree_with_the_cpu,
    a_nan_passes_every_relu,
}

// Needs no GPU.
#[test]
fn the_cases_reach_every_convolution_kernel_with_every_ending() {
    crate::common::suite::convolutions::the_cases_reach_every_kernel_with_every_ending();
}
