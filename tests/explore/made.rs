//! Made-up models and image sets in a folder that all tests share, and their results on the twins.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use cvae_gpu::data::{Binarize, ImageSet, PackedImages, Split, packed};
use cvae_gpu::explore::plans;
use cvae_gpu::files::npy;
use cvae_gpu::model::params;
use cvae_gpu::model::{self, Feed, Filters, Model};
use cvae_gpu::ops::Target;
use cvae_gpu::ops::elbo::TERMS;
use cvae_gpu::ops::fetch::Packed;
use cvae_gpu::ops::rng::Order;
use cvae_gpu::ops::state::StepState;
use cvae_gpu::plan::Plan;
use cvae_gpu::plan::cpu::{Memory, Values};
use cvae_gpu::rng::{self, Stream};
use cvae_gpu::saved::Trained;
use tempfile::TempDir;

use super::program::Cli;

/// Test images of each set; no batch size of the tests divides it.
pub const COUNT: usize = 23;

/// A model, its images, and their files.
pub struct Made {
    pub trained: Trained,
    pub set: ImageSet,
    pub model: PathBuf,
    pub data: PathBuf,
}

static ROOT: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a folder"));

/// Binarized images of 28×28×1, two latent dimensions.
pub static GREY: LazyLock<Made> = LazyLock::new(|| {
    let model = Filters {
        encoder_filters: vec![8, 8],
        decoder_base: 8,
        decoder_filters: vec![8, 8],
        ..Filters::default()
    }
    .model();
    Made::new("grey", model, Binarize::Threshold)
});

/// Real-valued images of 32×32×3, three latent dimensions.
pub static COLOUR: LazyLock<Made> = LazyLock::new(|| {
    let model = Filters {
        image: [32, 32, 3],
        latent_dim: 3,
        encoder_filters: vec![4, 8],
        decoder_base: 8,
        decoder_filters: vec![8, 4],
        ..Filters::default()
    }
    .model();
    Made::new("colour", model, Binarize::None)
});

/// The tutorial's model, on grey images of 28×28×1 as they are.
pub static TUTORIAL: LazyLock<Made> =
    LazyLock::new(|| Made::new("tutorial", Model::default(), Binarize::None));

/// Colour images of 32×32×3, five latent dimensions, distinct widths that are no powers of 2.
pub static ODD: LazyLock<Made> = LazyLock::new(|| {
    let model = Filters {
        image: [32, 32, 3],
        latent_dim: 5,
        encoder_filters: vec![7, 13],
        decoder_base: 9,
        decoder_filters: vec![11, 6],
        ..Filters::default()
    }
    .model();
    Made::new("odd", model, Binarize::None)
});

/// A model by its description, on grey levels.
fn described(name: &str, text: &str) -> Made {
    let model: Model = serde_json::from_str(text).expect("a model");
    model.validate().expect("a valid model");
    Made::new(name, model, Binarize::None)
}

/// Images of 7×5×3 with four classes; a full posterior, and a Gaussian around a sigmoid.
pub static LABELLED: LazyLock<Made> = LazyLock::new(|| {
    let text = r#"{"image": [7, 5, 3], "arch": {"latent_dim": 3, "posterior": "full",
        "likelihood": "gaussian", "mean": "sigmoid", "shift": 0.5, "labels": 4, "encoder": [
            {"conv": 4, "kernel": 2, "stride": 2, "activation": "elu"},
            {"conv": 5, "kernel": 3, "padding": "valid", "activation": "leaky-relu"},
            {"dense": 6, "activation": "tanh"}],
        "decoder": [
            {"dense": 24, "reshape": [4, 3, 2], "activation": "sigmoid"},
            {"deconv": 3, "kernel": 5, "stride": 2, "size": [7, 5], "activation": "leaky-relu"},
            {"conv": 3, "kernel": 1}]}}"#;
    described("labelled", text)
});

/// Images of 11×8×1; the code is a pixel, and strides are larger than kernels.
pub static PIXEL: LazyLock<Made> = LazyLock::new(|| {
    let text = r#"{"image": [11, 8, 1], "arch": {"latent_dim": 4,
        "likelihood": "continuous-bernoulli", "encoder": [
            {"conv": 3, "kernel": 2, "stride": 3, "padding": "valid", "activation": "relu"},
            {"conv": 6, "kernel": 2, "stride": 3}],
        "decoder": [
            {"deconv": 5, "kernel": 2, "stride": 3, "padding": "valid", "activation": "elu"},
            {"deconv": 4, "kernel": 1, "stride": 2, "activation": "tanh"},
            {"dense": 88}]}}"#;
    described("pixel", text)
});

/// Images of 28×28×1 which were drawn for the model.
pub static DRAWN: LazyLock<Made> = LazyLock::new(|| {
    let model = GREY.trained.model.clone();
    Made::new("drawn", model, Binarize::Stochastic)
});

impl Made {
    fn new(name: &str, model: Model, binarize: Binarize) -> Self {
        let specs = model.params();
        let start = params::initial(&specs, 5);
        // Larger weights than an untrained model has, so that codes and images differ.
        let larger = |(spec, values): (_, Vec<f32>)| {
            let values = values.into_iter().map(|v| 2.0 * v).collect();
            (spec, values)
        };
        let trained = Trained {
            weights: specs.into_iter().zip(start).map(larger).collect(),
            data: None,
            classes: Vec::new(),
            binarize,
            model,
        };
        let split = |count: usize, seed: u64| {
            let values = count * trained.model.image.iter().product::<usize>();
            let pixels = rng::uniform(values, 127.5, 0, rng::key(seed)).into_iter();
            let pixels: Vec<u8> = pixels.map(|v| (v + 127.5) as u8).collect();
            Split {
                images: PackedImages::from_bytes(trained.model.image, &pixels, binarize),
                labels: Some(labels(count)),
                names: None,
            }
        };
        let set = ImageSet::new(name, split(9, 1), split(COUNT, 2));
        let model = ROOT.path().join(format!("{name}.safetensors"));
        trained.to_file().write(&model).expect("a model file");
        let data = ROOT.path().join(format!("{name}-set.safetensors.gz"));
        let bytes = packed::write(&set, &packed::Provenance::default()).expect("a set");
        fs::write(&data, bytes).expect("a data file");
        Made {
            set: set.binarized(binarize).expect("a set"),
            trained,
            model,
            data,
        }
    }

    /// A command on the model, in a folder of its own.
    pub fn on_model(&self, command: &str, folder: &Path) -> Cli {
        let cli = Cli::new(command).on_adapter().within(folder);
        cli.with("--model").path(&self.model)
    }

    /// A command on the model and the images.
    pub fn on_images(&self, command: &str, folder: &Path) -> Cli {
        self.on_model(command, folder)
            .with("--data")
            .path(&self.data)
    }

    /// Fills a plan of the twins and runs it this number of times.
    fn twin(&self, plan: &Plan, fill: &[(&str, Values)], times: usize, result: &str) -> Vec<f64> {
        let mut memory = Memory::default();
        memory.fit(plan);
        for (spec, values) in &self.trained.weights {
            memory.set_floats(plan, &spec.name, values);
        }
        for (name, values) in fill {
            memory.set(plan, plan.find(name).expect(name), values);
        }
        (0..times).for_each(|_| memory.run(plan));
        memory.floats(plan, result)
    }

    /// Parameters of the posteriors of images, the first of the test split: `[N, 2L]` where it is
    /// diagonal.
    pub fn codes(&self, images: &PackedImages) -> Vec<f64> {
        let (model, target) = (&self.trained.model, Target::portable());
        let count = images.count();
        let (plan, slot) = plans::encode(model, Packed::of(images), count, &target);
        let mut fill = vec![(plans::IMAGES, Values::Words(images.device_words().unwrap()))];
        if model.labels > 0 {
            fill.push((plans::LABELS, Values::Words(labels(count))));
        }
        self.twin(&plan, &fill, 1, &plan[slot].name)
    }

    /// Probabilities of codes `[N, L]`; of a conditioned model, with the labels of the first images.
    pub fn probabilities(&self, z: &[f64]) -> Vec<f64> {
        let model = &self.trained.model;
        let count = z.len() / model.latent_dim;
        let (plan, slot) = model::decode(model, count, &Target::portable());
        let mut fill = vec![("codes", Values::Floats(z.to_vec()))];
        if model.labels > 0 {
            fill.push(("labels", Values::Words(labels(count))));
        }
        self.twin(&plan, &fill, 1, &plan[slot].name)
    }

    /// log p(x|z), log p(z), log q(z|x) and KL of each image, for draw `k` of a seed.
    pub fn terms(&self, images: &PackedImages, seed: u64, k: u32) -> Vec<[f64; TERMS]> {
        let feed = Feed::Images("test.images", Packed::of(images), Order::File);
        let plan = model::evaluate(
            &self.trained.model,
            feed,
            images.count(),
            &Target::portable(),
        );
        let mut state = StepState::start(seed, Stream::Evaluate);
        state.step = k;
        let fill = [
            ("test.images", Values::Words(images.device_words().unwrap())),
            ("evaluate.state", Values::Words(state.to_words().to_vec())),
        ];
        let table = self.twin(&plan, &fill, 1, "terms");
        table.as_chunks().0.to_vec()
    }
}

/// The labels of a split.
pub fn labels(count: usize) -> Vec<u32> {
    (0..count as u32).map(|i| i % 4).collect()
}

/// A folder for one test.
pub fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// An array that a command wrote.
pub fn array(path: &Path, shape: &[usize]) -> Vec<f32> {
    let array = npy::read(path).expect("an array");
    assert_eq!(array.shape, shape);
    array.as_f32().expect("floats").to_vec()
}

/// Two arrays agree within single precision.
#[track_caller]
pub fn agree(found: &[f32], expected: &[f64], limit: f64) {
    assert_eq!(found.len(), expected.len());
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(*found) - expected).abs();
        assert!(error < limit, "{found} for {expected} at {i}");
    }
}
