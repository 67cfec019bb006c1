//! `check`: verdicts on an adapter and on case files, and refused files.

use std::fs;
use std::path::{Path, PathBuf};

use cvae_gpu::check::builtin::Recipe;
use cvae_gpu::check::{Case, Grade, judge, run};
use cvae_gpu::files::tensors::{Tensor, TensorData, TensorFile};
use cvae_gpu::model::{Filters, Loss, Model};
use cvae_gpu::ops::adam::Adam;
use serde_json::Value;
use tempfile::TempDir;

use super::case::case_file;
use super::program::{Cli, Outcome};

/// A case in its own folder.
struct Bench {
    root: TempDir,
    case: Case,
}

impl Bench {
    fn new() -> Self {
        let model = Filters {
            image: [12, 8, 1],
            latent_dim: 3,
            encoder_filters: vec![5, 11],
            decoder_base: 3,
            decoder_filters: vec![7, 5],
            ..Filters::default()
        }
        .model();
        let case = Recipe::new("small.safetensors", model, 3).cook();
        let root = tempfile::tempdir().expect("a temporary folder");
        Bench { root, case }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Writes a changed copy of the case.
    fn write(&self, name: &str, change: impl FnOnce(&mut TensorFile)) -> PathBuf {
        let mut file = case_file(&self.case);
        change(&mut file);
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        file.write(&path).expect("a file");
        path
    }
}

fn check(case: &Path) -> Cli {
    Cli::new("check").with("--case").path(case)
}

fn values(tensor: &mut Tensor) -> &mut Vec<f32> {
    match &mut tensor.data {
        TensorData::F32(values) => values,
        TensorData::U32(_) | TensorData::I32(_) => panic!("floats were expected"),
    }
}

/// The rows of all sections: section, row.
fn rows(document: &Value) -> Vec<(String, Value)> {
    let sections = document["sections"].as_array().expect("sections");
    let of = |section: &Value| {
        let name = section["name"].as_str().expect("a name").to_owned();
        let rows = section["rows"].as_array().expect("rows").clone();
        rows.into_iter().map(move |row| (name.clone(), row))
    };
    sections.iter().flat_map(of).collect()
}

/// A dump holds every tensor of the case, equal to that of the twins.
fn assert_dumped(path: &Path, case: &Case) {
    let dump = TensorFile::read(path).expect("a dump");
    assert!(dump.metadata.contains_key("adapter"));
    let expected = case_file(case).tensors.into_iter();
    let expected: Vec<_> = expected
        .filter(|(name, _)| name.starts_with("expect/"))
        .collect();
    assert_eq!(dump.tensors.len(), expected.len());
    for (name, tensor) in expected {
        assert_eq!(dump.tensors[&name].shape, tensor.shape, "{name}");
    }
    let mut whole = case_file(case);
    whole.tensors.extend(dump.tensors);
    let dumped = Case::from_file("dump", "dump", whole).expect("a case");
    let rows = judge(&dumped, &run::on_twins(case), Grade::Must);
    let off: Vec<_> = rows.iter().filter(|row| !row.ok()).collect();
    assert!(
        off.is_empty() && rows.len() == dumped.expect.len(),
        "{off:?}"
    );
}

#[test]
fn a_check_without_options_finds_the_adapter_right() {
    let passed = Cli::new("check --json").on_adapter().succeed();
    assert_eq!(passed.stderr, "");
    let document = passed.json();
    assert_eq!(document["passed"], true);
    assert_eq!(document["failed"], 0);
    let rows = rows(&document);
    assert_eq!(document["compared"], rows.len());
    assert!(rows.len() > 600, "{} rows", rows.len());
    for (section, least) in [
        ("kernels of the tutorial's model", 60),
        ("kernels of a colour model", 60),
        ("kernels of an odd model", 100),
        ("kernels far out", 9),
        ("p2.safetensors", 65),
        ("colour.safetensors", 84),
        ("analytic-kl.safetensors", 84),
        ("beta.safetensors", 84),
        ("zero-biases.safetensors", 84),
        ("large-logits.safetensors", 84),
    ] {
        let count = rows.iter().filter(|(name, _)| name == section).count();
        assert!(count >= least, "{count} rows of {section}");
    }
    for (section, row) in &rows {
        let [found, limit] = ["found", "limit"].map(|key| row[key].as_f64().expect(key));
        assert!(found <= limit, "{section}: {row}");
    }
}

#[test]
fn given_cases_are_all_that_is_run_and_each_has_a_row_per_tensor() {
    let bench = Bench::new();
    let small = bench.write("small.safetensors", |_| {});
    let model = Model {
        latent_dim: 16,
        loss: Loss::AnalyticKl,
        ..bench.case.model.clone()
    };
    let other = Recipe {
        real: true,
        ..Recipe::new("other.safetensors", model, 1)
    };
    let other_case = other.cook();
    let other = bench.path("other.safetensors");
    case_file(&other_case).write(&other).expect("a file");
    let dump = bench.path("new/dump");
    let both = || check(&small).with("--case").path(&other).on_adapter();
    let table = both().with("--trace --dump").path(&dump).succeed();
    let json = both().with("--strict --json").succeed().json();
    let sections = json["sections"].as_array().expect("sections");
    let names: Vec<_> = sections.iter().map(|s| s["name"].as_str()).collect();
    assert_eq!(
        names,
        [Some("small.safetensors"), Some("other.safetensors")]
    );
    assert_eq!(rows(&json).len(), 2 * 84);
    for (_, row) in rows(&json) {
        let tensor = row["tensor"].as_str().expect("a name");
        let lines = table.stdout.lines().filter(|line| {
            let mut cells = line.split_whitespace();
            cells.next() == Some(tensor) && cells.next() == row["measure"].as_str()
        });
        assert_eq!(lines.count(), 2, "{tensor} in {table}");
    }
    for word in [
        "passed: 168 of 168",
        "judged by `limit`",
        "results agree with the CPU",
    ] {
        assert!(table.stdout.contains(word), "no {word:?} in {table}");
    }
    let widest = table.stdout.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(100), "{widest:?} columns in {table}");
    assert_dumped(&dump.join("small.safetensors"), &bench.case);
    assert_dumped(&dump.join("other.safetensors"), &other_case);
    let quiet = both().with("-q").succeed();
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
}

/// The check fails, and shows exactly the tensors beyond their limits.
fn assert_off(outcome: &Outcome, off: &[&str]) {
    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert!(outcome.stdout.contains("FAILED"), "{outcome}");
    assert!(outcome.stderr.starts_with("error: "), "{outcome}");
    assert!(outcome.stderr.contains("cannot be trusted"), "{outcome}");
    let (_, beyond) = (outcome.stdout.split_once("Beyond their limits"))
        .unwrap_or_else(|| panic!("nothing beyond its limit in {outcome}"));
    let rows = beyond.lines().skip(2).take_while(|line| !line.is_empty());
    let names: Vec<_> = rows
        .filter_map(|row| row.split_whitespace().next())
        .collect();
    assert_eq!(names, off, "{outcome}");
}

#[test]
fn falsified_expectations_are_refused_and_the_dump_holds_what_was_computed() {
    let bench = Bench::new();
    let gradients: Vec<String> = (bench.case.expect.keys())
        .filter(|name| name.starts_with("grad/"))
        .cloned()
        .collect();
    let falsified = bench.write("falsified.safetensors", |file| {
        for name in &gradients {
            let tensor = file.tensors.get_mut(&format!("expect/{name}"));
            values(tensor.expect(name))
                .iter_mut()
                .for_each(|v| *v *= 1.5);
        }
    });
    let dump = bench.path("dump");
    let outcome = check(&falsified)
        .with("--dump")
        .path(&dump)
        .on_adapter()
        .run();
    let names: Vec<&str> = gradients.iter().map(String::as_str).collect();
    assert_off(&outcome, &names);
    assert_dumped(&dump.join("falsified.safetensors"), &bench.case);
    let json = check(&falsified).with("--json").on_adapter().run();
    assert_eq!(json.code, Some(1), "{json}");
    assert_eq!(json.json()["passed"], false);
    assert_eq!(json.json()["failed"], gradients.len());
    // No kernel differs.
    let trace = check(&falsified).with("--trace").on_adapter().run();
    assert!(
        trace.stdout.contains("results agree with the CPU"),
        "{trace}"
    );
    assert!(
        trace.stderr.contains("where the cases come from"),
        "{trace}"
    );
}

#[test]
fn one_wrong_value_is_found_at_its_index() {
    let bench = Bench::new();
    let wrong = bench.write("wrong.safetensors", |file| {
        let logits = file.tensors.get_mut("expect/logits").expect("logits");
        // Image 1, row 2, column 3 of 12×8 pixels.
        values(logits)[(12 + 2) * 8 + 3] += 1.0;
    });
    let outcome = check(&wrong).on_adapter().run();
    assert_off(&outcome, &["logits"]);
    assert!(outcome.stdout.contains("[1,2,3,0]"), "{outcome}");
}

#[test]
fn strictness_refuses_what_the_ordinary_limits_let_pass() {
    let bench = Bench::new();
    let near = bench.write("near.safetensors", |file| {
        let grad = file.tensors.get_mut("expect/grad/encoder.dense.kernel");
        values(grad.expect("a gradient"))
            .iter_mut()
            .for_each(|v| *v *= 1.0003);
    });
    assert!(
        bench.case.relu_margin >= Some(5e-7),
        "{:?}",
        bench.case.relu_margin
    );
    check(&near).on_adapter().succeed();
    let strict = check(&near).with("--strict").on_adapter().run();
    assert_off(&strict, &["grad/encoder.dense.kernel"]);
    assert!(
        strict.stdout.contains("judged by `strict_limit`"),
        "{strict}"
    );
}

#[test]
fn dumps_overwrite_neither_each_other_nor_their_cases() {
    let bench = Bench::new();
    let [a, b] = ["a/x.safetensors", "b/x.safetensors"].map(|name| bench.write(name, |_| {}));
    let dump = bench.path("dump");
    let both = check(&a).with("--case").path(&b).with("--dump").path(&dump);
    let shown = [&a, &b].map(|path| path.display().to_string());
    both.fail(1, &[&shown[0], &shown[1], "x.safetensors", "one at a time"]);
    assert!(!dump.exists());
    let before = fs::read(&a).expect("the case");
    let onto = check(&a).with("--dump").path(&bench.path("a"));
    onto.fail(1, &["overwrite", &shown[0], "another folder"]);
    assert_eq!(fs::read(&a).expect("the case"), before);
    let file = check(&a).with("--dump").path(&b);
    file.fail(1, &[&shown[1], "cannot make the folder"]);
}

/// The file is refused with one message with its name and these words.
#[track_caller]
fn assert_refused(path: &Path, words: &[&str]) {
    let shown = path.display().to_string();
    check(path).fail(1, &[words, &[&shown]].concat());
}

#[test]
fn files_that_cannot_be_read_are_refused() {
    let bench = Bench::new();
    assert_refused(&bench.path("nothing"), &["cannot read", "check the path"]);
    assert_refused(bench.root.path(), &["cannot read"]);
    let whole = case_file(&bench.case).to_bytes().expect("bytes");
    let png = b"\x89PNG\r\n\x1a\n and what follows".to_vec();
    for (bytes, word) in [
        (whole[..whole.len() - 1].to_vec(), "copy or make it again"),
        (whole[..100].to_vec(), "copy or make it again"),
        (Vec::new(), "copy or make it again"),
        (png, "no valid safetensors"),
        ([&whole[..], &[0]].concat(), "no valid safetensors"),
    ] {
        let path = bench.path("broken");
        fs::write(&path, bytes).expect("a file");
        assert_refused(&path, &[word]);
    }
    // One bad file among good ones is refused before any work.
    let good = bench.write("good", |_| {});
    check(&good)
        .with("--case")
        .path(&bench.path("nothing"))
        .fail(1, &["cannot read"]);
}

#[test]
fn configurations_that_make_no_sense_are_refused() {
    let bench = Bench::new();
    let with = |key: &str, value: Value| {
        bench.write("config", |file| {
            let config = file.metadata.get_mut("config").expect("a config");
            let mut json: Value = serde_json::from_str(config).expect("JSON");
            json[key] = value;
            *config = json.to_string();
        })
    };
    let huge = serde_json::json!(1u64 << 60);
    for (key, value, word) in [
        ("latent_dim", Value::Null, "expected usize"),
        ("latent_dim", 0.into(), "`latent_dim`"),
        ("latent_dim", (-3).into(), "expected usize"),
        ("latent_dim", 1e30.into(), "expected usize"),
        ("latent_dim", huge.clone(), "sizes are from 1 to"),
        ("latent_dim", 4.into(), "`input/eps` has shape [2, 3, 3]"),
        ("image", [8, 8].as_slice().into(), "array"),
        ("image", [10, 3, 1].as_slice().into(), "from 4 to 512"),
        ("image", [16, 8, 1].as_slice().into(), "`input/x` has shape"),
        (
            "image",
            [65536, 65536, 65536].as_slice().into(),
            "from 4 to 512",
        ),
        (
            "enc_filters",
            [65536, 65536].as_slice().into(),
            "`encoder.conv2` does not fit",
        ),
        (
            "enc_filters",
            vec![huge.clone(), huge].into(),
            "sizes are from 1 to",
        ),
        ("dec_base", 5.into(), "`param/decoder.dense.kernel`"),
        (
            "dec_filters",
            [5, 7].as_slice().into(),
            "`param/decoder.deconv1.kernel`",
        ),
        ("loss", "beta".into(), "expected `mc` or `analytic_kl`"),
        ("beta", (-1.0).into(), "from 0 up"),
    ] {
        assert_refused(&with(key, value), &[word]);
    }
    let plain = bench.write("plain", |file| file.metadata.clear());
    assert_refused(&plain, &["`config`", "is missing"]);
    let text = bench.write("text", |file| {
        file.metadata.insert("config".into(), "image: 28".into());
    });
    assert_refused(&text, &["`config`", "record the case again"]);
}

#[test]
fn tensors_that_are_missing_or_of_the_wrong_kind_are_refused() {
    let bench = Bench::new();
    for name in ["input/x", "input/eps", "param/decoder.deconv3.bias"] {
        let missing = bench.write("missing", |file| {
            file.tensors.remove(name);
        });
        assert_refused(&missing, &["no tensor", name]);
        let integers = bench.write("integers", |file| {
            let tensor = file.tensors.get_mut(name).expect(name);
            tensor.data = TensorData::U32(vec![1; values(tensor).len()]);
        });
        assert_refused(&integers, &[name, "U32"]);
    }
    for name in [
        "input/x",
        "input/eps",
        "param/encoder.conv1.kernel",
        "expect/z",
        "expect/loss",
    ] {
        let short = bench.write("short", |file| {
            let tensor = file.tensors.get_mut(name).expect(name);
            let length = values(tensor).len();
            tensor.shape = vec![length];
            if name == "expect/loss" {
                tensor.shape = vec![1, length];
            }
        });
        assert_refused(&short, &[name, "has shape", "was expected"]);
    }
    let empty = bench.write("empty", |file| {
        let eps = Tensor::f32([0, 3, 3], Vec::new());
        file.tensors.insert("input/eps".into(), eps);
    });
    assert_refused(&empty, &["input/eps", "[0, 3, 3]"]);
    let endless = bench.write("endless", |file| {
        let x = Tensor::f32([usize::MAX >> 8, 0, 8, 1], Vec::new());
        file.tensors.insert("input/x".into(), x);
    });
    assert_refused(&endless, &["input/x", "has shape"]);
}

#[test]
fn values_that_are_not_numbers_or_no_targets_are_refused() {
    let bench = Bench::new();
    for (name, value, word) in [
        ("input/x", f32::NAN, "holds NaN at 5"),
        ("input/x", 255.0, "targets lie from 0 to 1"),
        ("input/x", -0.1, "targets lie from 0 to 1"),
        ("input/eps", f32::INFINITY, "holds inf at 5"),
        ("param/decoder.dense.kernel", f32::NAN, "holds NaN at 5"),
        ("expect/grad/encoder.conv2.bias", f32::NAN, "holds NaN at 5"),
    ] {
        let path = bench.write("values", |file| {
            values(file.tensors.get_mut(name).expect(name))[5] = value;
        });
        assert_refused(&path, &[name, word]);
    }
}

#[test]
fn a_case_that_expects_nothing_comparable_is_refused() {
    let bench = Bench::new();
    let nothing = |file: &mut TensorFile| {
        file.tensors.retain(|name, _| !name.starts_with("expect/"));
    };
    let bare = bench.write("bare", nothing);
    assert_refused(&bare, &["expects nothing"]);
    let foreign = bench.write("foreign", |file| {
        nothing(file);
        file.tensors
            .insert("expect/colour".into(), Tensor::f32([1], vec![1.0]));
    });
    assert_refused(&foreign, &["expects nothing"]);
    let partly = bench.write("partly", |file| {
        file.tensors
            .insert("expect/colour".into(), Tensor::f32([1], vec![1.0]));
    });
    let passed = check(&partly).on_adapter().succeed();
    assert!(
        passed.stderr.contains("no `colour`; it was not compared"),
        "{passed}"
    );
}

// The weights are finite, their results are not.
#[test]
fn a_case_larger_than_any_adapter_is_refused_before_anything_is_allocated() {
    let model = Filters {
        image: [8, 8, 1],
        latent_dim: 1,
        encoder_filters: vec![1, 1],
        decoder_base: 1,
        decoder_filters: vec![1, 60_000],
        loss: Loss::Mc,
        beta: 1.0,
    }
    .model();
    let batch = 300;
    let params = model.params().into_iter();
    let case = Case {
        name: "large".into(),
        batch,
        x: vec![0.0; batch * 64],
        labels: Vec::new(),
        adam: Adam::default(),
        eps: vec![vec![0.0; batch]],
        params: params
            .map(|spec| (spec.name.clone(), vec![0.0; spec.len()]))
            .collect(),
        expect: [("loss".to_owned(), vec![1.0])].into(),
        unknown: Vec::new(),
        relu_margin: None,
        model,
    };
    let root = tempfile::tempdir().expect("a temporary folder");
    let path = root.path().join("large");
    case_file(&case).write(&path).expect("a file");
    assert_refused(&path, &["1152000000 values", "fewer images"]);
}
