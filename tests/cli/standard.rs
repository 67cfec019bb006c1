//! `-` as a file: standard output and standard input; and readers that go away.

use std::fs;
use std::path::Path;

use super::program::{Cli, Outcome};
use super::resume::Place;
use super::sets;

/// A place with a small model in `run` and codes in `codes.npy`.
fn place() -> Place {
    let place = Place::new();
    let words = "--epochs 1 --max-steps 5 --no-images";
    place.start("run", words).succeed();
    let words = "encode --model run --limit 8 --out codes.npy";
    call(&place, words).succeed();
    place
}

fn call(place: &Place, words: &str) -> Cli {
    Cli::new(words).within(place.path())
}

/// Calls with one output file, and its option.
const CALLS: [(&str, &str, &str); 16] = [
    ("sample --model run -n 4", "--out", "a.png"),
    ("sample --model run -n 4 --out b.png", "--npy", "a.npy"),
    ("manifold --model run -n 2", "--out", "a.png"),
    ("manifold --model run -n 2 --out b.png", "--npy", "a.npy"),
    ("reconstruct --model run -n 2", "--out", "a.png"),
    (
        "interpolate --model run --from 0 --to 1 --steps 3",
        "--out",
        "a.png",
    ),
    ("latent --model run", "--out", "a.png"),
    ("encode --model run --limit 3", "--out", "a.csv"),
    ("decode --model run --z codes.npy", "--out", "a.npy"),
    ("score --model run --limit 3", "--out", "a.csv"),
    ("eval --model run --limit 3", "--per-image", "a.csv"),
    (
        "export --model run --format pytorch",
        "--out",
        "a.safetensors",
    ),
    (
        "export --model run --format safetensors",
        "--out",
        "a.safetensors",
    ),
    (
        "import --from run/model.safetensors",
        "--out",
        "a.safetensors",
    ),
    ("data pack idx", "--out", "idx.safetensors.gz"),
    ("data info idx", "--out", "a.png"),
];

/// Options after the words, and standard output in a file.
fn redirected(place: &Place, words: &str, name: &str) -> Outcome {
    let script = format!("exec \"$0\" \"$@\" > {name}");
    call(place, words).in_shell(&script).run()
}

#[test]
fn a_minus_writes_the_bytes_of_the_file_to_standard_output_and_nothing_else() {
    let place = place();
    let read = |name: &str| fs::read(place.path().join(name)).expect("a file");
    for (words, option, file) in CALLS {
        let filed = call(&place, &format!("{words} {option} {file}")).succeed();
        let printed = redirected(&place, &format!("{words} {option} -"), "out");
        assert_eq!(printed.code, Some(0), "{printed}");
        assert!(!read(file).is_empty(), "{words}");
        assert!(read("out") == read(file), "{printed}");
        assert!(!printed.stderr.contains("Wrote -"), "{printed}");
        assert!(!place.path().join("-").exists(), "{printed}");
        // The report moves to standard error.
        for line in filed.stdout.lines() {
            assert!(printed.stderr.contains(line), "no {line} in {printed}");
        }
    }
}

#[test]
fn codes_come_from_standard_input_and_arrays_go_to_standard_output() {
    let place = place();
    let read = |name: &str| fs::read(place.path().join(name)).expect("a file");
    let filed = "decode --model run --z codes.npy --out images.npy";
    call(&place, filed).succeed();
    let piped = call(&place, "decode --model run --z - --out -");
    let said = piped.in_shell("cat codes.npy | \"$0\" \"$@\" > piped.npy");
    let said = said.succeed();
    assert!(
        said.stderr.contains("standard input has 4 columns"),
        "{said}"
    );
    assert!(read("piped.npy") == read("images.npy"));
    let words = "decode --model run --z - --out never.npy";
    let short = call(&place, words).in_shell("head -c 100 codes.npy | \"$0\" \"$@\"");
    short.fail(1, &["standard input", "copy or make it again"]);
    let closed = call(&place, words).in_shell("exec \"$0\" \"$@\" < .");
    closed.fail(1, &["cannot read standard input", "directory"]);
}

#[test]
fn what_would_mix_on_standard_output_is_wrong_usage() {
    let place = place();
    for (words, option, _) in CALLS {
        // These have no --json.
        if !words.starts_with("data pack") {
            let both = call(&place, &format!("{words} {option} - --json"));
            both.fail(2, &["--json", "`-`", "standard output"]);
        }
    }
    for command in ["sample", "manifold"] {
        let words = format!("{command} --model run --out - --npy -");
        call(&place, &words).fail(2, &["two outputs"]);
    }
    let onnx = call(&place, "export --model run --format onnx --out -");
    onnx.fail(2, &["onnx", "two files"]);
    for words in ["train --out -", "man --out -", "check --dump -"] {
        Cli::new(words).fail(2, &["a folder", "standard output"]);
    }
    assert!(!place.path().join("sample.png").exists());
}

/// A file of this name has a path.
#[test]
fn a_file_may_be_named_minus() {
    let place = Place::new();
    let words = "data pack idx --out ./-.gz";
    call(&place, words).succeed();
    assert!(place.path().join("-.gz").exists());
    call(&place, "data pack idx --out ./-").succeed();
    assert!(Path::new(&place.path().join("-")).exists());
}

/// `script` runs a command on a terminal of its own.
#[cfg(target_os = "linux")]
#[test]
fn a_terminal_gets_text_only() {
    let place = place();
    let on_terminal = |words: &str| {
        let script = "script -qec \"$0 $*\" /dev/null < /dev/null";
        call(&place, words).in_shell(script).run()
    };
    let table = on_terminal("score --model run --limit 2 --out -");
    assert!(table.stdout.contains("index,label,elbo"), "{table}");
    let picture = on_terminal("sample --model run -n 4 --out -");
    assert_eq!(picture.code, Some(1), "{picture}");
    assert!(picture.stdout.contains("redirect it"), "{picture}");
    assert!(!picture.stdout.contains("IHDR"), "{picture}");
}

/// The reader ends before the program writes, and `code` gets the status of the program.
const NO_READER: &str = "{ sleep 0.1; \"$0\" \"$@\"; echo $? > code; } | true";

#[test]
fn a_reader_that_goes_away_ends_every_command_quietly() {
    let place = place();
    let status = || fs::read_to_string(place.path().join("code")).expect("a status");
    let mut all: Vec<String> = [
        "--help",
        "--version",
        "train --help",
        "devices",
        "devices --json",
        "plan",
        "plan --json",
        "shaders",
        "shaders --json",
        "shaders --print conv",
        "data list",
        "data list --json",
        "data info idx",
        "data info idx --json",
        "runs .",
        "runs . --json",
        "completions bash",
        "completions zsh",
        "man",
        "eval --model run",
        "eval --model run --json",
        "sample --model run -n 1 --json",
        "export --model run --format pytorch --out p.safetensors --json",
        "bench --steps 1 --repeats 1 --batch 1",
        "bench --steps 1 --repeats 1 --batch 1 --json",
    ]
    .map(str::to_owned)
    .to_vec();
    all.extend(CALLS.map(|(words, option, _)| format!("{words} {option} -")));
    for words in all {
        let said = call(&place, &words).in_shell(NO_READER).run();
        let quiet = ["error", "roken pipe", "panic"].map(|word| !said.stderr.contains(word));
        assert_eq!(quiet, [true; 3], "{said}");
        assert!(
            ["0\n", "141\n"].contains(&&*status()),
            "{} in {said}",
            status()
        );
    }
    // The file beside the text is written first.
    let words = "data info idx --out sheet.png";
    call(&place, words).in_shell(NO_READER).run();
    assert!(place.path().join("sheet.png").exists());
}

#[test]
fn a_reader_that_goes_away_hides_no_wrong_result() {
    let place = Place::new();
    let cache = place.path().join("cache");
    fs::create_dir(&cache).expect("a folder");
    sets::write_gzip(&cache.join("fashion-mnist"), 12);
    let verify = Cli::new("data verify").within(place.path());
    let verify = verify.env("CVAE_GPU_CACHE", &cache.to_string_lossy());
    let said = verify.in_shell(NO_READER).run();
    let status = fs::read_to_string(place.path().join("code")).expect("a status");
    assert_eq!(status, "1\n", "{said}");
    assert!(said.stderr.contains("not as they were published"), "{said}");
}

#[test]
fn training_without_any_reader_saves_a_checkpoint_and_ends_quietly() {
    let place = Place::new();
    let words = "--epochs 100000 --no-images -q --json";
    let said = place.start("run", words).in_shell(NO_READER).run();
    assert_eq!(said.stderr, "", "{said}");
    let status = fs::read_to_string(place.path().join("code")).expect("a status");
    assert_eq!(status, "141\n", "{said}");
    assert!(place.path().join("run/checkpoint.safetensors").exists());
    place.resume("run", "--max-steps 3").succeed();
}

/// `/dev/full` is a disk on which nothing can be written.
#[cfg(target_os = "linux")]
#[test]
fn standard_output_on_a_full_disk_is_an_error() {
    let place = place();
    let full = |words: &str| {
        let cli = call(&place, words).in_shell("exec \"$0\" \"$@\" > /dev/full");
        cli.fail(1, &["cannot write to standard output", "No space left"]);
    };
    // A text, a line, and bytes that end without a line break.
    full("man");
    full("data list");
    full("sample --model run -n 1 -q --out -");
}
