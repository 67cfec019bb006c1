//! `config.json`: exact values, refused values, and the place of the data.

use std::path::{Path, PathBuf};

use cvae_gpu::data::{Binarize, Fit, Order, Prepare, Size};
use cvae_gpu::gpu::Selection;
use cvae_gpu::model::Model;
use cvae_gpu::run::config::RunConfig;
use cvae_gpu::train::Every;

#[test]
fn data_are_found_from_the_run_folder() {
    let root = tempfile::tempdir().unwrap();
    let [run, data] = ["runs/idx-1", "sets/idx"].map(|name| root.path().join(name));
    for folder in [&run, &data] {
        std::fs::create_dir_all(folder).unwrap();
    }
    let mut config = example();
    config.locate(&data.to_string_lossy(), &run);
    let way = Path::new("..").join("..").join("sets").join("idx");
    assert_eq!(config.data_path.as_deref(), Some(way.as_path()));
    let found = PathBuf::from(&config.sources(&run)[0]).canonicalize();
    assert_eq!(found.unwrap(), data.canonicalize().unwrap());
    config.locate("mnist", &run);
    assert_eq!(config.sources(&run), ["mnist"]);
}

fn example() -> RunConfig {
    RunConfig {
        version: "0.1.0".into(),
        model: Model::default(),
        data: "mnist".into(),
        data_path: None,
        data_sha256: None,
        classes: Vec::new(),
        prepare: Prepare {
            size: Some(Size::Square(64)),
            fit: Fit::Pad,
            array: Some("x".into()),
            image_size: None,
            labels: Some("/somewhere/labels.csv".into()),
            background: Some([0, 128, 255]),
            skip_broken: true,
            channels: Some(3),
            test_fraction: Some(0.1 + 0.2),
            order: Order::Natural,
        },
        binarize: Binarize::Threshold,
        flip: true,
        epochs: 10,
        batch: 32,
        lr: 1e-4,
        extras: Default::default(),
        seed: u64::MAX,
        max_steps: None,
        checkpoint_every: Every::Minutes(2.5),
        eval_every: 2,
        val_fraction: Some(0.2 + 0.1),
        patience: Some(3),
        init: Some("other/model.safetensors".into()),
        log_every: Some(100),
        images: true,
        device: Selection::default(),
    }
}

#[test]
fn every_value_survives_exactly() {
    // Neither number has a short decimal form.
    for lr in [0.1 + 0.2, 1.0 / 3.0, f64::MIN_POSITIVE] {
        let model = Model {
            beta: lr,
            ..Model::default()
        };
        let config = RunConfig {
            lr,
            model,
            ..example()
        };
        let bytes = serde_json::to_vec_pretty(&config).unwrap();
        assert_eq!(RunConfig::from_bytes(&bytes), Ok(config));
    }
}

#[test]
fn values_which_the_command_line_refuses_are_refused_here() {
    for (key, value) in [
        ("epochs", "0"),
        ("batch", "0"),
        ("batch", "4294967296"),
        ("latent_dim", "0"),
        ("latent_dim", "1152921504606846976"),
        ("max_steps", "0"),
        ("eval_every", "0"),
        ("log_every", "0"),
        ("lr", "-1.0"),
        ("beta", "-1.0"),
        ("beta", "1e39"),
        ("checkpoint_every", "\"sometimes\""),
        ("prepare", r#"{"size": 3}"#),
        ("prepare", r#"{"channels": 4}"#),
        ("prepare", r#"{"test_fraction": 1.0}"#),
        ("image", "[27, 3, 1]"),
        ("encoder_filters", "[65537, 8]"),
    ] {
        let mut json = serde_json::to_value(example()).unwrap();
        json[key] = serde_json::from_str(value).unwrap();
        let bytes = serde_json::to_vec(&json).unwrap();
        assert!(RunConfig::from_bytes(&bytes).is_err(), "{key}: {value}");
    }
    assert!(RunConfig::from_bytes(&vec![b' '; 2 << 20]).is_err());
}

#[test]
fn a_number_out_of_range_is_named_with_the_range() {
    for (key, value, words) in [
        (
            "epochs",
            0.into(),
            "`epochs` is 0, but must be from 1 to 4294967295",
        ),
        ("lr", 0.into(), "`lr` is 0, but must be above 0"),
        (
            "val_fraction",
            1.into(),
            "`val_fraction` is 1, but must be between 0 and 1",
        ),
    ] {
        let mut json: serde_json::Value = serde_json::to_value(example()).unwrap();
        json[key] = value;
        let bytes = serde_json::to_vec(&json).unwrap();
        assert_eq!(RunConfig::from_bytes(&bytes), Err(words.to_owned()));
    }
}
