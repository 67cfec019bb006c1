//! Every kernel but the convolutions and the counters against its twin: tests/common/suite/kernels.rs.

crate::tests! { kernels, checked too:
    dense_layers_agree_with_their_twins,
    sampling_and_its_gradient_agree_with_their_twins,
    cross_entropy_agrees_with_its_twin_for_logits_to_80_and_real_targets,
    cross_entropy_of_nearly_certain_pixels_is_exact_too,
    batch_means_go_to_the_row_of_their_step_and_nowhere_else,
    terms_are_recorded_in_the_rows_of_their_images_and_nowhere_else,
    bounds_over_draws_agree_with_their_twins_and_with_their_definition,
    sums_over_rows_agree_with_their_twins_from_buffers_and_textures,
    mirrors_hold_what_they_mirror,
    images_are_fetched_as_they_were_packed,
    images_are_drawn_by_image_and_epoch_as_their_twins_are,
    the_kernels_that_measure_peaks_do_all_of_their_work,
    invocations_stand_in_the_lanes_that_their_twin_has,
}
