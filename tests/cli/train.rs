//! Training on a small set: messages, files, and the options that change the result.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use cvae_gpu::run::tensorboard;
use serde_json::{Value, json};

use super::events::timeless;
use super::program::{Cli, Outcome};
use super::sets;

/// The output of a run, and its files by name.
pub struct Run {
    pub outcome: Outcome,
    pub files: BTreeMap<String, Vec<u8>>,
}

/// A run of two epochs over 96 images with default options except sizes. It compiles the shaders
/// first, so that a driver's cache serves the other runs.
pub static REFERENCE: LazyLock<Run> = LazyLock::new(|| train("--data idx --out run", "run", raw));

/// The same from gzip files, with events on standard output.
static EVENTS: LazyLock<Run> = LazyLock::new(|| {
    LazyLock::force(&REFERENCE);
    train("--data idx --out run --json", "run", |root| {
        sets::write_gzip(&root.join("idx"), 28);
    })
});

fn raw(root: &Path) {
    sets::write_raw(&root.join("idx"), 28);
}

/// Trains in a new folder that `prepare` fills, and takes the files of the run folder `out`.
fn train(words: &str, out: &str, prepare: impl Fn(&Path)) -> Run {
    let root = tempfile::tempdir().expect("a temporary folder");
    prepare(root.path());
    let epochs = if words.contains("--epochs") {
        ""
    } else {
        "--epochs 2"
    };
    let cli = Cli::new("train --batch 7 --encoder-filters 8,8")
        .with("--decoder-filters 8,8 --decoder-base 8")
        .with(epochs)
        .with(words)
        .on_adapter();
    let outcome = cli.within(root.path()).succeed();
    let entries = fs::read_dir(root.path().join(out)).expect("the run folder");
    let file = |entry: std::io::Result<fs::DirEntry>| {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("a plain name");
        (name, fs::read(entry.path()).expect("a file"))
    };
    let files = entries.map(file).collect();
    Run { outcome, files }
}

/// Trains on the raw files, after the reference.
fn again(words: &str) -> Run {
    LazyLock::force(&REFERENCE);
    train(&format!("--data idx --out run {words}"), "run", raw)
}

impl Run {
    pub fn names(&self) -> Vec<&str> {
        self.files.keys().map(String::as_str).collect()
    }

    pub fn model(&self) -> &[u8] {
        &self.files["model.safetensors"]
    }

    /// A file of one JSON value per line.
    pub fn lines(&self, name: &str) -> Vec<Value> {
        let text = std::str::from_utf8(&self.files[name]).expect("UTF-8");
        json_lines(text)
    }
}

fn json_lines(text: &str) -> Vec<Value> {
    assert!(text.is_empty() || text.ends_with('\n'));
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e} in {line}"));
    text.lines().map(parse).collect()
}

#[test]
fn progress_goes_to_stderr_in_plain_lines_and_nothing_to_stdout() {
    let outcome = &REFERENCE.outcome;
    assert_eq!(outcome.stdout, "");
    for words in [
        "Adapter: ",
        "4237 parameters",
        "96 training and 40 test images",
        "Epoch   0: test ELBO",
        "Epoch   1: test ELBO",
        "Epoch   2: test ELBO",
        "Wrote run\n",
    ] {
        assert_eq!(outcome.stderr.matches(words).count(), 1, "{outcome}");
    }
    assert!(!outcome.stderr.contains('\r'), "{outcome}");
}

#[test]
fn json_gives_one_event_a_line_on_stdout_and_the_text_on_stderr() {
    let Outcome { stdout, stderr, .. } = &EVENTS.outcome;
    let events = json_lines(stdout);
    let kind = |event: &Value| event["event"].as_str().expect("an event").to_owned();
    let kinds: Vec<String> = events.iter().map(kind).collect();
    let count = |kind: &str| kinds.iter().filter(|k| *k == kind).count();
    assert_eq!(kinds.first().map(String::as_str), Some("started"));
    assert_eq!(kinds.last().map(String::as_str), Some("done"));
    assert!(stdout.starts_with("{\"schema\":1,\"run\":\""), "{stdout}");
    assert!(
        events[0]["run"]
            .as_str()
            .is_some_and(|run| run.ends_with("run")),
        "{stdout}"
    );
    for (kind, expected) in [
        ("started", 1),
        ("first_step", 1),
        ("epoch", 3),
        ("pictures", 3),
        ("checkpoint", 2),
        ("manifold", 1),
        ("done", 1),
    ] {
        assert_eq!(count(kind), expected, "{kind} in {stdout}");
    }
    assert!(count("progress") >= 2, "{stdout}");
    for (key, value) in [
        ("train_images", 96),
        ("test_images", 40),
        ("steps_per_epoch", 14),
        ("last_batch", 5),
    ] {
        assert_eq!(events[0][key], value);
    }
    assert_eq!(events[events.len() - 1]["step"], 28);
    // The epochs are those of metrics.jsonl, word for word.
    let epochs: Vec<Value> = (events.into_iter().filter(|e| e["event"] == "epoch"))
        .map(|mut event| {
            event.as_object_mut().expect("an object").remove("event");
            event
        })
        .collect();
    assert_eq!(epochs, EVENTS.lines("metrics.jsonl"));
    assert!(stderr.contains("Epoch   2: test ELBO"), "{stderr}");
    assert!(!stderr.contains("\"event\""), "{stderr}");
}

#[test]
fn raw_and_gzip_files_give_the_same_model_bit_for_bit() {
    assert!(REFERENCE.model() == EVENTS.model());
}

#[test]
fn the_same_seed_gives_the_same_files_and_quiet_training_says_nothing() {
    let run = again("-q --seed 0");
    assert_eq!(run.outcome.stdout, "");
    assert_eq!(run.outcome.stderr, "");
    assert_eq!(run.names(), REFERENCE.names());
    for (name, bytes) in &run.files {
        // Metrics and events hold times.
        if name != "metrics.jsonl" && name != tensorboard::NAME {
            assert!(*bytes == REFERENCE.files[name], "{name} differs");
        }
    }
    assert!(
        timeless(&run.files[tensorboard::NAME]) == timeless(&REFERENCE.files[tensorboard::NAME])
    );
    for (ours, theirs) in (run.lines("metrics.jsonl").iter()).zip(REFERENCE.lines("metrics.jsonl"))
    {
        for key in ["test_elbo", "reconstruction", "kl", "train_loss"] {
            assert_eq!(ours[key], theirs[key], "{key}");
        }
    }
}

#[test]
fn another_seed_gives_another_model_and_no_images_makes_no_pictures() {
    let run = again("--seed 1 --no-images");
    assert!(run.model() != REFERENCE.model());
    assert_eq!(run.model().len(), REFERENCE.model().len());
    let expected = [
        ".lock",
        "checkpoint.safetensors",
        "config.json",
        "events.out.tfevents.0.cvae-gpu",
        "metrics.jsonl",
        "model.safetensors",
    ];
    assert_eq!(run.names(), expected);
    assert_eq!(run.lines("metrics.jsonl").len(), 3);
}

#[test]
fn max_steps_ends_training_early_with_all_files_in_a_fresh_folder() {
    LazyLock::force(&REFERENCE);
    let run = train("--data idx --max-steps 5", "runs/idx-2", |root| {
        raw(root);
        fs::create_dir_all(root.join("runs/idx-1")).expect("a new folder");
    });
    let steps = |line: &Value| [line["epoch"].clone(), line["step"].clone()];
    let lines = run.lines("metrics.jsonl");
    let counted: Vec<[Value; 2]> = lines.iter().map(steps).collect();
    assert_eq!(counted, [[json!(0), json!(0)], [json!(1), json!(5)]]);
    let expected: Vec<&str> = (REFERENCE.names().into_iter())
        .filter(|name| *name != "image_at_epoch_0002.png")
        .collect();
    assert_eq!(run.names(), expected);
    assert!(run.model() != REFERENCE.model());
    assert!(run.outcome.stderr.contains("after 5 steps"));
    // The separator of paths depends on the platform.
    assert!(run.outcome.stderr.contains("Wrote runs"));
    assert!(run.outcome.stderr.contains("idx-2"));
}

#[test]
fn a_packed_set_trains_to_the_same_model_as_the_files_it_was_made_of() {
    LazyLock::force(&REFERENCE);
    let run = train("--data packed.safetensors.gz --out run", "run", |root| {
        raw(root);
        Cli::new("data pack idx --out packed.safetensors.gz")
            .within(root)
            .succeed();
        fs::remove_dir_all(root.join("idx")).expect("the IDX files");
    });
    assert!(run.model() == REFERENCE.model());
}

#[test]
fn eval_every_leaves_epochs_out_but_not_the_first_nor_the_last() {
    let run = again("--epochs 5 --eval-every 2 --json");
    let epochs = |lines: Vec<Value>| -> Vec<u64> {
        let epochs = lines.iter().map(|line| line["epoch"].as_u64());
        epochs.map(|epoch| epoch.expect("an epoch")).collect()
    };
    assert_eq!(epochs(run.lines("metrics.jsonl")), [0, 2, 4, 5]);
    let mut reported = json_lines(&run.outcome.stdout);
    reported.retain(|event| event["event"] == "epoch");
    assert_eq!(epochs(reported), [0, 2, 4, 5]);
    let pictures = run.names();
    let pictures = pictures
        .iter()
        .filter_map(|name| name.strip_prefix("image_at_epoch_"));
    let pictures: Vec<&str> = pictures.collect();
    assert_eq!(pictures, ["0000.png", "0002.png", "0004.png", "0005.png"]);
    // The schedule of evaluations does not change the model.
    let all = again("--epochs 5 --no-images");
    assert!(run.model() == all.model());
}

#[test]
fn log_every_tells_of_just_those_steps() {
    let run = again("--log-every 5 --json");
    let mut told = json_lines(&run.outcome.stdout);
    told.retain(|event| event["event"] == "progress");
    let steps: Vec<&Value> = told.iter().map(|event| &event["step"]).collect();
    assert_eq!(steps, [5, 10, 15, 20, 25]);
    for (event, (epoch, done)) in told.iter().zip([(1, 5), (1, 10), (2, 1), (2, 6), (2, 11)]) {
        assert_eq!([&event["epoch"], &event["done"]], [epoch, done]);
        let loss = event["loss"].as_f64().expect("a loss");
        assert!((400.0..600.0).contains(&loss), "{event}");
        let line = format!("Epoch   {epoch}: {done}/14 steps, loss {loss:.2}");
        assert!(
            run.outcome.stderr.contains(&line),
            "no {line} in {}",
            run.outcome
        );
    }
    assert_eq!(run.outcome.stderr.matches("/14 steps").count(), 5);
}
