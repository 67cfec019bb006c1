//! The model: its parameters, their initial values, and the checks of every plan.

use cvae_gpu::data::{Depth, PackedImages};
use cvae_gpu::model::params::{ParamSpec, initial};
use cvae_gpu::model::prior::{latent_grid, normal_quantiles};
use cvae_gpu::model::{
    Feed, Filters, Likelihood, Model, ModelError, decode, evaluate, reconstruct, sum_terms,
    train_step,
};
use cvae_gpu::ops::Target;
use cvae_gpu::ops::adam::Adam;
use cvae_gpu::ops::fetch::Packed;
use cvae_gpu::ops::rng::Order;
use cvae_gpu::plan::PlanError;

fn parameters(model: &Model) -> usize {
    model.params().iter().map(ParamSpec::len).sum()
}

#[test]
fn the_default_model_has_the_tutorials_parameters() {
    assert_eq!(parameters(&Model::default()), 69_989);
    for latent_dim in [1, 10, 64] {
        let model = Model {
            latent_dim,
            ..Model::default()
        };
        let expected = 18_816 + 2_305 * 2 * latent_dim + 37_249 + 1_568 * (latent_dim + 1);
        assert_eq!(parameters(&model), expected);
    }
}

#[test]
fn the_batch_that_a_refusal_names_fits_and_one_more_does_not() {
    let (model, target) = (Model::default(), Target::portable());
    let step = |b| train_step(&model, Feed::Injected, Adam::default(), b, &target).check();
    let Err(PlanError::TooLarge { fits, .. }) = step(50_000) else {
        panic!("a batch of 50 000 is refused for its size");
    };
    let fits = fits.expect("a batch that fits");
    assert!(step(fits).is_ok());
    let refused = step(fits + 1).expect_err("one image too many");
    assert!(refused.to_string().contains(&format!("up to {fits} fits")));
}

#[test]
fn every_plan_passes_its_check() -> Result<(), PlanError> {
    let target = Target::portable();
    let models = [
        Model::default(),
        Filters {
            image: [32, 32, 3],
            latent_dim: 7,
            ..Filters::default()
        }
        .model(),
        Filters {
            encoder_filters: vec![16, 48],
            decoder_filters: vec![48, 16],
            ..Filters::default()
        }
        .model(),
        Filters {
            encoder_filters: vec![5, 33],
            decoder_base: 3,
            ..Filters::default()
        }
        .model(),
    ];
    for model in models {
        let data = Packed {
            shape: model.image,
            count: 100,
            depth: Depth::Bit,
            drawn: false,
            flipped: false,
            window: 100,
        };
        let feed = Feed::Images("train.images", data, Order::Shuffled);
        for batch in [1, 7, 32] {
            train_step(&model, feed, Adam::default(), batch, &target).check()?;
            train_step(&model, Feed::Injected, Adam::default(), batch, &target).check()?;
            evaluate(&model, feed, batch, &target).check()?;
            reconstruct(&model, feed, batch, &target).check()?;
            decode(&model, batch, &target).0.check()?;
        }
    }
    sum_terms(10_000, &target).check()
}

#[test]
fn glorot_limits_are_keras() {
    for (shape, limit) in [
        (vec![3, 3, 1, 32], 0.142_133_8),
        (vec![3, 3, 32, 64], 0.083_333_3),
        (vec![2304, 4], 0.050_986_8),
        (vec![2, 1568], 0.061_819_5),
        (vec![3, 3, 64, 32], 0.083_333_3),
    ] {
        let found = ParamSpec::kernel("layer", &shape).limit;
        assert!((found - limit).abs() < 5e-8, "{shape:?}: {found}");
    }
}

#[test]
fn initial_kernels_fill_their_range_and_biases_are_zero() {
    let specs = [ParamSpec::kernel("a", &[100, 60]), ParamSpec::bias("a", 60)];
    let values = initial(&specs, 1);
    let limit = specs[0].limit as f32;
    let largest = values[0].iter().fold(0f32, |m, v| m.max(v.abs()));
    assert!(largest <= limit && largest > 0.99 * limit);
    let mean = values[0].iter().sum::<f32>() / values[0].len() as f32;
    assert!(mean.abs() < 0.03 * limit, "mean {mean}");
    assert!(values[1].iter().all(|v| *v == 0.0));
    assert_ne!(values, initial(&specs, 2));
}

#[test]
fn quantiles_rise_symmetrically_around_the_median() {
    assert_eq!(normal_quantiles(1), [0.0]);
    for n in 0..40 {
        let quantiles = normal_quantiles(n);
        assert!(quantiles.is_sorted_by(|a, b| a < b));
        assert!((0..n).all(|i| quantiles[i] == -quantiles[n - 1 - i]));
    }
}

#[test]
fn latent_codes_run_right_then_down() {
    let high = normal_quantiles(2)[1] as f32;
    let signs = [-1.0, -1.0, 1.0, -1.0, -1.0, 1.0, 1.0, 1.0];
    assert_eq!(latent_grid(2), signs.map(|sign: f32| sign * high));
}

#[test]
fn images_of_any_numbers_need_a_gaussian() {
    let gaussian = Model {
        likelihood: Likelihood::Gaussian,
        range: Some([-2.5, 3.0]),
        ..Model::default()
    };
    gaussian.validate().expect("a model");
    let json = serde_json::to_string(&gaussian).unwrap();
    assert!(json.contains("\"range\":[-2.5,3.0]"), "{json}");
    assert_eq!(serde_json::from_str::<Model>(&json).unwrap(), gaussian);
    for likelihood in [Likelihood::Bernoulli, Likelihood::ContinuousBernoulli] {
        let other = Model {
            likelihood,
            ..gaussian.clone()
        };
        assert!(matches!(other.validate(), Err(ModelError::Values(_))));
        let images = PackedImages::from_floats([28, 28, 1], &[0.5; 784]);
        assert!(matches!(other.takes(&images), Err(ModelError::Values(_))));
        gaussian.takes(&images).expect("any numbers");
    }
    for range in [
        [1.0, 1.0],
        [2.0, 1.0],
        [f32::NAN, 1.0],
        [0.0, f32::INFINITY],
    ] {
        let range = Some(range);
        let wrong = Model {
            range,
            ..gaussian.clone()
        };
        assert!(matches!(wrong.validate(), Err(ModelError::Range { .. })));
    }
}
