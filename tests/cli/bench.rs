//! `bench`: the document of `--json`, profiles, sweeps, comparisons, and refusals. Test machines are
//! busy, so only the consistency of times is tested.

use std::fs;
use std::sync::LazyLock;

use serde_json::{Value, json};

use super::program::{Cli, Outcome};
use super::resume::SMALL;

const KEYS: [&str; 18] = [
    "schema",
    "adapter",
    "driver",
    "backend",
    "variant",
    "dispatches",
    "batch",
    "steps",
    "repeats",
    "ms_per_step",
    "ms_min",
    "ms_max",
    "images_per_second",
    "gflops",
    "peak_gflops",
    "peak_gbps",
    "dispatch_us",
    "first_step_seconds",
];

/// `bench` of a small model, with the batch sizes of other tests.
fn bench(words: &str) -> Cli {
    Cli::new("bench").with(SMALL).with(words).on_adapter()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn keys(value: &Value) -> Vec<&str> {
    let object = value.as_object().expect("an object");
    object.keys().map(String::as_str).collect()
}

fn number(value: &Value, key: &str) -> f64 {
    let number = value[key].as_f64();
    number.unwrap_or_else(|| panic!("no number `{key}` in {value}"))
}

const SWEEP: &str = "--steps 1 --repeats 1 --sweep 7,1 --profile --json";

/// A report with every section.
static REPORT: LazyLock<Outcome> = LazyLock::new(|| bench(SWEEP).succeed());

/// Checks the figures of one batch size against each other.
fn consistent(figures: &Value) {
    for key in ["ms_per_step", "images_per_second", "gflops"] {
        let value = number(figures, key);
        assert!(value.is_finite() && value > 0.0, "{key} in {figures}");
    }
    let ms = number(figures, "ms_per_step");
    assert!((number(figures, "ms_min")..=number(figures, "ms_max")).contains(&ms));
    let images = number(figures, "images_per_second") * ms / 1000.0;
    assert!((images / number(figures, "batch") - 1.0).abs() < 1e-9);
}

#[test]
fn json_is_one_document_of_consistent_figures() {
    let figures = bench("--steps 2 --repeats 2 --json").succeed().json();
    assert_eq!(keys(&figures), KEYS);
    consistent(&figures);
    for (key, value) in [("batch", 7.0), ("steps", 2.0), ("repeats", 2.0)] {
        assert_eq!(number(&figures, key), value);
    }
    for key in [
        "peak_gflops",
        "peak_gbps",
        "dispatch_us",
        "first_step_seconds",
    ] {
        let value = number(&figures, key);
        assert!(value.is_finite() && value > 0.0, "{key} is {value}");
    }
    for key in ["adapter", "driver", "backend", "variant"] {
        assert!(figures[key].is_string(), "{figures}");
    }
}

/// The rows of a profile, which name the steps of the plan.
fn profile(words: &str) -> (Value, String) {
    let outcome = bench(words).with("--profile --json").succeed();
    let figures = outcome.json();
    assert_eq!(keys(&figures), [&KEYS[..], &["kernels"]].concat());
    let plan = Cli::new("plan --json").with(SMALL).on_adapter().succeed();
    let plan = plan.json();
    let rows = list(&figures["kernels"]);
    let mut named = Vec::new();
    for row in rows {
        let columns = ["name", "entry", "ms", "share", "gflops", "gbps", "of_peak"];
        assert_eq!(keys(row), columns);
        // Steps that share a dispatch share a row.
        let words = |key: &str| row[key].as_str().expect("a name").split(" + ");
        assert_eq!(words("name").count(), words("entry").count());
        named.extend(words("name").zip(words("entry")));
        for key in &columns[2..] {
            assert!(number(row, key) >= 0.0, "{row}");
        }
    }
    for step in list(&plan["steps"]) {
        let word = |key: &str| step[key].as_str().expect("a name");
        let own = |(name, _): &(&str, &str)| *name == word("step");
        let at = named.iter().position(own).expect("a row of the step");
        let (_, entry) = named.remove(at);
        assert!(entry.ends_with(word("kernel")), "{entry}");
    }
    assert!(named.is_empty(), "no steps of the plan: {named:?}");
    let share: f64 = rows.iter().map(|row| number(row, "share")).sum();
    assert!((share - 1.0).abs() < 1e-9, "shares add up to {share}");
    (figures, outcome.stderr)
}

#[test]
fn the_rows_of_a_profile_add_up_to_the_step() {
    // The default model: encoding the steps of a smaller one takes a part of the time.
    let outcome = Cli::new("bench --batch 32 --steps 3 --repeats 2 --profile --json")
        .on_adapter()
        .succeed();
    if outcome.stderr.contains("timed alone") {
        return;
    }
    let figures = outcome.json();
    let rows = list(&figures["kernels"]);
    let sum: f64 = rows.iter().map(|row| number(row, "ms")).sum();
    let share = sum / number(&figures, "ms_per_step");
    assert!((0.95..=1.0001).contains(&share), "{share} of the step");
}

#[test]
fn without_timestamps_kernels_are_timed_alone_and_that_is_said() {
    let (_, said) = profile("--steps 1 --repeats 1 --disable timestamps");
    assert!(said.contains("timed alone"), "{said}");
}

#[test]
fn a_sweep_has_a_row_for_each_batch_and_needs_each_to_fit() {
    let figures = REPORT.json();
    assert_eq!(keys(&figures), [&KEYS[..], &["kernels", "sweep"]].concat());
    let rows = list(&figures["sweep"]);
    let batches: Vec<f64> = rows.iter().map(|row| number(row, "batch")).collect();
    assert_eq!(batches, [7.0, 1.0]);
    rows.iter().for_each(consistent);
    assert_eq!(rows[0]["ms_per_step"], figures["ms_per_step"]);
    let table = bench("--steps 1 --repeats 1 --sweep 1").succeed().stdout;
    assert!(table.contains("images/s"), "{table}");
}

#[test]
fn a_batch_beyond_memory_is_refused_with_one_that_fits() {
    let plan = Cli::new("plan --batch 60000").on_adapter().run();
    if plan.code == Some(0) {
        return; // An adapter with room for 6 GB in one tensor.
    }
    let words = ["MiB", "smaller batch", "fits"];
    let refused = Cli::new("bench --sweep 60000").on_adapter().fail(1, &words);
    let (_, fits) = refused.stderr.split_once("up to ").expect("a number");
    let (fits, _) = fits.split_once(' ').expect("a number");
    let plan = format!("plan --batch {fits}");
    Cli::new(&plan).on_adapter().succeed();
}

#[test]
fn compare_sets_every_figure_beside_the_one_before() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let past = folder.path().join("before.json");
    fs::write(&past, &REPORT.stdout).expect("a file");
    let before = REPORT.json();

    let now = bench(SWEEP).with("--compare").path(&past);
    let now = now.succeed().json();
    let compared = &now["compare"];
    assert_eq!(compared["differs"], json!([]));
    let ratios = list(&compared["ratios"]);
    let of = |figure: &str| {
        let found = ratios.iter().find(|r| r["figure"] == figure);
        found.unwrap_or_else(|| panic!("no {figure} in {compared}"))
    };
    for key in ["ms_per_step", "gflops", "peak_gbps", "first_step_seconds"] {
        assert_eq!(of(key)["before"], before[key]);
        assert_eq!(of(key)["now"], now[key]);
        let ratio = number(&now, key) / number(&before, key);
        assert!((number(of(key), "ratio") / ratio - 1.0).abs() < 1e-9);
    }
    let batch = of("ms_per_step, batch 1");
    assert_eq!(batch["before"], before["sweep"][1]["ms_per_step"]);
    let kernel = of("ms, adam update");
    assert!(number(kernel, "ratio") > 0.0);

    // Another adapter, ten times as fast, is reported and no failure.
    let mut other = before;
    other["adapter"] = json!("Another GPU");
    other["ms_per_step"] = json!(number(&now, "ms_per_step") / 10.0);
    fs::write(&past, other.to_string()).expect("a file");
    let outcome = bench("--steps 1 --repeats 1 --compare").path(&past);
    let outcome = outcome.succeed();
    assert!(outcome.stdout.contains("now / before"), "{outcome}");
    for word in ["warning", "Another GPU"] {
        assert!(outcome.stderr.contains(word), "no {word} in {outcome}");
    }
    // A warning, and nothing else, also where only those are wanted.
    let quiet = bench("--steps 1 --repeats 1 -q --profile --compare").path(&past);
    let quiet = quiet.succeed();
    let warning = "before.json is of something else";
    let said = quiet
        .stderr
        .lines()
        .any(|l| l.starts_with("warning: ") && l.contains(warning));
    assert!(said && !quiet.stderr.contains("note: "), "{quiet}");
}

#[test]
fn a_file_that_is_no_report_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("a file");
        path
    };
    for (path, word) in [
        (folder.path().join("nowhere.json"), "cannot read"),
        (folder.path().to_owned(), "cannot read"),
        (file("notes.txt", "72 ms\n"), "not JSON"),
        (file("list.json", "[1, 2]"), "`adapter`"),
        (
            file("half.json", r#"{"adapter": "A", "batch": 4}"#),
            "`ms_per_step`",
        ),
        (
            file(
                "zero.json",
                r#"{"adapter": "A", "batch": 4, "ms_per_step": 0}"#,
            ),
            "`ms_per_step`",
        ),
    ] {
        let shown = path.display().to_string();
        let words = [word, &shown, "cvae-gpu bench --json"];
        bench("--compare").path(&path).fail(1, &words);
    }
}
