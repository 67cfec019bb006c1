//! Whole plans of the model against the CPU, slot by slot: tests/common/suite/step.rs.

crate::tests! { step:
    train_step_and_evaluation_agree_with_the_cpu_as_the_adapter_runs_them,
    train_step_and_evaluation_agree_with_the_cpu_in_plain_kernels,
    train_step_and_evaluation_agree_with_the_cpu_in_tile_kernels_in_textures,
    train_step_and_evaluation_agree_with_the_cpu_in_tile_kernels_in_buffers,
    train_step_and_evaluation_agree_with_the_cpu_as_gpus_run_them,
    steps_of_weighted_losses_on_drawn_images_agree_with_the_cpu,
    a_nan_passes_every_relu,
}

// Drivers normally get shaders without bounds checks; with wgpu's checks the results are the same.
#[test]
fn train_step_and_evaluation_agree_with_the_cpu_in_checked_shaders() {
    let gpu = crate::common::checked_gpu();
    crate::common::suite::step::train_step_and_evaluation_agree_with_the_cpu_in_checked_shaders(
        gpu,
    );
}
