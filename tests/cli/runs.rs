//! The list of runs.

use std::fs;

use super::data::SMALL;
use super::program::Cli;
use super::sets;

#[test]
fn runs_are_listed_with_their_state_and_best_elbo() {
    let root = tempfile::tempdir().expect("a folder");
    let root = root.path();
    let runs = |words: &str| Cli::new("runs").with(words).within(root);
    let none = runs("").succeed();
    assert!(none.stderr.contains("`cvae-gpu train` makes one"), "{none}");
    assert_eq!(
        runs("--json").succeed().json()["runs"],
        serde_json::json!([])
    );

    let digits = root.join("digits");
    sets::write_raw(&digits, 12);
    let train =
        Cli::new("train --data digits --max-steps 3 --no-images --out runs/d-2").with(SMALL);
    train.on_adapter().within(root).succeed();
    let copy = |name: &str, files: &[&str]| {
        let folder = root.join("runs").join(name);
        fs::create_dir(&folder).expect("a folder");
        for file in files {
            fs::copy(root.join("runs/d-2").join(file), folder.join(file)).expect("a copy");
        }
        folder
    };
    copy(
        "d-10",
        &["config.json", "metrics.jsonl", "checkpoint.safetensors"],
    );
    copy("d-1", &["config.json"]);
    let broken = copy("broken", &[]).join("config.json");
    fs::write(broken, "{").expect("a file");
    fs::create_dir(root.join("runs/other")).expect("a folder");
    // A process that trains has the lock.
    let lock = fs::File::create(copy("d-3", &["config.json"]).join(".lock")).expect("a file");
    lock.lock().expect("a lock");

    let listed = runs("--json").succeed();
    assert!(
        listed.stderr.contains("warning: ") && listed.stderr.contains("broken"),
        "{listed}"
    );
    let listed = listed.json();
    assert_eq!(listed["schema"], 1);
    let of = |field: &str| -> Vec<String> {
        let all = listed["runs"].as_array().expect("an array").iter();
        all.map(|run| run[field].to_string().replace('"', ""))
            .collect()
    };
    assert_eq!(
        of("folder"),
        ["runs/d-1", "runs/d-2", "runs/d-3", "runs/d-10"]
    );
    assert_eq!(of("state"), ["begun", "finished", "running", "interrupted"]);
    let metrics = fs::read_to_string(root.join("runs/d-2/metrics.jsonl")).expect("metrics");
    let last: serde_json::Value = metrics
        .lines()
        .last()
        .map(|l| serde_json::from_str(l).unwrap())
        .unwrap();
    assert_eq!(listed["runs"][1]["best_elbo"], last["test_elbo"]);
    assert_eq!(listed["runs"][1]["best_epoch"], 1);

    let table = runs("").succeed().stdout;
    assert!(table.contains("runs/d-10  interrupted"), "{table}");
    let one = runs("runs/d-2").succeed().stdout;
    assert_eq!(one.lines().count(), 2, "{one}");
    let words = ["cannot list", "nowhere"];
    runs("nowhere").fail(1, &words);
}
