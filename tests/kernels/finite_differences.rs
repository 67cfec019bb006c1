//! Gradients of the CPU twins against central differences of their loss. Needs no GPU.
//!
//! In double precision a central difference with a step of 1e-5 has an error of 1e-10 from curvature
//! and 1e-11 from rounding of a loss of about 50, relative to slopes of about 1. Weights and biases are
//! drawn so that no ReLU is within a step of its kink.

use std::collections::BTreeSet;

use crate::common::{entry_points, uniform};
use cvae_gpu::model::{self, Feed, Filters, Loss, Model, Recipe};
use cvae_gpu::ops::conv::Variant;
use cvae_gpu::ops::elbo::COLUMNS;
use cvae_gpu::ops::state::StepState;
use cvae_gpu::ops::{Target, Tiles, Tuning};
use cvae_gpu::plan::cpu::{Memory, Values};
use cvae_gpu::plan::{Caps, Plan};
use cvae_gpu::rng::Stream;

const STEP: f64 = 1e-5;

/// Steps that are done before, so that the weight of the KL term may have begun to rise.
const DONE: usize = 1;

/// A train step and its initial values.
struct Start {
    plan: Plan,
    memory: Memory,
}

impl Start {
    fn new(model: &Model, recipe: Recipe, batch: usize, target: &Target) -> Self {
        let plan = model::train_step(model, Feed::Injected, recipe, batch, target);
        plan.check().expect("a sound plan");
        let mut memory = Memory::default();
        memory.fit(&plan);
        let mut draw = |name: &str, limit: f64, shift: f32, seed: u64| {
            let len = plan[plan.find(name).expect(name)].len();
            let values: Vec<f32> = uniform(len, limit, seed)
                .iter()
                .map(|v| v + shift)
                .collect();
            memory.set_floats(&plan, name, &values);
        };
        draw("x", 0.5, 0.5, 1);
        draw("eps", 2.0, 0.0, 2);
        for (i, param) in model.params().iter().enumerate() {
            // Biases too. Kernels are twice the initial ones, so that the latent code matters.
            let limit = if param.limit > 0.0 {
                2.0 * param.limit
            } else {
                0.3
            };
            draw(&param.name, limit, 0.0, 10 + i as u64);
        }
        let state = StepState {
            step: DONE as u32,
            ..StepState::start(1, Stream::Train)
        };
        memory.set_words(&plan, "state", &state.to_words());
        if model.labels > 0 {
            let labels: Vec<u32> = (0..batch).map(|n| (n % model.labels) as u32).collect();
            memory.set_words(&plan, "labels", &labels);
        }
        Start { plan, memory }
    }

    fn floats(&self, name: &str) -> Vec<f64> {
        self.memory.floats(&self.plan, name)
    }

    /// The loss with `values` in the tensor `name`.
    fn loss(&self, name: &str, values: &[f64]) -> f64 {
        let mut memory = self.memory.clone();
        let id = self.plan.find(name).expect(name);
        memory.set(&self.plan, id, &Values::Floats(values.to_vec()));
        memory.run(&self.plan);
        memory.floats(&self.plan, "metrics")[DONE * COLUMNS]
    }

    /// The slope of the loss in a direction.
    fn slope(&self, name: &str, direction: &[f64]) -> f64 {
        let at = self.floats(name);
        let moved = |by: f64| {
            let pairs = at.iter().zip(direction);
            let values: Vec<f64> = pairs.map(|(v, d)| v + by * d).collect();
            self.loss(name, &values)
        };
        (moved(STEP) - moved(-STEP)) / (2.0 * STEP)
    }
}

/// Checks each parameter in the direction of all its values and along a few of its axes.
fn check(
    model: &Model,
    recipe: Recipe,
    batch: usize,
    target: &Target,
) -> BTreeSet<(&'static str, &'static str)> {
    let start = Start::new(model, recipe, batch, target);
    let mut after = start.memory.clone();
    after.run(&start.plan);
    for (i, param) in model.params().iter().enumerate() {
        let name = &param.name;
        let grad = after.floats(&start.plan, &format!("grad/{name}"));
        let all = uniform(grad.len(), 1.0, 100 + i as u64).into_iter();
        let mut directions: Vec<Vec<f64>> = vec![all.map(f64::from).collect()];
        for axis in [0, grad.len() / 3, grad.len() - 1] {
            let mut direction = vec![0.0; grad.len()];
            direction[axis] = 1.0;
            directions.push(direction);
        }
        for direction in directions {
            let found: f64 = grad.iter().zip(&direction).map(|(g, d)| g * d).sum();
            let expected = start.slope(name, &direction);
            assert!(
                (found - expected).abs() < 1e-6 * expected.abs().max(0.1),
                "`grad/{name}`: {found} where the loss has a slope of {expected}; {target:?}"
            );
        }
    }
    let kernels = start.plan.steps().iter().map(|s| &s.kernel);
    kernels.map(|k| (k.source.name, k.entry)).collect()
}

fn models() -> [Model; 2] {
    let odd = Filters {
        image: [8, 12, 1],
        latent_dim: 3,
        encoder_filters: vec![3, 5],
        decoder_base: 5,
        decoder_filters: vec![3, 7],
        beta: 0.5,
        ..Filters::default()
    }
    .model();
    let wide = Filters {
        image: [12, 12, 3],
        latent_dim: 2,
        encoder_filters: vec![16, 32],
        decoder_base: 16,
        decoder_filters: vec![24, 16],
        loss: Loss::AnalyticKl,
        beta: 4.0,
    }
    .model();
    [odd, wide]
}

/// Models by descriptions: every posterior, likelihood and activation, labels, shift, loss scale.
fn described() -> [Model; 3] {
    [
        r#"{"image": [7, 5, 2], "arch": {"latent_dim": 3, "posterior": "full", "kl": "analytic",
            "likelihood": "gaussian", "mean": "sigmoid", "beta": 2, "shift": 0.5, "labels": 3,
            "loss_scale": 0.1, "encoder": [
                {"conv": 4, "kernel": 2, "stride": 2, "activation": "elu"},
                {"dense": 6, "activation": "tanh"}],
            "decoder": [
                {"dense": 24, "reshape": [4, 3, 2], "activation": "sigmoid"},
                {"deconv": 3, "kernel": 5, "stride": 2, "size": [7, 5], "activation": "leaky-relu"},
                {"conv": 2, "kernel": 1}]}}"#,
        r#"{"image": [6, 6, 1], "arch": {"latent_dim": 4, "posterior": "full",
            "likelihood": "continuous-bernoulli", "encoder": [], "decoder": [
                {"deconv": 5, "padding": "valid", "activation": "tanh"},
                {"deconv": 1, "stride": 2}]}}"#,
        r#"{"image": [5, 4, 1], "arch": {"latent_dim": 2, "likelihood": "gaussian", "sigma": 0.3,
            "encoder": [{"dense": 7, "activation": "elu"}], "decoder": [{"dense": 20}]}}"#,
    ]
    .map(|text| serde_json::from_str(text).expect("a model"))
}

/// A software adapter with subgroups, which uses the most variants, with textures or buffers.
fn software(texels: bool, pinned: Option<Variant>) -> Target {
    let target = Target::new(Caps {
        subgroup_min: 8,
        subgroup_max: 8,
        software: true,
        ..Caps::portable()
    });
    target.tuned(&Tuning {
        texels: Some(texels),
        variant: pinned,
        ..Tuning::default()
    })
}

/// A GPU that always uses tiles of this size, with textures or buffers.
fn tiles(tiles: Tiles, texels: bool) -> Target {
    Target::gpu().tuned(&Tuning {
        tiles: Some(tiles),
        texels: Some(texels),
        groups: Some(4),
        ..Tuning::default()
    })
}

#[test]
fn gradients_of_every_twin_are_the_slopes_of_the_loss() {
    let (mut used, plain) = (BTreeSet::new(), Recipe::default());
    for model in models() {
        for target in [
            Target::portable(),
            Target::gpu(),
            tiles(Tiles::Small, false),
            tiles(Tiles::Medium, true),
            tiles(Tiles::Large, false),
            software(false, None),
            software(true, None),
            software(false, Some(Variant::Tile)),
            software(true, Some(Variant::Tile)),
            software(false, Some(Variant::Plain)),
        ] {
            // A dense layer as a thin convolution needs rows of four images; on GPUs more images
            // exercise the reductions.
            let batch = if target.caps.software { 4 } else { 12 };
            used.extend(check(&model, plain, batch, &target));
        }
    }
    for model in described() {
        for target in [
            Target::portable(),
            Target::gpu(),
            software(false, None),
            software(true, None),
        ] {
            used.extend(check(&model, plain, 4, &target));
        }
    }
    // Two of three parts of the KL term's weight, and free bits between those of its dimensions.
    let warm = Recipe {
        kl_warmup: 1.5,
        ..plain
    };
    let ([full, ..], [_, diagonal]) = (described(), models());
    for model in [full, diagonal] {
        let start = Start::new(&model, warm, 4, &Target::portable());
        let mut after = start.memory.clone();
        after.run(&start.plan);
        let weights = after.floats(&start.plan, "kl.weights");
        let nats = &weights[model.latent_dim..2 * model.latent_dim];
        let (least, most) = (nats.iter()).fold((f64::MAX, 0.0_f64), |(least, most), n| {
            (least.min(*n), most.max(*n))
        });
        assert!(most > 1.02 * least, "{nats:?}");
        let free = Recipe {
            free_bits: 0.5 * (least + most),
            ..warm
        };
        used.extend(check(&model, free, 4, &Target::portable()));
    }
    // A train step with injected inputs has no kernels for evaluation, pictures, drawing, fetching,
    // bounds, peaks and subgroups.
    let others = ["fetch", "front", "importance", "lanes", "peak", "rng"];
    let entries = entry_points().into_iter();
    let missing: Vec<_> = entries
        .filter(|(module, entry)| {
            !others.contains(module) && !used.iter().any(|u| *u == (*module, entry))
        })
        .map(|(module, entry)| format!("{module}::{entry}"))
        .collect();
    // Clipping is no gradient of the loss.
    let expected = [
        "bce::decode",
        "clip::squares",
        "clip::clip",
        "elbo::record",
        "gaussian::loss",
        "gaussian::loss_learned",
        "gaussian::decode",
        "gaussian::decode_reals",
        "input::gather",
    ];
    assert_eq!(missing, expected);
}
