//! Resumed runs give the same files as uninterrupted ones, byte for byte.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use cvae_gpu::run::tensorboard;
use serde_json::Value;
use tempfile::TempDir;

use super::events::timeless;
use super::program::Cli;
use super::sets;

/// The options of the small runs here.
pub const SMALL: &str = "--batch 7 --encoder-filters 8,8 --decoder-filters 8,8 --decoder-base 8";

/// A folder with 96 training and 40 test images in `idx`, and a place for runs.
pub struct Place(TempDir);

impl Place {
    pub fn new() -> Self {
        let root = tempfile::tempdir().expect("a temporary folder");
        sets::write_raw(&root.path().join("idx"), 28);
        Place(root)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// `train` with these words, from this folder.
    pub fn train(&self, words: &str) -> Cli {
        let cli = Cli::new("train").with(words).on_adapter();
        cli.within(self.path())
    }

    /// A new small run with these words, into `out`.
    pub fn start(&self, out: &str, words: &str) -> Cli {
        self.train(&format!("--data idx --out {out} {SMALL} {words}"))
    }

    pub fn resume(&self, run: &str, words: &str) -> Cli {
        self.train(&format!("--resume {run} {words}"))
    }

    /// All files of a run by name.
    pub fn files(&self, run: &str) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(self.path().join(run)).expect("the run folder");
        let file = |entry: std::io::Result<fs::DirEntry>| {
            let entry = entry.expect("an entry");
            let name = entry.file_name().into_string().expect("a plain name");
            (name, fs::read(entry.path()).expect("a file"))
        };
        entries.map(file).collect()
    }

    /// Two runs have the same files, except times.
    #[track_caller]
    pub fn check_same(&self, run: &str, reference: &str) {
        self.check_files(run, &self.files(reference));
    }

    /// A run has these files, except times.
    #[track_caller]
    pub fn check_files(&self, run: &str, theirs: &BTreeMap<String, Vec<u8>>) {
        let ours = self.files(run);
        let names = ours.keys().collect::<Vec<_>>();
        assert_eq!(names, theirs.keys().collect::<Vec<_>>());
        assert_eq!(metrics(&ours), metrics(theirs), "metrics.jsonl of {run}");
        let events = timeless(&ours[tensorboard::NAME]) == timeless(&theirs[tensorboard::NAME]);
        assert!(events, "the events of {run} differ");
        for (name, bytes) in &ours {
            // Options may have been given later, and times differ.
            let timed = [
                "metrics.jsonl",
                "config.json",
                "checkpoint.safetensors",
                tensorboard::NAME,
            ];
            if !timed.contains(&name.as_str()) {
                assert!(*bytes == theirs[name], "{name} of {run} differs");
            }
        }
    }
}

/// The lines of the metrics without times.
fn metrics(files: &BTreeMap<String, Vec<u8>>) -> Vec<Value> {
    let text = std::str::from_utf8(&files["metrics.jsonl"]).expect("UTF-8");
    let timeless = |line: &str| {
        let mut line: Value = serde_json::from_str(line).expect("JSON");
        let keys = ["train_seconds", "images_per_second", "eval_seconds"];
        let object = line.as_object_mut().expect("an object");
        for key in keys {
            assert!(object.remove(key).is_some(), "no {key}");
        }
        line
    };
    text.lines().map(timeless).collect()
}

#[test]
fn a_run_in_pieces_has_the_files_of_a_run_in_one() {
    let place = Place::new();
    place.start("whole", "--epochs 3").succeed();
    // 14 steps per epoch: in the middle of the first, at its end, and one step before the last.
    place.start("parts", "--epochs 3 --max-steps 5").succeed();
    let finished = place.resume("parts", "").succeed();
    assert!(
        finished.stderr.contains("finished, after 5 steps"),
        "{finished}"
    );
    for steps in [14, 41] {
        let words = format!("--max-steps {steps}");
        let going = place.resume("parts", &words).succeed();
        assert!(going.stderr.contains("Resuming after step"), "{going}");
    }
    place.resume("parts", "--max-steps 1000").succeed();
    place.check_same("parts", "whole");
}

#[test]
fn more_epochs_lengthen_a_finished_run() {
    let place = Place::new();
    place.start("whole", "--epochs 2 --no-images").succeed();
    place.start("longer", "--epochs 1 --no-images").succeed();
    place.resume("longer", "--epochs 2").succeed();
    place.check_same("longer", "whole");
    let finished = place.resume("longer", "").succeed();
    assert!(
        finished.stderr.contains("finished, after 28 steps"),
        "{finished}"
    );
    assert_eq!(finished.stdout, "");
}

#[test]
fn a_run_that_skips_evaluations_goes_on_with_its_metrics_and_pictures() {
    let place = Place::new();
    let words = "--epochs 4 --eval-every 2 --log-every 9";
    place.start("whole", words).succeed();
    // In the middle of epochs without an evaluation, with one in between.
    place
        .start("parts", &format!("{words} --max-steps 5"))
        .succeed();
    assert!(place.files("parts").contains_key("image_at_epoch_0001.png"));
    for steps in [33, 56] {
        let going = place.resume("parts", &format!("--max-steps {steps}"));
        let going = going.succeed();
        assert!(going.stderr.contains("/14 steps, loss"), "{going}");
    }
    place.check_same("parts", "whole");
}

#[test]
fn a_run_without_a_checkpoint_starts_over_with_its_options() {
    let place = Place::new();
    place
        .start("whole", "--epochs 1 --seed 3 --no-images")
        .succeed();
    let run = place.path().join("bare");
    fs::create_dir(&run).expect("a new folder");
    fs::copy(
        place.path().join("whole/config.json"),
        run.join("config.json"),
    )
    .expect("a copy");
    // A torn file, as after a crash, and a temporary file.
    fs::write(run.join("metrics.jsonl"), "{\"epoch\":0,\"st").expect("a file");
    fs::write(run.join(".writing-abc"), "half").expect("a file");
    let over = place.resume("bare", "").succeed();
    assert!(over.stderr.contains("restarts"), "{over}");
    place.check_same("bare", "whole");
}

#[test]
fn options_that_contradict_the_run_are_refused_and_change_nothing() {
    let place = Place::new();
    place
        .start("run", "--epochs 2 --max-steps 5 --no-images")
        .succeed();
    let before = place.files("run");
    for (words, expected) in [
        ("--batch 8", ["--batch", "7"]),
        ("--seed 1", ["--seed", "0"]),
        ("--latent-dim 3", ["--latent-dim", "2"]),
        ("--encoder-filters 8,16", ["--encoder-filters", "8,8"]),
        ("--kl analytic", ["--kl", "mc"]),
        ("--beta 4", ["--beta", "1"]),
        ("--binarize none", ["--binarize", "threshold"]),
        ("--epochs 1", ["--epochs 1", "earlier"]),
        ("--max-steps 4", ["--max-steps 4", "earlier"]),
        ("--data elsewhere", ["elsewhere", "--data"]),
    ] {
        place.resume("run", words).fail(1, &expected);
    }
    // Equal values are accepted.
    let same = "--batch 7 --lr 1e-4 --seed 0 --epochs 2 --kl mc --beta 1 --data idx";
    place.resume("run", same).succeed();
    assert!(place.files("run") == before, "a refusal changed the run");
    place.train("--resume run --out other").fail(2, &["--out"]);
}

#[test]
fn a_run_finds_its_images_from_another_folder_and_refuses_others() {
    let place = Place::new();
    place.start("whole", "--epochs 1 --no-images").succeed();
    place
        .start("run", "--epochs 1 --max-steps 5 --no-images")
        .succeed();
    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    let resume = || Cli::new("train --max-steps 14 --resume").path(&place.path().join("run"));
    // The run and its images move together.
    resume().on_adapter().within(elsewhere.path()).succeed();
    place.check_same("run", "whole");

    place.start("other", "--epochs 1 --max-steps 5").succeed();
    let mut images = sets::images(96, 28);
    images[1000] ^= 0xff;
    fs::write(place.path().join("idx").join(sets::TRAIN_IMAGES), images).expect("a file");
    let words = ["not the images", "--data", "other"];
    place.resume("other", "--max-steps 9").fail(1, &words);
}

#[test]
fn what_is_no_run_is_refused() {
    let place = Place::new();
    let words = ["idx", "no config.json"];
    place.resume("idx", "").fail(1, &words);
    place
        .resume("nowhere", "")
        .fail(1, &["nowhere", "no config.json"]);
    let run = place.path().join("run");
    fs::create_dir(&run).expect("a new folder");
    fs::write(run.join("config.json"), "{}").expect("a file");
    place
        .resume("run", "")
        .fail(1, &["config.json", "not the configuration"]);
}

#[test]
fn a_damaged_checkpoint_is_named_with_the_way_out() {
    let place = Place::new();
    place
        .start("run", "--epochs 1 --max-steps 5 --no-images")
        .succeed();
    let path = place.path().join("run/checkpoint.safetensors");
    let whole = fs::read(&path).expect("a checkpoint");
    fs::write(&path, &whole[..whole.len() / 2]).expect("a file");
    let words = ["checkpoint.safetensors", "starts the run over"];
    place.resume("run", "--max-steps 9").fail(1, &words);
    fs::remove_file(&path).expect("a file");
    place.resume("run", "").succeed();
}

#[test]
fn another_variant_goes_on_with_a_warning() {
    let place = Place::new();
    place
        .start("run", "--epochs 1 --max-steps 5 --no-images")
        .succeed();
    let other = place
        .resume("run", "--max-steps 9 --variant plain")
        .succeed();
    assert!(
        other
            .stderr
            .contains("warning: the checkpoint is from another platform"),
        "{other}"
    );
    assert!(other.stderr.contains("kernels conv instead of"), "{other}");
}
