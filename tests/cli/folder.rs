//! The files of a run folder, as documented.

use cvae_gpu::ops::state::StepState;
use image::RgbImage;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Value, json};

use super::train::REFERENCE;

/// Names and shapes of the parameters, in Keras's layouts.
const PARAMETERS: [(&str, &[usize]); 14] = [
    ("encoder.conv1.kernel", &[3, 3, 1, 8]),
    ("encoder.conv1.bias", &[8]),
    ("encoder.conv2.kernel", &[3, 3, 8, 8]),
    ("encoder.conv2.bias", &[8]),
    ("encoder.dense.kernel", &[288, 4]),
    ("encoder.dense.bias", &[4]),
    ("decoder.dense.kernel", &[2, 392]),
    ("decoder.dense.bias", &[392]),
    ("decoder.deconv1.kernel", &[3, 3, 8, 8]),
    ("decoder.deconv1.bias", &[8]),
    ("decoder.deconv2.kernel", &[3, 3, 8, 8]),
    ("decoder.deconv2.bias", &[8]),
    ("decoder.deconv3.kernel", &[3, 3, 1, 8]),
    ("decoder.deconv3.bias", &[1]),
];

fn tensors(name: &str) -> SafeTensors<'static> {
    SafeTensors::deserialize(&REFERENCE.files[name]).expect(name)
}

/// A metadata entry, which is JSON.
fn metadata(name: &str, key: &str) -> Value {
    let (_, header) = SafeTensors::read_metadata(&REFERENCE.files[name]).expect(name);
    let entries = header.metadata().as_ref().expect("metadata");
    serde_json::from_str(&entries[key]).expect(key)
}

fn floats(file: &SafeTensors, name: &str, shape: &[usize]) -> Vec<f32> {
    let tensor = file.tensor(name).expect(name);
    assert_eq!(tensor.dtype(), Dtype::F32, "{name}");
    assert_eq!(tensor.shape(), shape, "{name}");
    let (values, rest) = tensor.data().as_chunks::<4>();
    assert!(rest.is_empty());
    let values: Vec<f32> = values.iter().map(|v| f32::from_le_bytes(*v)).collect();
    assert!(values.iter().all(|v| v.is_finite()), "{name}");
    values
}

fn picture(name: &str) -> RgbImage {
    let decoded = image::load_from_memory(&REFERENCE.files[name]);
    decoded.expect(name).to_rgb8()
}

#[test]
fn a_run_folder_holds_the_documented_files_and_no_others() {
    let expected = [
        ".lock",
        "checkpoint.safetensors",
        "config.json",
        "cvae.gif",
        "elbo.png",
        "events.out.tfevents.0.cvae-gpu",
        "image_at_epoch_0000.png",
        "image_at_epoch_0001.png",
        "image_at_epoch_0002.png",
        "manifold.png",
        "metrics.jsonl",
        "model.safetensors",
    ];
    assert_eq!(REFERENCE.names(), expected);
}

#[test]
fn config_json_records_the_options_of_the_run() {
    let config: Value = serde_json::from_slice(&REFERENCE.files["config.json"]).expect("JSON");
    let expected = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "image": [28, 28, 1],
        "latent_dim": 2,
        "encoder_filters": [8, 8],
        "decoder_base": 8,
        "decoder_filters": [8, 8],
        "loss": "mc",
        "data": "idx",
        "binarize": "threshold",
        "epochs": 2,
        "batch": 7,
        "lr": 1e-4,
        "seed": 0,
        "max_steps": null,
    });
    for (key, value) in expected.as_object().expect("an object") {
        assert_eq!(config[key], *value, "{key}");
    }
    assert_eq!(metadata("checkpoint.safetensors", "run"), config);
}

#[test]
fn metrics_give_each_epoch_a_complete_and_consistent_line() {
    let lines = REFERENCE.lines("metrics.jsonl");
    assert_eq!(lines.len(), 3);
    for (epoch, line) in lines.iter().enumerate() {
        let mut keys: Vec<&String> = line.as_object().expect("an object").keys().collect();
        keys.sort();
        let expected = [
            "adapter",
            "beta",
            "driver",
            "epoch",
            "eval_seconds",
            "images_per_second",
            "kl",
            "learning_rate",
            "reconstruction",
            "step",
            "test_elbo",
            "train_loss",
            "train_seconds",
            "variant",
        ];
        assert_eq!(keys, expected);
        let number = |key: &str| line[key].as_f64().expect(key);
        assert_eq!(line["epoch"], epoch);
        // 96 images in batches of 7: 13 full ones and one of 5.
        assert_eq!(line["step"], 14 * epoch);
        let elbo = number("reconstruction") - number("kl");
        assert!((number("test_elbo") - elbo).abs() < 1e-9, "{line}");
        assert!(number("eval_seconds") > 0.0);
        if epoch == 0 {
            // 784 pixels at one bit each are 543 nats, and the untrained model knows nothing.
            assert!((-600.0..-500.0).contains(&number("test_elbo")), "{line}");
            assert_eq!(number("train_seconds"), 0.0);
            assert!(line["train_loss"].is_null() && line["images_per_second"].is_null());
        } else {
            assert!(number("train_loss") > 0.0);
            let images = number("images_per_second") * number("train_seconds");
            assert!((images - 96.0).abs() < 1e-6, "{line}");
        }
        let adapter = line["adapter"].as_str().expect("a name");
        assert!(!adapter.is_empty() && REFERENCE.outcome.stderr.contains(adapter));
        assert!(line["driver"].is_string());
        let variant = line["variant"].as_str().expect("kernels");
        assert!(variant.starts_with("conv"), "{line}");
    }
    let [before, after] = [0, 2].map(|i: usize| lines[i]["test_elbo"].as_f64().expect("a number"));
    assert!(after > before, "training made {after} of {before}");
}

#[test]
fn pictures_have_the_documented_sizes_and_change_as_training_goes() {
    let names = [0, 1, 2].map(|epoch| format!("image_at_epoch_000{epoch}.png"));
    let pictures = names.each_ref().map(|name| picture(name));
    for picture in &pictures {
        assert_eq!(picture.dimensions(), (400, 400));
        // White between the images, and both ends of the scale within them.
        assert_eq!(picture.get_pixel(0, 0).0, [255; 3]);
        assert!(picture.pixels().any(|pixel| pixel.0 == [0; 3]));
    }
    assert!(pictures[0] != pictures[1] && pictures[1] != pictures[2]);
    assert_eq!(picture("manifold.png").dimensions(), (20 * 28, 20 * 28));
    let curve = picture("elbo.png");
    for colour in [[31, 119, 180], [255, 127, 14]] {
        let count = curve.pixels().filter(|p| p.0 == colour).count();
        // Two curves between epochs 1 and 2, and both in the legend.
        assert!(count > 800, "{count} pixels of {colour:?} in elbo.png");
    }
}

#[test]
fn the_animation_shows_the_pictures_of_all_epochs() {
    let mut options = gif::DecodeOptions::new();
    options.set_color_output(gif::ColorOutput::RGBA);
    let file = REFERENCE.files["cvae.gif"].as_slice();
    let mut decoder = options.read_info(file).expect("a GIF");
    assert_eq!((decoder.width(), decoder.height()), (400, 400));
    for epoch in 0..3 {
        let frame = decoder.read_next_frame().expect("GIF").expect("a frame");
        let still = picture(&format!("image_at_epoch_000{epoch}.png"));
        let colours: Vec<u8> = (frame.buffer.chunks(4))
            .flat_map(|p| &p[..3])
            .copied()
            .collect();
        assert!(
            colours == still.into_raw(),
            "frame {epoch} is another picture"
        );
    }
    assert!(decoder.read_next_frame().expect("GIF").is_none());
}

#[test]
fn the_model_file_holds_all_parameters_and_the_configuration() {
    let model = tensors("model.safetensors");
    for (name, shape) in PARAMETERS {
        let values = floats(&model, name, shape);
        assert!(values.iter().any(|v| *v != 0.0), "{name} was not trained");
    }
    assert_eq!(model.len(), PARAMETERS.len());
    let expected = json!({
        "image": [28, 28, 1],
        "latent_dim": 2,
        "encoder_filters": [8, 8],
        "decoder_base": 8,
        "decoder_filters": [8, 8],
        "loss": "mc",
        "data": null,
        "binarize": "threshold",
    });
    assert_eq!(metadata("model.safetensors", "config"), expected);
    assert_eq!(metadata("checkpoint.safetensors", "config"), expected);
}

#[test]
fn the_checkpoint_adds_both_moments_and_the_step_state() {
    let [model, checkpoint] = ["model.safetensors", "checkpoint.safetensors"].map(tensors);
    for (name, shape) in PARAMETERS {
        let [m, v] = ["adam_m", "adam_v"].map(|moment| format!("{moment}/{name}"));
        assert_eq!(
            floats(&model, name, shape),
            floats(&checkpoint, name, shape)
        );
        assert!(floats(&checkpoint, &m, shape).iter().any(|m| *m != 0.0));
        let second = floats(&checkpoint, &v, shape);
        assert!(second.iter().all(|v| *v >= 0.0), "{v}");
        assert!(second.iter().any(|v| *v > 0.0), "{v}");
    }
    assert_eq!(checkpoint.len(), 3 * PARAMETERS.len() + 1);
    let state = checkpoint.tensor("state").expect("state");
    assert_eq!(state.dtype(), Dtype::U32);
    let words: Vec<u32> = (state.data().as_chunks().0.iter())
        .map(|word| u32::from_le_bytes(*word))
        .collect();
    let state = StepState::from_words(&words).expect("six words");
    assert_eq!((state.step, state.epoch, state.position), (28, 2, 0));
}
