//! The weights that `--model RUN` uses, and its message.

use std::fs;

use super::program::{Cli, Outcome};
use super::resume::Place;

/// Evaluates the model of `--model`.
fn eval(place: &Place, model: &str) -> Outcome {
    let cli = Cli::new("eval --json --model").with(model).on_adapter();
    cli.within(place.path()).succeed()
}

/// The line of the weights in the output, with either separator of paths.
#[track_caller]
fn check_said(outcome: &Outcome, expected: &str) {
    let said = outcome.stderr.replace('\\', "/");
    assert!(said.contains(expected), "no {expected:?} in {outcome}");
}

#[test]
fn the_newest_weights_of_a_run_are_taken_and_named() {
    let place = Place::new();
    let [model, last] = ["model.safetensors", "checkpoint.safetensors"]
        .map(|name| place.path().join("run").join(name));
    place.start("run", "--epochs 1 --no-images").succeed();
    let finished = eval(&place, "run");
    check_said(&finished, "Weights: run/model.safetensors (step 14)\n");
    let first = fs::read(&model).expect("a model");

    place.resume("run", "--epochs 2").succeed();
    let second = fs::read(&model).expect("a model");
    // As if the second epoch was interrupted; the old model is the newer file by time.
    fs::write(&model, &first).expect("a file");
    let on = eval(&place, "run");
    let newer = "Weights: run/checkpoint.safetensors (step 28, newer than model.safetensors)\n";
    check_said(&on, newer);
    let checkpoint = eval(&place, "run/checkpoint.safetensors");
    assert_eq!(on.stdout, checkpoint.stdout);
    assert_ne!(on.stdout, finished.stdout);
    assert!(!checkpoint.stderr.contains("Weights:"), "{checkpoint}");
    let export = Cli::new("export -q --format safetensors --out w.safetensors --model run");
    let quiet = export.within(place.path()).succeed();
    assert_eq!(quiet.stderr, "");
    let exported = fs::read(place.path().join("w.safetensors")).expect("weights");
    assert!(exported == second, "not the weights of the checkpoint");

    // The end of the run writes the model again.
    let done = place.resume("run", "").succeed();
    assert!(done.stderr.contains("Wrote run"), "{done}");
    check_said(&eval(&place, "run"), "run/model.safetensors (step 28)\n");

    let whole = fs::read(&last).expect("a checkpoint");
    fs::write(&last, &whole[..whole.len() / 2]).expect("a file");
    let damaged = eval(&place, "run");
    let ignored = "warning: Weights: run/model.safetensors; the checkpoint is ignored";
    check_said(&damaged, ignored);
    assert_eq!(damaged.stdout, on.stdout);
    // Warnings stay.
    check_said(&eval(&place, "run --quiet"), ignored);
    let words = "--init run --max-steps 1 --no-images --quiet --data idx --out next";
    check_said(&place.train(words).succeed(), ignored);
    fs::write(&last, &whole).expect("a file");
    fs::remove_file(&model).expect("a file");
    check_said(
        &eval(&place, "run"),
        "run/checkpoint.safetensors (step 28)\n",
    );
}
