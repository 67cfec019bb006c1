//! The allowed imports between the rooms of `src/`; the table below is exact.
//!
//! A room is a folder of `src/`, or `rng.rs`. Each room imports only rooms above it, so there are no
//! circles among rooms. Files must have no circles either. Unit tests do not count.

mod imports;
mod released;

use std::collections::{BTreeMap, BTreeSet};

use imports::{File, files};

/// A room, its purpose, and the rooms it imports.
type Room = (&'static str, &'static str, &'static str);

const ROOMS: &[Room] = &[
    ("rng", "counter-based random numbers", ""),
    ("files", "atomic writes, tensors, arrays", ""),
    ("plan", "slots, kernels, steps; the CPU executor", ""),
    (
        "data",
        "image sets: in memory, by format, by name",
        "rng files",
    ),
    (
        "ops",
        "one file per shader: steps and CPU twin",
        "rng plan data",
    ),
    (
        "model",
        "the screen: model, layers, every plan",
        "rng plan data ops",
    ),
    (
        "gpu",
        "devices, memory, replay; alone in naming wgpu",
        "plan ops",
    ),
    (
        "train",
        "the training loop and evaluation",
        "rng plan data ops model gpu",
    ),
    (
        "saved",
        "models, checkpoints, PyTorch's layout, ONNX",
        "files data ops model gpu train",
    ),
    (
        "explore",
        "what a trained model is asked",
        "rng plan data ops model gpu train saved",
    ),
    ("render", "pictures, curves, animations", ""),
    ("run", "the run folder", "files data train saved render"),
    (
        "check",
        "the self-test of an adapter",
        "rng files plan data ops model gpu explore",
    ),
    (
        "bench",
        "times steps and kernels",
        "rng files plan data ops model gpu train check",
    ),
];

/// The doors, of the command line and of the page; they may import every room.
const DOORS: [&str; 3] = ["cli", "main", "web"];

#[test]
fn rooms_import_what_the_table_says() {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files() {
        let imports = found.entry(file.room().to_owned()).or_default();
        imports.extend(file.imports.iter().map(|i| i.room().to_owned()));
    }
    let rooms: Vec<&str> = ROOMS.iter().map(|(room, ..)| *room).collect();
    for (room, mut imports) in found {
        imports.remove(&room);
        if room == "lib" || DOORS.contains(&room.as_str()) {
            continue;
        }
        let at = rooms.iter().position(|r| *r == room);
        let at = at.unwrap_or_else(|| panic!("{room} is missing in the table"));
        let allowed: BTreeSet<String> = ROOMS[at].2.split_whitespace().map(str::to_owned).collect();
        assert_eq!(imports, allowed, "imports of {room}");
        let above = |import: &String| rooms[..at].contains(&import.as_str());
        assert!(allowed.iter().all(above), "{room} imports a room below it");
    }
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let files = files();
    let names: BTreeMap<&str, &File> = files.iter().map(|f| (f.name.as_str(), f)).collect();
    // Removes files that import none of the rest, or that none of the rest imports.
    let mut left: BTreeSet<&str> = names.keys().copied().collect();
    loop {
        let waits = |name: &&str| {
            let mut imports = names[name].imports.iter();
            imports.any(|i| i.name != **name && left.contains(i.name.as_str()))
        };
        let awaited = |name: &&str| {
            let mut others = left.iter().filter(|other| *other != name);
            others.any(|other| names[other].imports.iter().any(|i| i.name == **name))
        };
        let rest: BTreeSet<&str> = left
            .iter()
            .copied()
            .filter(|n| waits(n) && awaited(n))
            .collect();
        if rest.len() == left.len() {
            break;
        }
        left = rest;
    }
    let circle = |name: &&str| {
        let imports = names[name].imports.iter().map(|i| i.name.as_str());
        let within: Vec<&str> = imports.filter(|i| left.contains(i) && i != name).collect();
        format!("{name} → {}", within.join(", "))
    };
    let circles: Vec<String> = left.iter().map(circle).collect();
    assert!(circles.is_empty(), "circles:\n{}", circles.join("\n"));
}

#[test]
fn only_gpu_names_wgpu() {
    for file in files().iter().filter(|f| f.room() != "gpu") {
        assert!(!file.code.contains("wgpu::"), "{}", file.name);
    }
}

/// Advice on flags and commands is in `src/cli/advice.rs`.
#[test]
fn errors_of_the_library_name_no_flag_and_no_command() {
    for file in files().iter().filter(|f| f.room() != "cli") {
        // Messages are also made without `#[error(…)]`. Rust has no `--` outside of strings.
        let mut after = file.code.split("--").skip(1);
        let named = after.any(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
        assert!(!named, "{} names a flag", file.name);
        for error in file.code.split("#[error(").skip(1) {
            let error = error.split(")]").next().unwrap_or_default();
            let words: Vec<&str> = error.split([' ', '\n', '\\']).collect();
            let text = words.iter().filter(|w| !w.is_empty());
            let text = text.copied().collect::<Vec<_>>().join(" ");
            for name in ["--", "cvae-gpu "] {
                let mut after = text.split(name).skip(1);
                let named = after.any(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic()));
                assert!(!named, "{}: {text}", file.name);
            }
        }
    }
}

/// Only modules of the feature `cli` may name files, threads and blocking waits.
#[test]
fn only_modules_of_cli_touch_files_threads_and_clocks() {
    const OF_CLI: [&str; 17] = [
        "bench",
        "cli",
        "data::ahead",
        "data::known",
        "data::read::array",
        "data::read::cifar",
        "data::read::folder",
        "data::read::idx",
        "data::read::npz",
        "data::set::spill",
        "data::source",
        "files::atomic",
        "files::cache",
        "files::extent",
        "files::regular",
        "gpu::native",
        "run",
    ];
    for file in files() {
        let is_within =
            |part: &&str| file.name == **part || file.name.starts_with(&format!("{part}::"));
        if OF_CLI.iter().any(is_within) || file.name == "main" {
            continue;
        }
        for word in ["fs::", "thread::", "process::", "block_on", "env::var"] {
            assert!(!file.code.contains(word), "{} names {word}", file.name);
        }
        let clock = file.code.contains("Instant");
        let of_browsers = file.code.contains("web_time::Instant");
        assert!(!clock || of_browsers, "{} names std's clock", file.name);
    }
}
