//! Every flag of every command has an effect, or another test shows it.

mod own;
mod table;

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;
use std::rc::Rc;

use image::{Rgb, RgbImage};
use table::{COMMANDS, Row, See, rows};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::documented::listed;
use super::flags::flags;
use super::program::{Cli, Outcome};
use super::resume::Place;
use super::sets::{self, npy};

/// The commands of the program, by its help.
fn commands() -> Vec<String> {
    let listed = |command: &str| listed(&Cli::new(command).with("--help").succeed().stdout);
    let mut all = Vec::new();
    for name in listed("") {
        let parts = listed(&name);
        match parts.is_empty() {
            true => all.push(name),
            false => all.extend(parts.iter().map(|part| format!("{name} {part}"))),
        }
    }
    all
}

#[test]
fn the_table_has_every_flag_of_every_command_once() {
    let known: BTreeSet<&str> = COMMANDS.iter().map(|(command, _)| *command).collect();
    let all = commands();
    let found: BTreeSet<&str> = all.iter().map(String::as_str).collect();
    assert_eq!(&found - &known, BTreeSet::from(["train"]));
    assert_eq!(&known - &found, BTreeSet::new());
    for command in known {
        let of = rows().into_iter().filter(|row| row.0.contains(&command));
        let of: Vec<&str> = of.map(|row| row.1).collect();
        let once: BTreeSet<String> = of.iter().map(|flag| (*flag).to_owned()).collect();
        assert_eq!(once, flags(command), "of {command}");
        assert_eq!(once.len(), of.len(), "{command} has a flag twice: {of:?}");
    }
}

#[test]
fn the_tests_that_the_table_names_exist() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    for Row(commands, flag, _, see) in rows() {
        match see {
            See::Elsewhere(file, name) => {
                let text = fs::read_to_string(tests.join(file)).expect(file);
                assert!(text.contains(&format!("fn {name}()")), "{file}: {name}");
            }
            See::As(other) => {
                let is_same = |row: &Row| row.0.contains(&other) && row.1 == flag;
                assert!(rows().iter().any(is_same), "{commands:?} {flag}");
            }
            _ => {}
        }
    }
}

/// A place with a model, and images of many kinds.
fn place() -> Place {
    let place = Place::new();
    let root = place.path();
    let all = sets::images(44, 28);
    // Test images that are not the first training images.
    let shifted = sets::idx(&[40, 28, 28], &all[16 + 4 * 28 * 28..]);
    fs::write(root.join("idx").join(sets::TEST_IMAGES), shifted).expect("a file");
    let words = "--epochs 1 --max-steps 5 --no-images";
    place.start("run", words).succeed();
    let encode = "encode --model run --limit 3 --out codes.npy";
    Cli::new(encode).within(root).succeed();
    for folder in ["photos", "broken"] {
        let path = root.join(folder);
        fs::create_dir(&path).expect("a new folder");
        for i in 0..20 {
            let pixel = |x: u32, y: u32| Rgb([x * 6, y * 12, 40 * (i % 6)].map(|v| v as u8));
            let picture = RgbImage::from_fn(40, 20, pixel);
            image::DynamicImage::from(picture)
                .to_luma8()
                .save(path.join(format!("{i:02}.png")))
                .expect("a file");
        }
    }
    fs::write(root.join("broken/20.png"), "no picture").expect("a file");
    let rows = npy("|u1", "(44, 784)", &all[16..]);
    fs::write(root.join("rows.npy"), &rows).expect("a file");
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for name in ["a.npy", "b.npy"] {
        let options = SimpleFileOptions::default();
        zip.start_file(name, options).expect("an entry");
        zip.write_all(&rows).expect("memory takes all");
    }
    let archive = zip.finish().expect("memory takes all").into_inner();
    fs::write(root.join("two.npz"), archive).expect("a file");
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/golden/p1.safetensors");
    fs::copy(golden, root.join("case.safetensors")).expect("a copy");
    place
}

/// The words of a command's row in place of the same ones of its base.
fn line(command: &str, words: &str) -> String {
    let of = |(name, _): &&(&str, &str)| *name == command;
    let (_, base) = COMMANDS.iter().find(of).expect("a command");
    let given: Vec<&str> = words.split_whitespace().collect();
    let mut kept = Vec::new();
    let mut parts = base.split_whitespace().peekable();
    while let Some(part) = parts.next() {
        let value = match part.starts_with("--") {
            true => parts.next(),
            false => None,
        };
        let is_replaced = match value {
            Some(_) => given.contains(&part),
            None => given.first().is_some_and(|first| !first.starts_with('-')),
        };
        if !is_replaced {
            kept.push(part);
            kept.extend(value);
        }
    }
    // The argument of a row comes first.
    format!("{command} {} {}", given.join(" "), kept.join(" "))
}

/// The outcome of a call, and its standard output.
type Made = Rc<(Outcome, Vec<u8>)>;

/// Calls of commands in a place; each is made once.
struct Calls {
    place: Place,
    made: RefCell<HashMap<String, Made>>,
}

impl Calls {
    fn new() -> Calls {
        let made = RefCell::default();
        Calls {
            place: place(),
            made,
        }
    }

    /// The outcome, and standard output.
    fn call(&self, command: &str, words: &str) -> Made {
        let words = line(command, words);
        if let Some(made) = self.made.borrow().get(&words) {
            return made.clone();
        }
        let root = self.place.path();
        let script = "exec \"$0\" \"$@\" > stdout";
        let outcome = Cli::new(&words).within(root).in_shell(script).run();
        let output = fs::read(root.join("stdout")).expect("a file");
        let both = Rc::new((outcome, output));
        self.made.borrow_mut().insert(words, both.clone());
        both
    }
}

/// What is wrong with the effect of a row on a command, if anything is.
fn check(calls: &Calls, command: &str, row: &Row) -> Result<(), String> {
    let Row(_, flag, words, see) = row;
    let ends = |words: &str, code| {
        let both = calls.call(command, words);
        match both.0.code == Some(code) {
            true => Ok(both),
            false => Err(format!("not {code}: {}", both.0)),
        }
    };
    let has = |output: &[u8], text: &str| String::from_utf8_lossy(output).contains(text);
    if let See::Writes(file) = see {
        // Another command may have written one of that name.
        let _ = fs::remove_file(calls.place.path().join(file));
    }
    let made = match see {
        See::Elsewhere(..) | See::As(_) => return Ok(()),
        See::Fails(code, _) => ends(words, *code)?,
        _ => ends(words, 0)?,
    };
    let (outcome, output) = &*made;
    let is_seen = match see {
        See::Fails(_, text) => outcome.stderr.contains(text) && output.is_empty(),
        See::Says(text) => outcome.stderr.contains(text),
        See::Hushes(text) => {
            let without = ends(&words.replace(flag, ""), 0)?;
            !outcome.stderr.contains(text) && without.0.stderr.contains(text)
        }
        See::Unsaid(text) => !outcome.stderr.contains(text),
        See::Prints(text) => has(output, text),
        See::Lacks(text) => !has(output, text),
        See::Differs(other) => *output != ends(other, 0)?.1,
        See::Same => *output == ends("", 0)?.1,
        See::Mends(other) => ends(other, 1).is_ok(),
        See::Writes(file) => calls.place.path().join(file).exists(),
        See::Elsewhere(..) | See::As(_) => true,
    };
    match is_seen {
        true => Ok(()),
        false => Err(format!("no effect: {outcome}")),
    }
}

/// Checks the rows of these commands.
fn check_all(is_mine: fn(&str) -> bool) {
    let calls = Calls::new();
    let mut wrong = Vec::new();
    for row in rows() {
        for command in row.0.iter().filter(|command| is_mine(command)) {
            wrong.extend(check(&calls, command, &row).err());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const TABLES: [&str; 4] = ["eval", "encode", "score", "decode"];
const PICTURES: [&str; 5] = ["sample", "reconstruct", "manifold", "interpolate", "latent"];

#[test]
fn flags_of_commands_that_write_tables_have_their_effect() {
    check_all(|command| TABLES.contains(&command));
}

#[test]
fn flags_of_commands_that_draw_have_their_effect() {
    check_all(|command| PICTURES.contains(&command));
}

#[test]
fn flags_of_other_commands_have_their_effect() {
    check_all(|command| !TABLES.contains(&command) && !PICTURES.contains(&command));
}
