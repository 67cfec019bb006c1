//! Wrong usage, and the help against it.

use super::program::Cli;

#[test]
fn wrong_usage_exits_2_and_says_what_would_be_right() {
    for (words, expected) in [
        ("train --batch 0", ["--batch", "1.."]),
        ("train --latent-dim 0", ["--latent-dim", "1.."]),
        ("train --epochs 0", ["--epochs", "1.."]),
        ("train --max-steps 0", ["--max-steps", "1.."]),
        ("train --lr -1", ["--lr", "above 0"]),
        ("train --lr=-1", ["--lr", "above 0"]),
        ("train --lr 0", ["--lr", "above 0"]),
        ("train --seed -1", ["--seed", "from 0 up"]),
        ("sample --model m --seed 1.5", ["--seed", "from 0 up"]),
        ("sample --model m --out a.png/", ["a.png/", "name a file"]),
        ("train --lr nan", ["--lr", "above 0"]),
        (
            "train --encoder-filters 8,x",
            ["--encoder-filters", "1 to 8"],
        ),
        (
            "train --decoder-filters 8,0",
            ["--decoder-filters", "1 to 8"],
        ),
        ("train --posterior round", ["--posterior", "diagonal"]),
        ("train --likelihood beta", ["--likelihood", "gaussian"]),
        ("train --sigma 0", ["--sigma", "learned"]),
        ("train --lr-schedule up", ["--lr-schedule", "cosine"]),
        ("train --binarize half", ["--binarize", "threshold"]),
        ("train --kl none", ["--kl", "analytic"]),
        ("train --beta -1", ["--beta", "from 0 up"]),
        ("train --beta nan", ["--beta", "from 0 up"]),
        ("train --beta 1e39", ["--beta", "from 0 up"]),
        ("train --colour", ["--colour", "--help"]),
        ("check --case", ["--case", "FILE"]),
        ("check p1.safetensors", ["p1.safetensors", "--help"]),
        ("bench --steps 0", ["--steps", "1.."]),
        ("bench --batch 60001", ["--batch", "60000"]),
        ("bench --sweep 8,0", ["--sweep", "1.."]),
        ("fly", ["fly", "--help"]),
        ("completions tcsh", ["tcsh", "elvish"]),
        ("data fly", ["fly", "--help"]),
        ("data pack idx", ["--out", "--help"]),
        ("devices --backend glide", ["glide", "vulkan"]),
        ("plan --variant quick", ["quick", "broadcast"]),
        ("plan --disable wheels", ["wheels", "subgroups"]),
        ("plan --disable texels,wheels", ["wheels", "subgroups"]),
    ] {
        Cli::new(words).fail(2, &expected);
    }
}

#[test]
fn the_help_of_every_command_goes_to_stdout_and_gives_an_example() {
    for command in [
        "",
        "train",
        "check",
        "bench",
        "devices",
        "plan",
        "shaders",
        "data",
        "data list",
        "data pack",
        "data info",
        "export",
        "completions",
        "man",
    ] {
        let help = Cli::new(command).with("--help").succeed();
        assert_eq!(help.stderr, "", "{help}");
        let example = format!("\n  {}", format!("cvae-gpu {command}").trim());
        let (_, examples) = (help.stdout.split_once("Example"))
            .unwrap_or_else(|| panic!("`cvae-gpu {command} --help` gives no example: {help}"));
        assert!(examples.contains(&example), "{help}");
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let version = Cli::new("--version").succeed();
    let expected = concat!("cvae-gpu ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(version.stdout, expected);
}

// How the tests themselves call the program.
#[test]
fn the_flags_of_the_adapter_never_stand_between_an_option_and_its_value() {
    let cli = Cli::new("plan --json --batch").on("vulkan").with("7");
    assert_eq!(cli.succeed().json()["batch"], 7);
}

/// A text in one line.
fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_list_of_sources_is_the_same() {
    let all = "a folder of images, shards of WebDataset (.tar, .tar.gz), NumPy arrays (.npy, .npz), a folder \
               of IDX files, CIFAR-10's binary files, a packed set, or a name";
    for command in [
        "train",
        "eval",
        "encode",
        "bench",
        "plan",
        "data info",
        "data pack",
    ] {
        for flag in ["--help", "-h"] {
            let help = Cli::new(command).with(flag).succeed();
            assert!(line(&help.stdout).contains(all), "{help}");
        }
    }
    let unknown = Cli::new("data info nowhere").fail(1, &[]);
    assert!(line(&unknown.stderr).contains(all), "{unknown}");
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in ["README.md", "docs/data.md"] {
        let text = std::fs::read_to_string(root.join(file)).expect(file);
        assert!(line(&text).contains(all), "{file}");
    }
}
