//! Models of random descriptions, step by step against their twins, and damaged descriptions.
//!
//! A model is drawn so that it is valid: the decoder goes back through the sizes of a chain of strided
//! convolutions. Everything else is free: sizes, kernels, strides, padding, activations, the order and the
//! number of layers, posterior, likelihood, labels, the terms of the loss, and what the optimizer does.

use std::cell::Cell;

use crate::common::pair::Pair;
use crate::common::report::{Limit, Report};
use crate::common::suite::step::alone;
use crate::common::{gpu, uniform};
use crate::properties::hold;
use cvae_gpu::model::{
    self, Described, Feed, Filters, Likelihood, Loss, Mean, Model, Posterior, Recipe, Sigma, params,
};
use cvae_gpu::ops::adam::{Adam, Schedule};
use cvae_gpu::ops::conv::Padding;
use cvae_gpu::ops::state::StepState;
use cvae_gpu::ops::{Activation, Target};
use cvae_gpu::plan::PlanError;
use cvae_gpu::rng::Stream;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

/// A layer of the encoder, or of the decoder where it goes back: kernel, stride, channels, activation.
type Level = (usize, usize, usize, Activation);

fn level() -> impl Strategy<Value = Level> {
    let activations = select(&Activation::ALL[..]);
    (1..=7usize, 1..=3usize, 1..=9usize, activations)
}

fn padding() -> impl Strategy<Value = Padding> {
    select(&[Padding::Same, Padding::Valid][..])
}

fn layer((kernel, stride, _, activation): Level, padding: Padding) -> Described {
    Described {
        kernel: Some(kernel),
        stride: Some(stride),
        padding: Some(padding),
        activation,
        ..Described::default()
    }
}

fn dense(outputs: usize, activation: Activation) -> Described {
    Described {
        dense: Some(outputs),
        activation,
        ..Described::default()
    }
}

/// Convolutions and dense layers; a kernel that is larger than its input gets SAME padding.
fn encoder(image: [usize; 3], levels: &[(Level, Padding)], ends: &[usize]) -> Vec<Described> {
    let [mut height, mut width, _] = image;
    let mut layers = Vec::new();
    for &(level, padding) in levels {
        let (kernel, stride, filters, _) = level;
        let padding = match kernel <= height.min(width) {
            true => padding,
            false => Padding::Same,
        };
        let after = |n: usize| match padding {
            Padding::Same => n.div_ceil(stride),
            Padding::Valid => (n - kernel) / stride + 1,
        };
        (height, width) = (after(height), after(width));
        layers.push(Described {
            conv: Some(filters),
            ..layer(level, padding)
        });
    }
    layers.extend(ends.iter().map(|&n| dense(n, Activation::Tanh)));
    layers
}

/// How the decoder begins.
#[derive(Clone, Copy, Debug)]
enum Start {
    /// A dense layer makes the smallest image.
    Image,
    /// The code is an image of one pixel, until a dense layer makes the smallest image.
    Pixel,
    /// A dense layer makes all values.
    Flat,
}

/// Transposed convolutions back through the sizes that the levels lead to.
fn decoder(image: [usize; 3], levels: &[Level], start: Start, last: Level) -> Vec<Described> {
    let [height, width, channels] = image;
    if let Start::Flat = start {
        return vec![
            dense(5, Activation::Elu),
            dense(height * width * channels, Activation::None),
        ];
    }
    let mut sizes = vec![[height, width]];
    for (_, stride, ..) in levels {
        let next = sizes[sizes.len() - 1].map(|n| n.div_ceil(*stride));
        sizes.push(next);
    }
    let [h, w] = sizes[levels.len()];
    let mut layers = Vec::new();
    if let Start::Pixel = start {
        layers.push(Described {
            deconv: Some(3),
            ..layer((4, 2, 3, Activation::Sigmoid), Padding::Valid)
        });
    }
    layers.push(Described {
        reshape: Some([h, w, 4]),
        ..dense(h * w * 4, Activation::LeakyRelu)
    });
    for (i, &level) in levels.iter().enumerate().rev() {
        layers.push(Described {
            deconv: Some(level.2),
            size: Some(sizes[i]),
            ..layer(level, Padding::Same)
        });
    }
    let (kernel, _, _, _) = last;
    layers.push(Described {
        conv: Some(channels),
        ..layer((kernel, 1, channels, Activation::None), Padding::Same)
    });
    layers
}

fn model() -> impl Strategy<Value = Model> {
    let stacks = (
        (4..=17usize, 4..=17usize, 1..=4usize).prop_map(|(h, w, c)| [h, w, c]),
        prop::collection::vec((level(), padding()), 0..=4),
        prop::collection::vec(1..=20usize, 0..=2),
        prop::collection::vec(level(), 0..=4),
        select(&[Start::Image, Start::Pixel, Start::Flat][..]),
        level(),
    );
    let rest = (
        1..=9usize,
        select(&[Posterior::Diagonal, Posterior::Full][..]),
        select(
            &[
                Likelihood::Bernoulli,
                Likelihood::ContinuousBernoulli,
                Likelihood::Gaussian,
            ][..],
        ),
        select(&[Sigma::Learned, Sigma::Fixed(0.3)][..]),
        select(&[Mean::Identity, Mean::Sigmoid][..]),
        select(&[Loss::Mc, Loss::AnalyticKl][..]),
        select(&[0.0, 0.5][..]),
        select(&[0, 3, 11][..]),
    );
    (stacks, rest).prop_map(|(stacks, rest)| {
        let (image, levels, ends, back, start, last) = stacks;
        let (latent_dim, posterior, likelihood, sigma, mean, loss, shift, labels) = rest;
        // Labels enter a dense layer.
        let start = match start {
            Start::Pixel if labels > 0 => Start::Image,
            start => start,
        };
        Model {
            image,
            latent_dim,
            posterior,
            likelihood,
            sigma,
            mean,
            loss,
            beta: 1.5,
            shift,
            labels,
            loss_scale: 0.25,
            range: None,
            encoder: encoder(image, &levels, &ends),
            decoder: decoder(image, &back, start, last),
        }
    })
}

fn recipe() -> impl Strategy<Value = Recipe> {
    let schedules = [
        Schedule::Constant,
        Schedule::Cosine { last: 5.0 },
        Schedule::Stairs {
            every: 1,
            factor: 0.5,
        },
    ];
    let flags = (any::<[bool; 4]>(), select(schedules.to_vec()));
    flags.prop_map(|([clip, warm, free, decay], schedule)| Recipe {
        adam: Adam {
            rate: 1e-3,
            decay: if decay { 0.1 } else { 0.0 },
            warmup: if warm { 4.0 } else { 0.0 },
            schedule,
            ..Adam::default()
        },
        clip_norm: clip.then_some(0.5),
        kl_warmup: if warm { 3.0 } else { 0.0 },
        free_bits: if free { 0.1 } else { 0.0 },
    })
}

/// Three steps on the device and on the twins.
fn check(model: &Model, recipe: Recipe, batch: usize) {
    model
        .validate()
        .unwrap_or_else(|e| panic!("{model:?}: {e}"));
    let gpu = gpu();
    let recipe = match model.loss {
        Loss::Mc => Recipe {
            free_bits: 0.0,
            ..recipe
        },
        Loss::AnalyticKl => recipe,
    };
    let plan = model::train_step(model, Feed::Injected, recipe, batch, gpu.target());
    plan.check().unwrap_or_else(|e| panic!("{model:?}: {e}"));
    let mut pair = Pair::new(gpu, &[&plan]);
    let specs = model.params();
    for (spec, values) in specs.iter().zip(params::initial(&specs, 3)) {
        pair.set(&plan, &spec.name, &values);
    }
    let values = model.image.iter().product::<usize>();
    let x = uniform(batch * values, 0.5, 1).into_iter().map(|v| v + 0.5);
    pair.set(&plan, "x", &x.collect::<Vec<f32>>());
    pair.set(&plan, "eps", &uniform(batch * model.latent_dim, 2.0, 2));
    if model.labels > 0 {
        let labels: Vec<u32> = (0..batch).map(|n| (5 * n % model.labels) as u32).collect();
        pair.set_words(&plan, "labels", &labels);
    }
    let start = StepState::start(7, Stream::Train).to_words();
    pair.set_words(&plan, "state", &start);
    let mut report = Report::default();
    for step in 0..3 {
        let case = format!("step {step} of {batch} images, {recipe:?}, {model:?}");
        pair.run_step_by_step(&mut report, &case, &plan, |step, slot| match slot {
            // A sum may be near 0 while its terms, one for each value, are not.
            "logpx_z" => Limit::Spread {
                share: 4e-6,
                absolute: 6e-8 * values as f64,
            },
            _ => alone(step, slot),
        });
    }
    report.finish(3);
}

#[test]
fn models_of_any_description_are_trained_as_their_twins_are() {
    let case = (model(), recipe(), select(&[1, 2, 5][..]));
    hold(30, 5, &case, |(model, recipe, batch)| {
        check(&model, recipe, batch)
    });
}

/// The places in a JSON value, itself included.
fn places(value: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    match value {
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.for_each(|(i, item)| places(item, &format!("{at}/{i}"), all));
        }
        Value::Object(fields) => {
            let fields = fields.iter();
            fields.for_each(|(name, field)| places(field, &format!("{at}/{name}"), all));
        }
        _ => {}
    }
}

/// Values that are hard for a description.
fn hard() -> Vec<Value> {
    let layer = |kind: &str, n: u64| json!({kind: n, "kernel": 7, "stride": 3, "padding": "valid"});
    let numbers = [0, 1, 2, 3, 4, 5, 7, 8, 9, 16, 28, 64, 512, 513, 4096, 65536];
    let large = [1 << 31, 1 << 32, u64::MAX / 4, u64::MAX];
    let mut all: Vec<Value> = numbers.into_iter().chain(large).map(|n| json!(n)).collect();
    all.extend([
        json!(-1),
        json!(0.5),
        json!(1e39),
        json!(1e-300),
        Value::Null,
        json!(true),
        json!("valid"),
        json!("same"),
        json!("none"),
        json!("elu"),
        json!("full"),
        json!("learned"),
        json!("analytic"),
        json!([1, 1]),
        json!([4, 4, 4]),
        json!([u32::MAX, u32::MAX, u32::MAX]),
        json!([]),
        json!({}),
        layer("conv", 5),
        layer("deconv", 1 << 20),
        layer("dense", 9),
    ]);
    all
}

/// The description with some of its parts replaced, repeated, removed or added.
fn damaged(model: &Model, dice: &[(usize, usize)]) -> Value {
    let (mut value, hard) = (json!(model), hard());
    for &(place, how) in dice {
        let mut all = Vec::new();
        places(&value, "", &mut all);
        let at = &all[place % all.len()];
        let new = hard[how / 5 % hard.len()].clone();
        let Some(found) = value.pointer_mut(at) else {
            continue;
        };
        match (how % 5, found) {
            (0, Value::Array(items)) => items.push(new),
            (1, Value::Array(items)) => items.extend(items.clone()),
            (2, Value::Array(items)) => drop(items.pop()),
            (0, Value::Object(fields)) => {
                let names = [
                    "kernel", "stride", "size", "reshape", "dense", "labels", "sigma",
                ];
                fields.insert(names[how / 7 % names.len()].into(), new);
            }
            (1, Value::Object(fields)) => {
                let name = fields.keys().nth(how / 7 % fields.len().max(1)).cloned();
                name.map(|name| fields.remove(&name));
            }
            (_, found) => *found = new,
        }
    }
    value
}

// `PROPTEST_CASES=1000000 cargo test --release --test kernels no_description` is a fuzzer.
#[test]
fn no_description_panics() {
    let (valid, refused, unread) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let dice = prop::collection::vec((any::<usize>(), any::<usize>()), 1..=4);
    hold(31, 400, &(model(), dice), |(model, dice)| {
        let value = damaged(&model, &dice);
        let count = |which: &Cell<u32>| which.set(which.get() + 1);
        let Ok(model) = serde_json::from_value::<Model>(value) else {
            return count(&unread);
        };
        if let Err(error) = model.validate() {
            assert!(error.to_string().len() > 10, "{error}");
            return count(&refused);
        }
        count(&valid);
        let _ = model.params();
        for target in [Target::portable(), Target::gpu()] {
            let (feed, adam) = (Feed::Injected, Adam::default());
            for plan in [
                model::train_step(&model, feed, adam, 3, &target),
                model::evaluate(&model, feed, 3, &target),
                model::decode(&model, 3, &target).0,
            ] {
                if let Err(error) = plan.check() {
                    assert!(
                        matches!(
                            error,
                            PlanError::TooLarge { .. } | PlanError::TooManyGroups { .. }
                        ),
                        "{error}: {model:?}"
                    );
                }
            }
        }
    });
    let counts = [valid.get(), refused.get(), unread.get()];
    println!("valid, refused, unread: {counts:?}");
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
}

#[test]
fn models_of_filters_fit_images_of_any_size() {
    for image in [
        [4, 4, 1],
        [4, 512, 3],
        [5, 7, 1],
        [28, 28, 1],
        [31, 33, 3],
        [512, 512, 3],
    ] {
        for filters in [vec![4], vec![4, 4], vec![4; 5], vec![4; 8]] {
            let model = Filters::of_encoder(image, filters.clone()).model();
            model
                .validate()
                .unwrap_or_else(|e| panic!("{image:?}, {filters:?}: {e}"));
            let found = model.filters().expect("filters");
            assert_eq!(found.encoder_filters, filters);
        }
    }
}
