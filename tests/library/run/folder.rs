//! The names of run folders, and processes that compete for one.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Barrier;
use std::thread;

use cvae_gpu::run::RunFolder;
use cvae_gpu::run::config::RunConfig;

/// The options of a run.
fn options() -> RunConfig {
    let config = serde_json::json!({
        "version": "0.1.0",
        "image": [28, 28, 1],
        "latent_dim": 2,
        "encoder_filters": [8, 8],
        "decoder_base": 8,
        "decoder_filters": [8, 8],
        "loss": "mc",
        "data": "mnist",
        "binarize": "threshold",
        "epochs": 1,
        "batch": 7,
        "lr": 1e-4,
        "seed": 0,
        "max_steps": null,
    });
    RunConfig::from_bytes(config.to_string().as_bytes()).unwrap()
}

#[test]
fn names_from_files_become_plain_folder_names() {
    let made = |name: &str| {
        let parent = tempfile::tempdir().unwrap();
        let run = RunFolder::create_fresh(parent.path(), name, options()).unwrap();
        assert_eq!(run.path().parent(), Some(parent.path()), "{name:?}");
        run.path().file_name().unwrap().to_str().unwrap().to_owned()
    };
    for (name, folder) in [
        ("mnist", "mnist"),
        ("fashion-mnist", "fashion-mnist"),
        ("my_photos", "my_photos"),
        ("../../x", "x"),
        ("/etc/passwd", "etc-passwd"),
        (r"C:\\x", "C-x"),
        ("a/../b", "a-b"),
        ("con.x", "con-x"),
        (".hidden", "hidden"),
        ("two words", "two-words"),
        ("red\u{1b}[31m\n", "red-31m"),
        ("字ü", "字ü"),
        ("..", "run"),
        ("", "run"),
    ] {
        assert_eq!(made(name), format!("{folder}-1"), "{name:?}");
    }
    assert!(made(&"字".repeat(1000)).len() < 200);
}

#[test]
fn runs_that_begin_at_once_get_a_folder_each() {
    let parent = tempfile::tempdir().unwrap();
    let (runs, path) = (16, parent.path().join("runs"));
    let start = Barrier::new(runs);
    let begin = || {
        start.wait();
        RunFolder::create_fresh(&path, "set", options())
    };
    let made: Vec<RunFolder> = thread::scope(|scope| {
        let threads: Vec<_> = (0..runs).map(|_| scope.spawn(begin)).collect();
        let made = threads.into_iter().map(|t| t.join().unwrap());
        made.collect::<Result<_, _>>().unwrap()
    });
    let paths: BTreeSet<PathBuf> = made.iter().map(|run| run.path().to_owned()).collect();
    let numbered = (1..=runs).map(|i| path.join(format!("set-{i}")));
    assert_eq!(paths, numbered.collect());
}

#[test]
fn a_fresh_folder_that_cannot_be_used_is_not_left_behind() {
    let parent = tempfile::tempdir().unwrap();
    let mut first = RunFolder::create_fresh(parent.path(), "set", options()).unwrap();
    first.abandon();
    assert!(!first.path().exists());
    let again = RunFolder::create_fresh(parent.path(), "set", options()).unwrap();
    assert_eq!(again.path(), first.path());
}
