//! Training and evaluation as a whole, on a small set and a small model.

#[path = "../common/mod.rs"]
mod common;
mod examples;

use std::sync::atomic::{AtomicBool, Ordering};

use common::report::{Limit, Report};
use common::training::{
    Log, grey, options, rectangles, small_filters, small_model, train, train_watched,
};
use common::{adapter_name, plain_gpu as gpu};
use cvae_gpu::data::{Binarize, ImageSet, PackedImages, Split};
use cvae_gpu::gpu::{GpuError, Memory};
use cvae_gpu::model::params;
use cvae_gpu::model::{self, Described, Feed, Filters, Likelihood, Loss, Model, ModelError};
use cvae_gpu::ops::elbo::COLUMNS;
use cvae_gpu::ops::fetch::Packed;
use cvae_gpu::ops::rng::Order;
use cvae_gpu::ops::state::StepState;
use cvae_gpu::plan::cpu::{self, Values};
use cvae_gpu::plan::{Plan, PlanError};
use cvae_gpu::rng::Stream;
use cvae_gpu::train::eval;
use cvae_gpu::train::event::{EpochReport, Event, Snapshot};
use cvae_gpu::train::supply::Supply;
use cvae_gpu::train::{Ended, Every, Options, TrainError, Trainer};

/// All results of a run, without times.
fn bits(log: &Log) -> (Vec<u32>, Vec<String>) {
    let snapshot = |s: &Snapshot| -> Vec<u32> {
        let tensors = s.params.iter().flat_map(|(_, values)| values);
        let floats = tensors.flatten().map(|v| v.to_bits());
        floats.chain(s.state.iter().copied()).collect()
    };
    let timeless = |report: &EpochReport| {
        let report = EpochReport {
            train_seconds: 0.0,
            images_per_second: None,
            eval_seconds: 0.0,
            ..report.clone()
        };
        serde_json::to_string(&report).expect("a report")
    };
    let snapshots = log.checkpoints.iter().chain([&log.end().1]);
    let pictures = log.pictures.iter().flatten().map(|v| v.to_bits());
    (
        snapshots.flat_map(snapshot).chain(pictures).collect(),
        log.epochs.iter().map(timeless).collect(),
    )
}

#[test]
fn one_seed_gives_the_same_bits_twice_and_another_seed_others() {
    let data = rectangles(50, 21);
    let run = |seed| {
        let options = Options {
            seed,
            pictures: true,
            ..options()
        };
        bits(&train(&options, &data).expect("a run"))
    };
    let ((weights, metrics), (weights_again, metrics_again)) = (run(1), run(1));
    // Two checkpoints and the end; reconstructions before and after each epoch; the manifold.
    let parameters: usize = small_model().params().iter().map(|p| p.len()).sum();
    let pictures = (3 * 16 + 20 * 20) * 64;
    assert_eq!(weights.len(), 3 * (3 * parameters + 6) + pictures);
    assert_eq!(metrics.len(), 3);
    let same = weights == weights_again;
    assert!(same, "snapshots or pictures differ on {}", adapter_name());
    assert_eq!(metrics, metrics_again);
    let (other_weights, other_metrics) = run(2);
    assert_ne!(weights, other_weights);
    assert!(
        metrics.iter().zip(&other_metrics).all(|(a, b)| a != b),
        "{metrics:?}"
    );
}

#[test]
fn a_model_learns() {
    let options = Options {
        epochs: 20,
        ..options()
    };
    let log = train(&options, &rectangles(200, 50)).expect("a run");
    let elbo: Vec<f64> = log.epochs.iter().map(|e| e.test_elbo).collect();
    // 64 unknown pixels cost 44 nats.
    assert!((-48.0..-42.0).contains(&elbo[0]), "{elbo:?}");
    assert!(elbo[20] > elbo[0] + 5.0, "{elbo:?}");
    let loss = log.epochs[20].train_loss.expect("a loss");
    assert!((loss + elbo[20]).abs() < 3.0, "{loss} {elbo:?}");
}

#[test]
fn a_model_that_has_nothing_to_tell_is_warned_of_once() {
    // Noise, which a code of two numbers cannot describe.
    let noise = |count: usize, seed| {
        let values = common::uniform(64 * count, 1.0, seed);
        let bytes = values.iter().map(|v| if *v < 0.0 { 0 } else { 255 });
        let pixels: Vec<u8> = bytes.collect();
        Split {
            images: PackedImages::from_bytes([8, 8, 1], &pixels, Binarize::Threshold),
            labels: None,
            names: None,
        }
    };
    let data = ImageSet::new("noise", noise(500, 1), noise(20, 2));
    let options = Options {
        batch: 1,
        epochs: 3,
        ..options()
    };
    let (mut warnings, mut reports) = (Vec::new(), 0);
    let log = train_watched(gpu(), &options, &data, |event| match event {
        Event::Epoch(_) => reports += 1,
        Event::Warning { message } => warnings.push((reports, message.clone())),
        _ => (),
    });
    let epochs = log.expect("a run").epochs;
    assert!(epochs.iter().all(|e| e.kl < 0.1), "{epochs:?}");
    // After 500 steps the ELBO of noise has not moved, so the first epoch is enough to be sure.
    let [(2, message)] = &warnings[..] else {
        panic!("{warnings:?}");
    };
    assert!(message.contains("after epoch 1"), "{message}");
    assert!(message.contains("collapse"), "{message}");
}

fn state(snapshot: &Snapshot) -> StepState {
    StepState::from_words(&snapshot.state).expect("six words")
}

#[test]
fn a_batch_that_does_not_divide_the_data_leaves_a_smaller_last_step() {
    // 50 images: three steps of 16 and one of 2.
    let log = train(&options(), &rectangles(50, 21)).expect("a run");
    let Some(Event::Started {
        steps_per_epoch,
        last_batch,
        train_images,
        test_images,
        ..
    }) = log.started
    else {
        panic!("a run starts");
    };
    assert_eq!((steps_per_epoch, last_batch), (4, 2));
    assert_eq!((train_images, test_images), (50, 21));
    let steps: Vec<u64> = log.epochs.iter().map(|e| e.step).collect();
    assert_eq!(steps, [0, 4, 8]);
    let end = state(&log.end().1);
    assert_eq!((end.step, end.epoch, end.position), (8, 2, 0));

    // A batch that divides the images leaves none.
    let log = train(&options(), &rectangles(48, 21)).expect("a run");
    let Some(Event::Started { last_batch, .. }) = log.started else {
        panic!("a run starts");
    };
    assert_eq!((last_batch, log.end().0), (16, 6));
}

/// The loss of each step of the first epoch, as the CPU trains it.
fn losses_on_the_cpu(options: &Options, data: &ImageSet) -> Vec<f64> {
    let images = &data.train.images;
    let packed = Packed::training(images, options.binarize);
    let (batch, tail) = (options.batch, images.count() % options.batch);
    let train = |batch| {
        let feed = Feed::Images("train.images", packed, Order::Shuffled);
        model::train_step(
            &options.model,
            feed,
            options.extras.recipe(options.rate, 1, 1),
            batch,
            gpu().target(),
        )
    };
    let (full, tail) = (train(batch), train(tail));
    let mut memory = cpu::Memory::default();
    memory.fit(&full);
    memory.fit(&tail);
    let specs = options.model.params();
    for (spec, values) in specs.iter().zip(params::initial(&specs, options.seed)) {
        memory.set_floats(&full, &spec.name, &values);
    }
    let start = StepState::start(options.seed, Stream::Train).to_words();
    for (name, words) in [
        ("train.images", images.device_words().unwrap()),
        ("state", start.to_vec()),
    ] {
        let id = full.find(name).expect(name);
        memory.set(&full, id, &Values::Words(words));
    }
    let steps = images.count() / batch;
    (0..steps).for_each(|_| memory.run(&full));
    memory.run(&tail);
    let ring = memory.floats(&full, "metrics");
    (0..=steps).map(|step| ring[step * COLUMNS]).collect()
}

// The mean weights every image equally, in full steps and in the last.
#[test]
fn an_epochs_loss_is_the_mean_over_its_images_as_the_cpu_trains_them() {
    let one = Options {
        epochs: 1,
        ..options()
    };
    let real = Options {
        binarize: Binarize::None,
        ..one.clone()
    };
    let colour = Options {
        model: Filters {
            image: [8, 12, 3],
            ..small_filters()
        }
        .model(),
        ..real.clone()
    };
    let drawn = Options {
        model: Model {
            loss: Loss::AnalyticKl,
            beta: 4.0,
            ..small_model()
        },
        binarize: Binarize::Stochastic,
        ..one.clone()
    };
    let mut report = Report::default();
    for (case, options, data) in [
        ("bits", one, rectangles(50, 21)),
        ("real values", real, grey([8, 8, 1], 50, 21)),
        ("colours", colour, grey([8, 12, 3], 50, 21)),
        ("drawn, a weighted loss", drawn, grey([8, 8, 1], 50, 21)),
    ] {
        let data = data.binarized(options.binarize).expect("grey levels");
        let log = train(&options, &data).expect("a run");
        let loss = log.epochs[1].train_loss.expect("a loss");
        let losses = losses_on_the_cpu(&options, &data);
        assert_eq!(losses.len(), 4);
        let sum = losses[..3].iter().map(|l| 16.0 * l).sum::<f64>() + 2.0 * losses[3];
        let limit = Limit::Each {
            relative: 3e-6,
            absolute: 0.0,
        };
        report.floats(case, "train_loss", &[loss], &[sum / 50.0], limit);
    }
    report.finish(4);
}

#[test]
fn training_ends_at_its_last_step_in_the_middle_of_an_epoch() {
    let short = Options {
        max_steps: Some(7),
        epochs: 100,
        ..options()
    };
    let log = train(&short, &rectangles(50, 21)).expect("a run");
    let (step, snapshot, _) = log.end();
    let end = state(snapshot);
    assert_eq!(*step, 7);
    assert_eq!((end.step, end.epoch, end.position), (7, 1, 48));
    assert_eq!(log.epochs.last().map(|e| (e.epoch, e.step)), Some((2, 7)));
}

/// Fresh weights, evaluated: the means on the device and on the CPU.
fn evaluate(model: &Model, data: &ImageSet, batch: usize, epoch: usize) -> [[f64; 4]; 2] {
    let gpu = gpu();
    let target = gpu.target();
    let test = &data.test.images;
    let supply = Supply::new(eval::IMAGES, test, Packed::of(test), Order::File, 0);
    let (feed, images) = (supply.feed(), test.count());
    let size = batch.min(images);
    let full = model::evaluate(model, feed, size, target);
    let tail = Some(images % size).filter(|last| *last > 0);
    let tail = tail.map(|last| model::evaluate(model, feed, last, target));
    let sum = model::sum_terms(images, target);

    let plans = eval::Evaluation::new(model, supply, batch, target);
    let memory = pollster::block_on(Memory::allocate(gpu, &plans.all().collect::<Vec<_>>()))
        .expect("memory");
    let evaluator = pollster::block_on(plans.compile(gpu, &memory)).expect("an evaluator");
    let mut twin = cpu::Memory::default();
    let all: Vec<&Plan> = [&full, &sum].into_iter().chain(&tail).collect();
    all.iter().for_each(|plan| twin.fit(plan));

    let specs = model.params();
    for (spec, values) in specs.iter().zip(params::initial(&specs, 3)) {
        let values: Vec<f32> = values.iter().map(|v| 2.0 * v).collect();
        memory
            .write(gpu, &full, &spec.name, &values)
            .expect("a write");
        twin.set_floats(&full, &spec.name, &values);
    }
    let words = test.device_words().unwrap();
    let mut set = |name: &str, words: Vec<u32>| {
        let id = full.find(name).expect(name);
        twin.set(&full, id, &Values::Words(words));
    };
    set("test.images", words);
    let mut state = StepState::start(9, Stream::Evaluate);
    state.step = epoch as u32;
    set("evaluate.state", state.to_words().to_vec());
    (0..images / size).for_each(|_| twin.run(&full));
    tail.iter().chain([&sum]).for_each(|plan| twin.run(plan));

    let mut go_on = |_, _| true;
    let run = evaluator.run(gpu, &memory, 9, epoch, &mut go_on);
    let found = pollster::block_on(run).expect("a run").expect("an end");
    let sums = twin.floats(&sum, "terms.sum");
    let means: Vec<f64> = sums.iter().map(|s| s / images as f64).collect();
    let found = [found.logpx_z, found.logpz, found.logqz_x, found.kl];
    [found, means.try_into().expect("four terms")]
}

// Batches of 5 leave a tail of 1, batches of 7 none, and 64 is more than the images.
#[test]
fn an_evaluations_terms_are_those_of_the_cpu_with_and_without_a_tail() {
    let data = rectangles(1, 21);
    let mut report = Report::default();
    for epoch in [0, 3] {
        let mut first = None;
        for batch in [5, 7, 64] {
            let [device, twin] = evaluate(&small_model(), &data, batch, epoch);
            // The noise depends on the image, not on its batch.
            let other = *first.get_or_insert(twin);
            let apart = twin.iter().zip(other).map(|(a, b)| (a - b).abs());
            assert!(
                apart.fold(0.0, f64::max) < 1e-9,
                "{twin:?} is not {other:?}"
            );
            let case = format!("21 images by {batch}, epoch {epoch}");
            let limit = Limit::Each {
                relative: 1e-5,
                absolute: 1e-6,
            };
            report.floats(&case, "terms", &device, &twin, limit);
        }
    }
    report.finish(6);
}

fn refusal(options: &Options, data: &ImageSet) -> TrainError {
    match pollster::block_on(Trainer::new(gpu(), options, data)) {
        Ok(_) => panic!("{options:?} is accepted"),
        Err(e) => e,
    }
}

#[test]
fn a_batch_larger_than_the_data_is_one_of_all_images() {
    for images in [1, 15] {
        let data = rectangles(images, 21);
        let run = |batch| {
            let options = Options { batch, ..options() };
            bits(&train(&options, &data).expect("a run"))
        };
        assert!(run(16) == run(images), "{images} images");
    }
}

#[test]
fn a_model_without_latent_dimensions_is_refused() {
    let mut options = options();
    options.model.latent_dim = 0;
    let error = refusal(&options, &rectangles(50, 21));
    let is_zero =
        matches!(&error, TrainError::Model(ModelError::Zero { what }) if what.contains("latent"));
    assert!(is_zero, "{error}");
    assert!(options.model.validate().is_err());
}

#[test]
fn training_that_diverges_stops_with_an_error() {
    let wild = Options {
        rate: 1e30,
        epochs: 10,
        ..options()
    };
    let Err(error) = train(&wild, &rectangles(50, 21)) else {
        panic!("a learning rate of 1e30 is survived on {}", adapter_name());
    };
    let TrainError::NotFinite { loss, step, origin } = error else {
        panic!("{error}");
    };
    assert!(!loss.is_finite());
    // The first step's loss is of the initial weights.
    assert_eq!(step, 2);
    let origin = origin.expect("the steps once more");
    assert_eq!(origin.step, 2, "{origin}");
    assert!(
        origin.tensor.contains("encoder") || origin.tensor == "z",
        "{origin}"
    );
}

#[test]
fn a_snapshot_of_weights_that_are_not_finite_is_refused_and_names_their_origin() {
    let data = rectangles(50, 21);
    let mut snapshot = train(&options(), &data).expect("a run").checkpoints[0].clone();
    // The next update overflows; its loss is that of the weights before.
    snapshot.params[0].1[1].fill(1e38);
    let next = Options {
        rate: 1e10,
        max_steps: Some(5),
        ..options()
    };
    let trainer = pollster::block_on(Trainer::new(gpu(), &next, &data)).expect("a trainer");
    let mut trainer = trainer.resume(snapshot).expect("a snapshot of this run");
    let Err(error) = pollster::block_on(trainer.run(&mut |_| Ok(()))) else {
        panic!("infinite weights are taken on {}", adapter_name());
    };
    let TrainError::WeightsNotFinite {
        tensor,
        step,
        origin,
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!((tensor.as_str(), step), ("encoder.conv1.kernel", 5));
    let origin = origin.expect("the step once more");
    assert_eq!(origin.tensor, tensor);
    assert!(origin.kernel.contains("adam"), "{origin}");
}

#[test]
fn a_kernel_that_does_not_compile_is_named() {
    let large = Options {
        // More than a constant of 32 bits holds.
        rate: 1e39,
        ..options()
    };
    let error = refusal(&large, &rectangles(50, 21));
    let TrainError::Gpu(GpuError::Kernel { kernel, .. }) = &error else {
        panic!("{error}");
    };
    assert!(kernel.starts_with("adam::update"), "{kernel}");
    // The device still works.
    train(&options(), &rectangles(50, 21)).expect("a run");
}

#[test]
fn runs_that_stop_at_any_step_go_on_to_the_same_bits() {
    let data = rectangles(50, 21);
    let whole = train(&options(), &data).expect("a run");
    let stop = AtomicBool::new(false);
    let same = Options {
        checkpoint_every: Every::Steps(1),
        ..options()
    };
    let (mut last, mut stops) = (None, 0);
    loop {
        stop.store(false, Ordering::Relaxed);
        let trainer = pollster::block_on(Trainer::new(gpu(), &same, &data)).expect("a trainer");
        let mut trainer = trainer.stop_on(&stop);
        if let Some(snapshot) = last.take() {
            trainer = trainer.resume(snapshot).expect("a snapshot of this run");
        }
        let mut log = Log::default();
        let mut emit = |event: Event| {
            stop.fetch_or(matches!(event, Event::Progress { .. }), Ordering::Relaxed);
            log.take(event);
            Ok(())
        };
        let ended = pollster::block_on(trainer.run(&mut emit)).expect("a run");
        if ended == Ended::Done {
            assert_eq!(log.end().1, whole.end().1);
            break;
        }
        stops += 1;
        last = log.checkpoints.pop();
    }
    // Eight steps; nothing after the last needs another.
    assert!(stops >= 7, "stopped {stops} times on {}", adapter_name());
}

/// Rectangles with labels and grey levels, some of them held out.
fn labelled(binarize: Binarize) -> ImageSet {
    let mut data = grey([8, 8, 1], 50, 21);
    for split in [&mut data.train, &mut data.test] {
        let labels = (0..split.images.count()).map(|i| i as u32 % 3);
        split.labels = Some(labels.collect());
    }
    let data = data.binarized(binarize).expect("grey levels");
    data.hold_out(0.3, binarize).expect("some images")
}

#[test]
fn images_that_come_in_windows_give_the_bits_of_those_that_are_all_there() {
    // Images that are fetched and mirrored, and images that are drawn anew in each epoch.
    for binarize in [Binarize::Threshold, Binarize::Stochastic] {
        let data = labelled(binarize);
        let whole = Options {
            binarize,
            batch: 8,
            flip: binarize == Binarize::Threshold,
            pictures: binarize == Binarize::Threshold,
            model: Model {
                labels: 3,
                ..options().model
            },
            ..options()
        };
        let run = |data_memory, checkpoint_every| {
            let options = Options {
                data_memory,
                checkpoint_every,
                ..whole.clone()
            };
            let log = train(&options, &data).expect("a run");
            let Some(Event::Started { train_window, .. }) = log.started else {
                panic!("a start");
            };
            (train_window, bits(&log), log)
        };
        let (window, expected, log) = run(None, whole.checkpoint_every);
        assert_eq!((window, log.host_writes()), (35, 0));
        let bytes = data.train.images.bytes().unwrap().len() as u64;
        // One batch, and two or three of the five.
        for (most, holds) in [(1, 8..9), (bytes, 16..25)] {
            let (window, found, log) = run(Some(most), whole.checkpoint_every);
            let is_whole = window.is_multiple_of(8);
            assert!(
                is_whole && holds.contains(&window),
                "{window} in {most} bytes"
            );
            assert!(log.host_writes() > 2, "{} writes", log.host_writes());
            assert!(found == expected, "{binarize:?} in windows of {window}");
        }
        let (.., log) = run(Some(1), Every::Steps(3));
        let middle = log.checkpoints[0].clone();
        assert_eq!(middle.step(), 3);
        let options = Options {
            data_memory: Some(bytes),
            ..whole.clone()
        };
        let trainer = pollster::block_on(Trainer::new(gpu(), &options, &data)).expect("a trainer");
        let mut trainer = trainer.resume(middle).expect("a snapshot of this run");
        let mut resumed = Log::default();
        let mut emit = |event: Event| {
            resumed.take(event);
            Ok(())
        };
        pollster::block_on(trainer.run(&mut emit)).expect("a run");
        assert!(resumed.end().1 == log.end().1, "{binarize:?} resumed");
    }
}

#[test]
fn snapshots_of_other_runs_are_refused() {
    let data = rectangles(50, 21);
    let snapshot = train(&options(), &data).expect("a run").checkpoints[0].clone();
    let refuse = |options: &Options, snapshot: &Snapshot| {
        let trainer = pollster::block_on(Trainer::new(gpu(), options, &data)).expect("a trainer");
        match trainer.resume(snapshot.clone()) {
            Err(TrainError::Foreign(reason)) => reason,
            Err(e) => panic!("{e}"),
            Ok(_) => panic!("{:?} is taken", snapshot.state),
        }
    };
    let mut other = options();
    other.seed = 2;
    assert!(refuse(&other, &snapshot).contains("seed"));
    other = options();
    other.batch = 8;
    assert!(refuse(&other, &snapshot).contains("batches of 8"));
    other = options();
    other.model.latent_dim = 3;
    assert!(refuse(&other, &snapshot).contains("another model"));
    let mut wrong = snapshot.clone();
    wrong.record.epochs = 7;
    assert!(refuse(&options(), &wrong).contains("7 epochs"));
    wrong = snapshot;
    wrong.state.pop();
    assert!(refuse(&options(), &wrong).contains("incomplete"));
}

#[test]
fn a_batch_that_does_not_fit_the_adapter_is_refused_with_the_largest_that_does() {
    if gpu().caps().max_binding_bytes > 256 << 20 {
        common::say("the adapter takes larger batches than this test wants to make");
        return;
    }
    let images = 40_000;
    let data = rectangles(images, 21);
    let mut large = options();
    let decoder_filters = vec![8, 64];
    large.model = Filters {
        decoder_filters,
        ..small_filters()
    }
    .model();
    large.batch = images;
    let TrainError::Gpu(GpuError::Plan(PlanError::TooLarge { fits, .. })) = refusal(&large, &data)
    else {
        panic!("{} images of 16 KiB fit", large.batch);
    };
    large.batch = fits.expect("a smaller batch") + 1;
    refusal(&large, &data);
    large.batch -= 1;
    assert!(pollster::block_on(Trainer::new(gpu(), &large, &data)).is_ok());
}

// Otherwise Linux may run two of them on one processor and leave another idle.
#[cfg(target_os = "linux")]
#[test]
fn each_thread_of_lavapipe_has_a_processor_of_its_own() {
    use std::{collections::BTreeSet, fs};
    let name = adapter_name();
    let count = std::thread::available_parallelism().expect("a processor");
    // Other releases of Mesa may name their threads differently; there are at most 16.
    if !name.contains("llvmpipe Mesa 22.3") || count.get() > 16 {
        return common::say(&format!("threads of {name} are not looked at"));
    }
    let processors = |thread: &str| {
        let status = fs::read_to_string(format!("/proc/self/task/{thread}/status")).ok()?;
        let line = status
            .lines()
            .find_map(|l| l.strip_prefix("Cpus_allowed_list:"))?;
        Some(line.trim().to_owned())
    };
    let threads = fs::read_dir("/proc/self/task").expect("this process");
    let pinned: BTreeSet<String> = threads
        .filter_map(|t| processors(&t.ok()?.file_name().to_string_lossy()))
        .filter(|list| list.parse::<usize>().is_ok())
        .collect();
    assert_eq!(pinned.len(), count.get(), "{pinned:?}");
}

#[test]
fn a_gaussian_learns_the_noise_of_its_images() {
    // Colours that change evenly from top to bottom, which four numbers describe, and noise of 0.05.
    const NOISE: f64 = 0.05;
    let shape = [8, 8, 3];
    let split = |count: usize, seed: u64| {
        let colours = common::uniform(6 * count, 0.25, seed);
        // The sum of twelve draws is almost a Gaussian of variance 1.
        let draws = common::uniform(12 * 192 * count, 0.5, seed + 1);
        let noise: Vec<f32> = draws.chunks(12).map(|draws| draws.iter().sum()).collect();
        let value = |at: usize| {
            let (image, row, channel) = (at / 192, at % 192 / 24, at % 3);
            let [top, bottom] = [0, 3].map(|end| colours[6 * image + end + channel]);
            let part = row as f32 / 7.0;
            let clean = 0.5 + top * (1.0 - part) + bottom * part;
            (255.0 * (clean + NOISE as f32 * noise[at])).round() as u8
        };
        let pixels: Vec<u8> = (0..192 * count).map(value).collect();
        Split {
            images: PackedImages::from_bytes(shape, &pixels, Binarize::None),
            labels: None,
            names: None,
        }
    };
    let data = ImageSet::new("noisy", split(64, 1), split(16, 3));
    // A linear model fits such images and, unlike convolutions, cannot learn their noise by heart: it is
    // probabilistic PCA.
    let model = Model {
        image: shape,
        latent_dim: 6,
        likelihood: Likelihood::Gaussian,
        loss: Loss::AnalyticKl,
        encoder: Vec::new(),
        decoder: vec![Described {
            dense: Some(192),
            ..Described::default()
        }],
        ..small_model()
    };
    let options = Options {
        model,
        binarize: Binarize::None,
        rate: 5e-3,
        epochs: 250,
        evaluate_every: 250,
        ..options()
    };
    let log = train(&options, &data).expect("a run");
    let sigma = log
        .epochs
        .last()
        .and_then(|epoch| epoch.sigma)
        .expect("a σ");
    assert!((sigma / NOISE - 1.0).abs() < 0.2, "σ is {sigma}");
}
