//! Runs every command of the documents and of `--help` in order, in a folder of small files with the
//! names of the text. `documented/shorter.sh` shortens long commands. Each must succeed, except those
//! in the lists below.

mod place;

mod text;

use std::fs;
use std::path::{Path, PathBuf};

use super::program::Cli;
use place::Place;
use text::Command;

/// Commands that are not run, by their text, and why.
const NOT_RUN: [(&str, &str); 3] = [
    (
        "cvae-gpu shaders --print NAME",
        "NAME stands for any of the names that `cvae-gpu shaders` lists",
    ),
    (
        "cvae-gpu bench --sweep 8,32,128",
        "a sweep compiles a step for each batch, and tests/cli/bench.rs runs one",
    ),
    (
        "cvae-gpu bench --tune",
        "it compiles dozens of candidates, and tests/cli/tune.rs runs it",
    ),
];

/// Commands that may fail, by their text, and their message.
const MAY_LACK: [(&str, &str); 2] = [
    // Tests download nothing.
    (
        "cvae-gpu train --data fashion-mnist",
        "could not be downloaded",
    ),
    // Not every machine has a driver for OpenGL.
    ("cvae-gpu check --backend gl --strict", "no GPU adapter"),
];

/// Runs commands in order, each once.
#[track_caller]
fn check(place: &mut Place, commands: Vec<Command>) {
    let mut done: Vec<&Command> = Vec::new();
    let mut failed = Vec::new();
    for command in &commands {
        if done.contains(&command) {
            continue;
        }
        done.push(command);
        match command {
            Command::Variable(assignment) => place.set(assignment),
            Command::Name(words) => failed.extend(place.run(&format!("{words} --help")).err()),
            Command::Line(line) if NOT_RUN.iter().any(|(text, _)| text == line) => {}
            Command::Line(line) => {
                let lack = MAY_LACK.iter().find(|(text, _)| text == line);
                let lacks = |error: &String| lack.is_some_and(|(_, said)| error.contains(said));
                failed.extend(place.run(line).err().filter(|error| !lacks(error)));
            }
        }
    }
    let count = failed.len();
    assert!(count == 0, "{count} failed:\n\n{}", failed.join("\n"));
}

fn document(name: &str) -> Vec<Command> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let text = fs::read_to_string(path).expect(name);
    text::of_document(&text.replace("\r\n", "\n"))
}

#[test]
fn every_command_of_the_readme_runs_in_its_order() {
    let commands = document("README.md");
    assert!(commands.len() > 3, "{commands:?}");
    check(&mut Place::new(), commands);
}

#[test]
fn every_command_of_the_other_documents_runs() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let entries = fs::read_dir(docs).expect("docs");
    let mut names: Vec<PathBuf> = entries.map(|e| e.expect("an entry").path()).collect();
    names.retain(|path| path.extension().is_some_and(|e| e == "md"));
    names.sort();
    let others = [
        "CONTRIBUTING.md",
        "assets/README.md",
        "assets/golden/README.md",
    ];
    let names = names.into_iter().chain(others.map(PathBuf::from));
    let of = |path: PathBuf| document(path.to_str().expect("a plain name"));
    let mut commands: Vec<Command> = names.flat_map(of).collect();
    assert!(commands.len() > 40, "{commands:?}");
    // Those that the help has too, the same word for word, run with the help.
    let others = in_help();
    commands.retain(|command| !others.contains(command));
    let mut place = Place::new();
    place.run("cvae-gpu train").expect("a run");
    check(&mut place, commands);
}

/// The commands that a help text lists.
pub fn listed(help: &str) -> Vec<String> {
    let (_, rest) = help.split_once("\nCommands:\n").unwrap_or_default();
    let (list, _) = rest.split_once("\n\n").unwrap_or_default();
    let names = list.lines().filter_map(|line| {
        // Further lines of a description are indented more.
        let line = line.strip_prefix("  ")?;
        line.split(' ').next().filter(|name| !name.is_empty())
    });
    names
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

fn help(command: &str) -> String {
    Cli::new(command).with("--help").succeed().stdout
}

/// The commands in the help of the program and of all its commands.
fn in_help() -> Vec<Command> {
    let main = help("");
    let mut commands = text::of_help(&main);
    for name in listed(&main) {
        let text = help(&name);
        commands.extend(text::of_help(&text));
        for part in listed(&text) {
            commands.extend(text::of_help(&help(&format!("{name} {part}"))));
        }
    }
    commands
}

#[test]
fn every_command_of_the_help_runs() {
    let commands = in_help();
    assert!(commands.len() > 60, "{commands:?}");
    let mut place = Place::new();
    for run in ["mnist-1", "deep --latent-dim 10", "digits --conditional"] {
        let line = format!("cvae-gpu train --out runs/{run}");
        place.run(&line).expect("a run");
    }
    check(&mut place, commands);
}

#[test]
fn commands_that_are_not_run_are_still_documented() {
    let names = ["docs/architecture.md", "docs/cookbook.md"];
    let mut commands: Vec<Command> = names.into_iter().flat_map(document).collect();
    commands.extend(in_help());
    for (line, _) in NOT_RUN.into_iter().chain(MAY_LACK) {
        assert!(commands.contains(&Command::Line(line.into())), "{line}");
    }
}
