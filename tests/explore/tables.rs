//! The ELBO of `eval` and `score`.

use std::fs;
use std::path::Path;

use cvae_gpu::data::Depth;
use cvae_gpu::ops::elbo::TERMS;
use serde_json::Value;

use super::made::{COLOUR, COUNT, DRAWN, GREY, Made, folder};
use super::program::Cli;

fn float(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

#[track_caller]
fn near(found: f64, expected: f64, limit: f64) {
    assert!((found - expected).abs() < limit, "{found} for {expected}");
}

/// The columns of a table as numbers.
fn table(path: &Path, header: &str) -> Vec<Vec<f64>> {
    let text = fs::read_to_string(path).expect("a table");
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some(header));
    let row = |line: &str| {
        line.split(',')
            .map(|v| v.parse().expect("a number"))
            .collect()
    };
    lines.map(row).collect()
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len() as f64;
    values.sum::<f64>() / count
}

fn elbo([x, z, q, _]: [f64; TERMS]) -> f64 {
    x + z - q
}

fn check_terms(made: &Made) {
    let folder = folder();
    let terms = made.terms(&made.set.test.images, 3, 0);
    let cli = made.on_images("eval --json --seed 3 --batch 7", folder.path());
    let said = cli.with("--per-image each.csv").succeed().json();
    let keys: Vec<&String> = said.as_object().expect("an object").keys().collect();
    let mut expected = vec![
        "schema",
        "images",
        "elbo",
        "reconstruction",
        "kl",
        "log_pz",
        "log_qz_x",
    ];
    let is_real = made.set.test.images.depth() == Depth::Byte;
    expected.extend(is_real.then_some("bounds_log_px"));
    assert_eq!(keys, expected);
    assert_eq!(said["images"], COUNT);
    let of = |term: usize| mean(terms.iter().map(|t| t[term]));
    for (key, expected) in [
        ("elbo", mean(terms.iter().map(|t| elbo(*t)))),
        ("reconstruction", of(0)),
        ("kl", of(2) - of(1)),
        ("log_pz", of(1)),
        ("log_qz_x", of(2)),
    ] {
        near(float(&said[key]), expected, 2e-3);
    }
    let header = "index,label,elbo,reconstruction,kl";
    let rows = table(&folder.path().join("each.csv"), header);
    for (i, (row, terms)) in rows.iter().zip(&terms).enumerate() {
        assert_eq!(row[..2], [i as f64, (i % 4) as f64]);
        near(row[2], elbo(*terms), 5e-3);
        near(row[2], row[3] - row[4], 1e-5);
    }
    near(mean(rows.iter().map(|r| r[2])), float(&said["elbo"]), 1e-5);

    let cli = made.on_images("score --seed 3 --worst 4 --out worst.csv", folder.path());
    cli.succeed();
    let worst = table(&folder.path().join("worst.csv"), header);
    let mut order: Vec<&Vec<f64>> = rows.iter().collect();
    order.sort_by(|a, b| a[2].total_cmp(&b[2]));
    for (found, expected) in worst.iter().zip(&order) {
        assert_eq!(found[..2], expected[..2]);
        near(found[2], expected[2], 1e-3);
    }
    assert_eq!(worst.len(), 4);
}

#[test]
fn the_terms_of_grey_images_are_those_of_the_twins() {
    check_terms(&GREY);
}

#[test]
fn the_terms_of_colour_images_are_those_of_the_twins() {
    check_terms(&COLOUR);
}

#[test]
fn the_terms_of_drawn_images_are_those_of_the_twins() {
    check_terms(&DRAWN);
}

#[test]
fn images_in_windows_have_the_tables_of_those_that_are_all_there() {
    let folder = folder();
    let made = &*GREY;
    for command in [
        "eval --batch 4 --samples 2 --json --per-image",
        "score --batch 4 --out",
        "encode --batch 4 --out",
    ] {
        let table = |name: &str, words: &str| {
            let cli = made.on_images(&format!("{command} {name} {words}"), folder.path());
            let said = cli.succeed().stdout;
            (said, fs::read(folder.path().join(name)).expect("a table"))
        };
        let whole = table("whole.csv", "");
        let parts = table("parts.csv", "--data-memory 1K");
        assert!(whole.1 == parts.1, "{command}");
        if command.starts_with("eval") {
            assert_eq!(whole.0, parts.0);
        }
    }
}

// Draw k of the bound equals an evaluation at step k.
#[test]
fn the_bound_is_that_of_the_twins_and_rises_from_the_elbo() {
    let folder = folder();
    for made in [&*GREY, &*COLOUR] {
        let images = made.set.test.images.clone().first(10);
        let draws: Vec<_> = (0..3).map(|k| made.terms(&images, 0, k)).collect();
        let bound = |n: usize, samples: usize| {
            let weights: Vec<f64> = (0..samples).map(|k| elbo(draws[k][n])).collect();
            let largest = weights.iter().copied().fold(f64::MIN, f64::max);
            let sum: f64 = weights.iter().map(|w| (w - largest).exp()).sum();
            largest + (sum / samples as f64).ln()
        };
        let mut last = f64::MIN;
        for samples in [1, 3] {
            let command = format!("eval --limit 10 --batch 4 --json --samples {samples}");
            let cli = made.on_images(&command, folder.path());
            let said = cli.with("--per-image each.csv").succeed().json();
            assert_eq!(said["iwae_samples"], samples);
            let iwae = float(&said["iwae"]);
            near(iwae, mean((0..10).map(|n| bound(n, samples))), 2e-3);
            assert!(iwae > last);
            last = iwae;
            if samples == 1 {
                near(iwae, float(&said["elbo"]), 1e-3);
            }
            let header = "index,label,elbo,reconstruction,kl,iwae";
            let rows = table(&folder.path().join("each.csv"), header);
            for (n, row) in rows.iter().enumerate() {
                near(row[5], bound(n, samples), 5e-3);
            }
        }
    }
}

#[test]
fn the_text_names_each_value_and_the_number_of_images() {
    let folder = folder();
    let cli = GREY.on_images("eval --split train --samples 2", folder.path());
    let outcome = cli.succeed();
    for words in [
        "the mean of 9\n",
        "reconstruction ",
        "KL ",
        "IWAE ",
        "with 2 samples",
    ] {
        assert!(outcome.stdout.contains(words), "{outcome}");
    }
}

// assets/golden/README.md describes the weights and the figures.
#[test]
fn weights_that_tensorflow_trained_have_their_elbo() {
    let model = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/assets/golden/trained.safetensors"
    );
    let cli = Cli::new("eval --limit 1000 --samples 4 --json --model").path(Path::new(model));
    let said = cli.on_adapter().succeed().json();
    near(float(&said["elbo"]), ELBO, 1e-3);
    near(float(&said["iwae"]), BOUND, 1e-3);
}

/// The ELBO and the bound of four draws in double precision.
const ELBO: f64 = -155.624_221;
const BOUND: f64 = -153.704_282;
