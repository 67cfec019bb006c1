//! The train step as a whole, and each of its kernels alone.
//!
//! `cargo bench` measures the tutorial's model in batches of 32. An argument after `--` selects by a
//! part of the name: `cargo bench -- deconv2`. A kernel that runs alone finds its tensors in the
//! caches, so it may be faster here than in the step. This benchmark shows whether a change made one
//! kernel faster; `cvae-gpu bench --profile` shows where the time of a step goes.
//!
//! `cargo test` runs everything here once, with a small model.

#[path = "../tests/common/device.rs"]
#[allow(dead_code, reason = "tests have other devices too")]
mod device;

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use cvae_gpu::bench::{Images, Rig};
use cvae_gpu::data::{Binarize, PackedImages, mnist};
use cvae_gpu::model::{Filters, Model};
use cvae_gpu::plan::Step;

/// The tutorial's model and data under `cargo bench`, a toy under `cargo test`.
fn workload() -> (Model, PackedImages, usize) {
    if std::env::args().any(|arg| arg == "--bench") {
        let set = mnist::load().expect("the set is built in");
        return (Model::default(), set.train.images, 32);
    }
    let model = Filters {
        image: [8, 8, 1],
        encoder_filters: vec![4, 8],
        decoder_base: 4,
        decoder_filters: vec![8, 4],
        ..Filters::default()
    }
    .model();
    let pixels: Vec<u8> = (0..4 * 64).map(|i| (i * 37 % 256) as u8).collect();
    let images = PackedImages::from_bytes(model.image, &pixels, Binarize::Threshold);
    (model, images, 2)
}

fn train_step(criterion: &mut Criterion) {
    let (model, images, batch) = workload();
    let images = Images::new(&images, false).expect("images in memory");
    let gpu = device::gpu();
    let plan = Rig::plan_for(gpu.target(), &model, &images, batch);
    let mut rig = pollster::block_on(Rig::new(gpu, plan, &model, &images)).expect("a train step");
    pollster::block_on(rig.warm_up()).expect("a warm-up");
    let ms = |ms: f64, times: u64| Duration::from_secs_f64(ms * times as f64 / 1e3);

    let mut group = criterion.benchmark_group("step");
    group.throughput(Throughput::Elements(batch as u64));
    group.bench_function(BenchmarkId::from_parameter(batch), |bencher| {
        bencher.iter_custom(|times| {
            let run = pollster::block_on(rig.run(times as usize));
            ms(run.expect("a run").ms, times)
        });
    });
    group.finish();

    let mut group = criterion.benchmark_group("kernel");
    for (index, bundle) in rig.bundles.iter().enumerate() {
        let steps: Vec<&Step> = bundle.iter().map(|&step| &rig.plan.steps()[step]).collect();
        let bytes = steps.iter().map(|step| rig.plan.step_bytes(step)).sum();
        let labels: Vec<&str> = steps.iter().map(|step| step.label.as_str()).collect();
        group.throughput(Throughput::Bytes(bytes));
        group.bench_function(BenchmarkId::from_parameter(labels.join(" + ")), |bencher| {
            bencher.iter_custom(|times| {
                let run = pollster::block_on(rig.alone(index, times as usize));
                ms(run.expect("a run").ms, times)
            });
        });
    }
    group.finish();
}

// A step has some fifty kernels: with a second each, all of them take a minute.
criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = train_step
}
criterion_main!(benches);
