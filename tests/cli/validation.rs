//! Validation images, the best epoch, early stopping, and the weights of another model as the first.

use std::fs;

use cvae_gpu::files::tensors::TensorFile;
use serde_json::Value;

use super::resume::Place;

const BEST: &str = "model.best.safetensors";
const MODEL: &str = "model.safetensors";

/// The lines of a run's metrics.
fn lines(place: &Place, run: &str) -> Vec<Value> {
    let text = place.files(run).remove("metrics.jsonl").expect("metrics");
    let text = String::from_utf8(text).expect("UTF-8");
    let parse = |line| serde_json::from_str(line).expect("JSON");
    text.lines().map(parse).collect()
}

/// The trained epoch with the highest validation ELBO.
fn best(lines: &[Value]) -> &Value {
    let elbo = |line: &&Value| line["validation_elbo"].as_f64().expect("a number");
    let trained = lines[1..].iter();
    let best = trained.reduce(|a, b| if elbo(&b) > elbo(&a) { b } else { a });
    best.expect("a line")
}

#[test]
fn the_best_epoch_is_kept_whole_or_in_pieces() {
    let place = Place::new();
    // A rate at which the ELBO goes up and down.
    let words = "--epochs 5 --val-fraction 0.25 --lr 0.1 --seed 3 --no-images";
    let whole = place.start("whole", words).succeed();
    let said = "72 training, 24 validation and 40 test images";
    assert!(whole.stderr.contains(said), "{whole}");
    assert_eq!(whole.stderr.matches(", validation -").count(), 6, "{whole}");
    let lines = lines(&place, "whole");
    let best = best(&lines);
    assert_ne!(
        best["epoch"], 5,
        "the test needs a best epoch before the last: {lines:?}"
    );
    let files = place.files("whole");
    assert_ne!(files[BEST], files[MODEL]);
    // A run that ends there has its weights.
    let words_short = format!("{words} --max-steps {}", best["step"]);
    place.start("short", &words_short).succeed();
    assert!(place.files("short")[MODEL] == files[BEST]);
    place
        .start("parts", &format!("{words} --max-steps 15"))
        .succeed();
    place.resume("parts", "--max-steps 30").succeed();
    place.resume("parts", "--max-steps 1000").succeed();
    place.check_same("parts", "whole");
    // Held-out images take no part in training.
    place.start("all", "--epochs 1 --no-images").succeed();
    assert!(!place.files("all").contains_key(BEST));
}

#[test]
fn training_ends_where_the_validation_elbo_stops_rising() {
    let place = Place::new();
    // The ELBO of constant weights changes by its noise alone.
    let words = "--epochs 40 --patience 2 --lr 1e-30 --no-images";
    let run = place.start("run", words).succeed();
    let taken = "Taking --val-fraction 0.1: --patience needs validation images";
    assert!(run.stderr.contains(taken), "{run}");
    let before = lines(&place, "run");
    let of_best = best(&before)["epoch"].as_u64().expect("an epoch");
    assert_eq!(before.len() as u64, of_best + 2 + 1);
    let words = format!("Stopping after epoch {}", of_best + 2);
    assert!(run.stderr.contains(&words), "{run}");
    let again = place.resume("run", "").succeed();
    for words in ["is finished", "--patience"] {
        assert!(again.stderr.contains(words), "{again}");
    }
    place.resume("run", "--patience 3").succeed();
    let after = lines(&place, "run");
    assert!(after.len() > before.len());
    let of_best = best(&after)["epoch"].as_u64().expect("an epoch");
    assert_eq!(after.len() as u64, of_best + 3 + 1);

    place.start("plain", "--max-steps 1 --no-images").succeed();
    let refused = place.resume("plain", "--patience 2 --max-steps 2");
    refused.fail(1, &["--patience", "validation images"]);
    let few = place.start("few", "--val-fraction 0.999");
    few.fail(1, &["96 training images", "--val-fraction"]);
}

#[test]
fn a_run_starts_from_the_weights_of_another() {
    let place = Place::new();
    let words = "--latent-dim 3 --beta 4 --max-steps 4 --no-images";
    place.start("first", words).succeed();
    let tensors = |run: &str| {
        let path = place.path().join(run).join(MODEL);
        TensorFile::read(&path).expect("a model").tensors
    };
    // At this rate no weight changes. The model is that of the weights, and its β may change.
    let words = "--data idx --batch 7 --max-steps 1 --lr 1e-30 --no-images";
    let second = format!("{words} --init first --beta 2 --out second");
    let second = place.train(&second).succeed();
    for words in ["Weights: first/model.safetensors", "model before training"] {
        assert!(second.stderr.contains(words), "{second}");
    }
    assert!(tensors("second") == tensors("first"));
    place
        .resume("second", "--beta 4")
        .fail(1, &["--beta", "started with 2"]);
    // Without its checkpoint a run begins again, from the same weights.
    let files = place.files("second");
    fs::remove_file(place.path().join("second/checkpoint.safetensors")).expect("a checkpoint");
    place.resume("second", "").succeed();
    place.check_files("second", &files);

    // A second rate begins at the end of the first.
    let words =
        "--data idx --batch 7 --max-steps 3 --lr 1e-2 --no-images --init first/model.safetensors";
    place.train(&format!("{words} --out third")).succeed();
    assert!(tensors("third") != tensors("first"));

    let refused = |words: &str, expected: &[&str]| {
        let words = format!("--data idx --max-steps 1 {words} --out refused");
        place.train(&words).fail(1, expected);
        assert!(!place.path().join("refused").exists(), "{words}");
    };
    refused("--init nowhere", &["--init nowhere"]);
    refused(
        "--init first --latent-dim 2",
        &["--init", "encoder.dense.kernel"],
    );
    refused("--init first --posterior full", &["--init", "encoder"]);
    refused("--init first --size 16", &["16×16×1", "28×28×1", "--size"]);
    refused(
        "--init first --conditional",
        &["--init", "encoder.dense.kernel"],
    );
}
