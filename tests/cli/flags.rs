//! Every flag of `train`, given to a resumed run, has an effect or is refused.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use super::program::{Cli, Outcome};
use super::resume::Place;

/// The effect of a flag with a value other than the run's.
enum Expect {
    /// It is refused; the message names it.
    Refused(i32),
    /// `config.json` has this value at this path from then on.
    Kept(&'static str, Value),
    /// The output has, or lacks, this text.
    Said(fn(&Outcome) -> bool),
}

/// Arguments, and their effect on a run of two epochs with pictures and tuned kernels that stopped
/// after step 5.
fn table() -> Vec<(&'static str, Expect)> {
    use Expect::{Kept, Refused, Said};
    vec![
        ("--resume run", Refused(2)),
        ("--epochs 3", Kept("/epochs", json!(3))),
        ("--epochs 1", Refused(1)),
        ("--max-steps 6", Kept("/max_steps", json!(6))),
        ("--batch 8", Refused(1)),
        ("--lr 1e-3", Kept("/lr", json!(1e-3))),
        ("--kl-warmup 2", Refused(1)),
        ("--free-bits 0.1", Refused(1)),
        ("--lr-schedule cosine", Refused(1)),
        ("--lr-warmup 1", Refused(1)),
        ("--clip-norm 1", Refused(1)),
        ("--weight-decay 0.1", Refused(1)),
        ("--beta1 0.8", Refused(1)),
        ("--beta2 0.99", Refused(1)),
        ("--epsilon 1e-8", Refused(1)),
        ("--arch keras", Refused(1)),
        ("--val-fraction 0.5", Refused(1)),
        ("--patience 2", Refused(1)),
        ("--init run", Refused(2)),
        ("--posterior full", Refused(1)),
        ("--likelihood gaussian", Refused(1)),
        ("--sigma 0.1", Refused(1)),
        ("--conditional", Refused(1)),
        ("--seed 1", Refused(1)),
        // But for the warning of other kernels.
        (
            "--quiet",
            Said(|o| o.stderr.lines().all(|l| l.starts_with("warning: "))),
        ),
        ("--verbose", Said(|o| o.stderr.contains("steps, loss"))),
        ("--progress always", Said(|o| o.stderr.contains("\x1b[2K"))),
        (
            "--progress never --verbose",
            Said(|o| !o.stderr.contains("steps, loss") && o.stderr.contains("Done after")),
        ),
        ("--help", Said(|o| o.stdout.contains("Usage"))),
        // Other images are refused; `resume` tests the same images at another path.
        ("--data mnist", Refused(1)),
        ("--labels labels.csv", Refused(1)),
        ("--binarize none", Refused(1)),
        ("--flip", Refused(1)),
        ("--size 32", Refused(1)),
        ("--fit pad", Refused(1)),
        ("--image-size 4,4", Refused(1)),
        ("--background white", Refused(1)),
        ("--array x", Refused(1)),
        ("--skip-broken", Refused(1)),
        ("--channels 3", Refused(1)),
        ("--test-fraction 0.5", Refused(1)),
        (
            "--data-memory 1K",
            Said(|o| o.stderr.contains("training images at a time")),
        ),
        (
            "--checkpoint-every 1",
            Kept("/checkpoint_every", json!("1")),
        ),
        ("--eval-every 2", Kept("/eval_every", json!(2))),
        ("--log-every 1", Kept("/log_every", json!(1))),
        ("--no-images", Refused(1)),
        ("--out other", Refused(2)),
        ("--json", Said(|o| o.stdout.contains("\"event\""))),
        ("--latent-dim 3", Refused(1)),
        ("--encoder-filters 8,16", Refused(1)),
        ("--decoder-filters 16,8", Refused(1)),
        ("--decoder-base 16", Refused(1)),
        ("--kl analytic", Refused(1)),
        ("--beta 4", Refused(1)),
        ("--adapter 0", Kept("/device/adapter", json!("0"))),
        ("--adapter none-such", Said(|o| o.code == Some(1))),
        ("--backend gl", Kept("/device/backend", json!("gl"))),
        (
            "--disable timestamps",
            Kept("/device/disable", json!(["timestamps"])),
        ),
        ("--checked", Kept("/device/checked", json!(true))),
        ("--variant tile", Kept("/device/variant", json!("tile"))),
        ("--fuse", Kept("/device/fuse", json!(true))),
        ("--untuned", Kept("/device/groups", Value::Null)),
    ]
}

/// The flags in the help of a command, by their long names.
pub fn flags(command: &str) -> BTreeSet<String> {
    let help = Cli::new(command).with("--help").succeed().stdout;
    let flag = |line: &str| {
        let line = line.trim_start();
        let line = match line.as_bytes() {
            [b'-', b'a'..=b'z', b',', b' ', ..] => &line[4..],
            _ => line,
        };
        let name = line.strip_prefix("--")?;
        let end = name.find(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit() && c != '-');
        Some(format!("--{}", &name[..end.unwrap_or(name.len())]))
    };
    // A description may begin with a flag, indented more.
    let is_flag = |line: &&str| line.starts_with("  -") || line.starts_with("      --");
    help.lines().filter(is_flag).filter_map(flag).collect()
}

#[test]
fn the_table_has_every_flag_of_train() {
    let name = |(words, _): (&str, Expect)| words.split(' ').next().map(str::to_owned);
    let known: BTreeSet<String> = table().into_iter().filter_map(name).collect();
    assert!(known.len() > 25, "{known:?}");
    assert_eq!(flags("train"), known);
}

#[test]
fn every_flag_has_an_effect_on_a_run_that_goes_on_or_is_refused() {
    let place = Place::new();
    let config = place.path().join("run/config.json");
    place.start("run", "--epochs 2 --max-steps 5").succeed();
    let text = fs::read(&config).expect("config.json");
    let mut run: Value = serde_json::from_slice(&text).expect("JSON");
    run["max_steps"] = Value::Null;
    run["device"]["groups"] = json!(16);
    let run = run.to_string();
    let files = place.files("run");
    for (words, expected) in table() {
        for (name, bytes) in &files {
            fs::write(place.path().join("run").join(name), bytes).expect("a file");
        }
        fs::write(&config, &run).expect("a file");
        let flag = words.split(' ').next().expect("a flag");
        match expected {
            Expect::Refused(code) => {
                place.resume("run", words).fail(code, &[flag]);
                let after = fs::read_to_string(&config).expect("config.json");
                assert_eq!(after, run, "{words} was refused and changed the run");
            }
            // The options are written before the adapter opens, so no adapter is needed.
            Expect::Kept(at, value) => {
                let before: Value = serde_json::from_str(&run).expect("JSON");
                assert_ne!(before.pointer(at), Some(&value), "{words}");
                let cli = Cli::new("train --resume run").with(words);
                let cli = match words.starts_with("--backend") {
                    true => cli.env("VK_DRIVER_FILES", "/nonexistent"),
                    false => cli.without_vulkan(),
                };
                let outcome = cli.within(place.path()).run();
                let after = fs::read(&config).expect("config.json");
                let after: Value = serde_json::from_slice(&after).expect("JSON");
                assert_eq!(after.pointer(at), Some(&value), "{outcome}");
            }
            Expect::Said(is_said) => {
                let outcome = place.resume("run", &format!("{words} --max-steps 7")).run();
                assert!(is_said(&outcome), "{outcome}");
            }
        }
    }
}

#[test]
fn other_kernels_are_used_from_then_on_and_said() {
    let place = Place::new();
    let words = "--epochs 1 --max-steps 5 --no-images --variant plain";
    place.start("run", words).succeed();
    // Earlier choices stay next to the new one.
    let fused = place.resume("run", "--max-steps 6 --fuse").succeed();
    let words = ["kernels conv\n", "warning: the kernels", "fused instead of"];
    for words in words {
        assert!(fused.stderr.contains(words), "no {words} in {fused}");
    }
    let again = place.resume("run", "--max-steps 7").succeed();
    assert!(!again.stderr.contains("warning"), "{again}");
    let own = place.resume("run", "--max-steps 8 --untuned").succeed();
    assert!(
        own.stderr.contains("kernels conv instead of") || own.stderr.contains("instead of conv"),
        "{own}"
    );
}
