//! Refused work: the status is 1, the message says what is wrong, where, and what to try, and no run
//! folder is left.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::program::{Cli, Outcome};
use super::sets::{self, TEST_IMAGES, TRAIN_IMAGES, TRAIN_LABELS};

/// A folder with a set of IDX files and a place for a run.
struct Bench {
    root: TempDir,
    data: PathBuf,
    out: PathBuf,
}

impl Bench {
    fn new(side: usize) -> Self {
        let root = tempfile::tempdir().expect("a temporary folder");
        let [data, out] = ["idx", "run"].map(|name| root.path().join(name));
        sets::write_raw(&data, side);
        Bench { root, data, out }
    }

    fn train(&self, words: &str) -> Cli {
        let cli = Cli::new("train").with(words).with("--data");
        cli.path(&self.data).with("--out").path(&self.out)
    }

    /// Training ends with 1, a message of these words, and no run.
    fn refused(&self, cli: Cli, words: &[&str]) -> Outcome {
        let outcome = cli.fail(1, words);
        let left: Vec<PathBuf> = match fs::read_dir(&self.out) {
            Ok(entries) => entries.map(|e| e.expect("an entry").path()).collect(),
            Err(_) => Vec::new(),
        };
        assert!(left.is_empty(), "{left:?} remain after {outcome}");
        outcome
    }
}

/// How messages spell a path.
fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn an_unknown_adapter_is_refused_with_a_list_of_those_there_are() {
    let devices = Cli::new("devices --json").on_backend().succeed().json();
    let names: Vec<&str> = (devices["adapters"].as_array().expect("an array").iter())
        .map(|device| device["name"].as_str().expect("a name"))
        .collect();
    let bench = Bench::new(28);
    for adapter in ["frobnicator", "99"] {
        let words: Vec<&str> = [adapter].iter().chain(&names).copied().collect();
        let flag = format!("--adapter {adapter}");
        bench.refused(bench.train(&flag).on_backend(), &words);
        Cli::new("bench").with(&flag).on_backend().fail(1, &words);
    }
}

#[test]
fn without_any_adapter_the_message_says_how_to_get_one() {
    let words = ["no GPU adapter", "vulkan", "apt install", "ensure-adapter"];
    let bench = Bench::new(28);
    bench.refused(bench.train("").without_vulkan(), &words);
    for command in ["bench", "devices", "devices --json"] {
        Cli::new(command).without_vulkan().fail(1, &words);
    }
}

#[test]
fn a_refused_attempt_does_not_block_the_next() {
    let bench = Bench::new(28);
    for _ in 0..2 {
        bench.refused(bench.train("").without_vulkan(), &["no GPU adapter"]);
    }
}

#[test]
fn errors_are_said_even_when_quiet() {
    let bench = Bench::new(3);
    bench.refused(bench.train("-q"), &["from 4 to 512"]);
}

#[test]
fn a_picture_size_that_the_model_cannot_take_is_refused() {
    for side in [3, 600] {
        let bench = Bench::new(side);
        let size = format!("{side}×{side}");
        bench.refused(bench.train(""), &[&size, "from 4 to 512", "--size N"]);
    }
}

#[test]
fn a_run_folder_below_a_regular_file_is_refused() {
    let mut bench = Bench::new(28);
    bench.out = bench.data.join(TRAIN_IMAGES).join("run");
    let words = ["cannot write", &shown(&bench.out), "check the path"];
    bench.refused(bench.train("").on_adapter(), &words);
}

#[test]
fn a_folder_that_holds_a_run_is_refused_and_left_as_it_is() {
    let bench = Bench::new(28);
    fs::create_dir(&bench.out).expect("a new folder");
    for name in [
        "config.json",
        "metrics.jsonl",
        "model.safetensors",
        "checkpoint.safetensors",
    ] {
        let file = bench.out.join(name);
        fs::write(&file, "precious").expect("a new file");
        let words = [&shown(&bench.out), "already holds a run", "another --out"];
        bench.train("").on_adapter().fail(1, &words);
        assert_eq!(fs::read(&file).expect(name), b"precious");
        fs::remove_file(&file).expect(name);
        let rest = fs::read_dir(&bench.out).expect("the folder").count();
        assert_eq!(rest, 0, "files were added beside {name}");
    }
}

#[test]
fn a_data_folder_that_does_not_exist_is_refused_by_name() {
    let mut bench = Bench::new(28);
    bench.data = bench.root.path().join("elsewhere");
    let source = shown(&bench.data);
    let words = [
        &*source,
        "no such file",
        "`mnist`",
        "`cifar10`",
        "packed set",
    ];
    bench.refused(bench.train(""), &words);
    let out = bench.root.path().join("packed.safetensors.gz");
    let pack = Cli::new("data pack").path(&bench.data).with("--out");
    pack.path(&out).fail(1, &words);
    assert!(!out.exists());
}

#[test]
fn a_file_that_is_no_packed_set_is_refused_by_name() {
    let mut bench = Bench::new(28);
    bench.data = bench.data.join(TRAIN_IMAGES);
    let words = [&shown(&bench.data), "packed set", "data pack"];
    bench.refused(bench.train(""), &words);
    Cli::new("data info").path(&bench.data).fail(1, &words);
}

/// Replaces one of the IDX files by `bytes`; training and packing are both refused.
#[track_caller]
fn check_broken(name: &str, bytes: &[u8], words: &[&str]) {
    let bench = Bench::new(28);
    let file = bench.data.join(name);
    fs::write(&file, bytes).expect("a file");
    let file = shown(&file);
    let words = [words, &[file.as_str()]].concat();
    bench.refused(bench.train(""), &words);
    let out = bench.root.path().join("packed.safetensors.gz");
    let pack = Cli::new("data pack").path(&bench.data).with("--out");
    pack.path(&out).fail(1, &words);
    assert!(!out.exists());
}

#[test]
fn idx_files_of_the_wrong_kind_are_refused() {
    let words = ["0x00000801", "0x00000803", "not swapped"];
    check_broken(TRAIN_IMAGES, &sets::labels(96), &words);
    check_broken(TRAIN_LABELS, &sets::images(96, 28), &words);
    check_broken(TEST_IMAGES, b"what is this?", &["0x77686174"]);
}

#[test]
fn truncated_idx_files_are_refused() {
    let whole = sets::images(96, 28);
    let words = ["96 images of 28x28", "truncated", "copy it again"];
    check_broken(TRAIN_IMAGES, &whole[..whole.len() - 1], &words);
    check_broken(TRAIN_IMAGES, &whole[..16], &words);
    check_broken(TRAIN_IMAGES, &whole[..7], &["7 bytes", "header"]);
    check_broken(TRAIN_IMAGES, b"", &["0 bytes", "header"]);
}

#[test]
fn idx_files_with_more_than_they_announce_are_refused() {
    let long = [sets::images(40, 28), vec![0]].concat();
    let words = ["40 images of 28x28", "more bytes follow", "copy it again"];
    check_broken(TEST_IMAGES, &long, &words);
}

#[test]
fn idx_files_without_images_are_refused() {
    let words = ["0 images", "no pixels to train or test on"];
    check_broken(TEST_IMAGES, &sets::images(0, 28), &words);
}

#[test]
fn idx_files_which_contradict_each_other_are_refused() {
    let words = ["95 labels", "96 images", "copy both again"];
    check_broken(TRAIN_LABELS, &sets::labels(95), &words);
    let words = ["12x12", "28x28", "one size"];
    check_broken(TEST_IMAGES, &sets::images(40, 12), &words);
}

#[test]
fn broken_gzip_files_are_refused() {
    let whole = sets::gzip(&sets::images(96, 28));
    let mut damaged = whole.clone();
    let checksum = damaged.len() - 8;
    damaged[checksum] ^= 1;
    for bytes in [&whole[..whole.len() / 2], &whole[..20], &damaged] {
        check_broken(TRAIN_IMAGES, bytes, &["gzip", "damaged", "again"]);
    }
}

/// What a newcomer may give: a folder for a file, a file for a folder, and what is not there.
#[test]
fn what_is_not_there_or_of_another_kind_is_named_with_a_way_out() {
    let bench = Bench::new(28);
    fs::write(bench.root.path().join("notes.txt"), "hello").expect("a file");
    fs::create_dir(bench.root.path().join("folder.gz")).expect("a folder");
    for (words, said) in [
        (
            "eval --model idx",
            ["idx holds no weights", "give a run folder"],
        ),
        (
            "eval --model nowhere",
            ["nowhere", "check the path and its permissions"],
        ),
        (
            "train --init idx --data idx",
            ["--init idx", "holds no weights"],
        ),
        (
            "data info idx --out no/x.png",
            ["no/x.png", "there is no folder no; make it"],
        ),
        (
            "data pack idx --out folder.gz",
            ["folder.gz: it is a folder", "check the path"],
        ),
        (
            "data pack idx --out notes.txt/x.gz",
            ["notes.txt/x.gz", "check the path"],
        ),
        ("runs nowhere", ["cannot list nowhere", "give a run folder"]),
        ("man --out notes.txt", ["notes.txt", "check the path"]),
        (
            "train --data idx --out notes.txt/run",
            ["notes.txt/run", "check the path"],
        ),
    ] {
        let failed = Cli::new(words).within(bench.root.path()).fail(1, &said);
        // Names of temporary files would tell nothing.
        assert!(!failed.stderr.contains(".writing"), "{failed}");
        assert!(!words.starts_with("eval") || !failed.stderr.contains("free space"));
    }
}

#[test]
fn names_with_spaces_and_other_letters_are_taken_everywhere() {
    let root = tempfile::tempdir().expect("a folder");
    let folder = root.path().join("my pictures é猫");
    fs::create_dir(&folder).expect("a folder");
    sets::write_raw(&folder.join("a set"), 28);
    let call = |words: &str| Cli::new(words).within(&folder);
    let [set, run, table] = ["a set", "run 1", "ünter table.csv"].map(Path::new);
    let words = "train --batch 7 --max-steps 1 --no-images --data";
    call(words).path(set).with("--out").path(run).succeed();
    let scored = call("score --model").path(run).with("--out").path(table);
    let scored = scored.succeed();
    assert!(scored.stderr.contains("Wrote ünter table.csv"), "{scored}");
    assert!(folder.join(table).exists());
    call("train --resume")
        .path(run)
        .with("--max-steps 2")
        .succeed();
}
