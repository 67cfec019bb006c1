//! A user's own images: grey levels, classes and files.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::data::{SMALL, config, on_run, train, write_cifar, write_pictures};
use super::program::Cli;
use super::sets::{self, npy};

/// Forty grey pictures in folders of classes, each of one level, alternately dark and bright.
fn write_grey(folder: &Path, classes: &[&str], levels: [u8; 2]) {
    for i in 0..40 {
        let level = levels[i / classes.len() % 2];
        let mut picture = b"P5 8 8 255\n".to_vec();
        picture.extend([level; 64]);
        let path = folder.join(classes[i % classes.len()]);
        fs::create_dir_all(&path).expect("a folder");
        fs::write(path.join(format!("{i}.pgm")), picture).expect("a file");
    }
}

#[test]
fn grey_levels_of_own_images_are_kept_and_it_is_said_what_was_chosen() {
    let root = tempfile::tempdir().expect("a folder");
    let root = root.path();
    write_grey(&root.join("grey"), &["a"], [40, 200]);
    write_grey(&root.join("ink"), &["a"], [0, 255]);
    sets::write_raw(&root.join("idx"), 12);
    fs::write(root.join("a.npy"), npy("|u1", "(30, 8, 8)", &[7; 1920])).expect("a file");
    for (data, wanted, why) in [
        ("grey", "none", "grey levels"),
        ("a.npy", "none", "grey levels"),
        ("cifar10", "none", "colours"),
        ("ink", "threshold", "black and white"),
        ("idx", "threshold", "MNIST"),
    ] {
        if data == "cifar10" {
            fs::create_dir(root.join("cache")).expect("a folder");
            write_cifar(&root.join("cache/cifar10"));
        }
        let run = |words: &str| {
            let train = Cli::new("train --max-steps 1 --no-images --data")
                .with(data)
                .with(SMALL);
            let cache = root.join("cache");
            let train = train.env("CVAE_GPU_CACHE", cache.to_str().expect("a plain path"));
            let said = train.with(words).on_adapter().within(root).succeed().stderr;
            let config = config(root);
            fs::remove_dir_all(root.join("run")).expect("a folder");
            (said, config["binarize"].clone())
        };
        let (said, binarize) = run("--out run");
        assert_eq!(binarize, wanted, "{data}");
        let line = format!("Taking --binarize {wanted}: ");
        let line = said.lines().find(|l| l.starts_with(&line));
        assert!(line.is_some_and(|line| line.contains(why)), "{said}");
        // A given option is not printed.
        if data == "grey" {
            let (said, binarize) = run("--binarize threshold --out run");
            assert_eq!(binarize, "threshold");
            assert!(!said.contains("--binarize"), "{said}");
        }
    }
    // Bits have no default to print.
    let mnist = Cli::new("data pack mnist --out m.safetensors.gz").within(root);
    assert!(!mnist.succeed().stderr.contains("--binarize"));
}

#[test]
fn packing_keeps_what_train_would_train_on() {
    let root = tempfile::tempdir().expect("a folder");
    let root = root.path();
    write_pictures(&root.join("pictures"));
    write_grey(&root.join("grey"), &["a"], [40, 200]);
    sets::write_raw(&root.join("idx"), 12);
    for (words, shape, bits) in [
        ("pictures --size 8", [8, 8, 3], 8),
        ("pictures --size 8 --grey", [8, 8, 1], 8),
        ("pictures --size 8 --binarize threshold", [8, 8, 3], 1),
        ("grey", [8, 8, 1], 8),
        ("grey --binarize stochastic", [8, 8, 1], 8),
        ("idx", [12, 12, 1], 1),
        ("idx --grey", [12, 12, 1], 8),
    ] {
        let out = root.join("out.safetensors.gz");
        let pack = Cli::new("data pack --out out.safetensors.gz").with(words);
        pack.within(root).succeed();
        let info = Cli::new("data info --json").path(&out).succeed().json();
        assert_eq!(info["shape"], json!(shape), "{words}");
        assert_eq!(info["bits"], bits, "{words}");
    }
    for option in ["--channels 3", "--binarize threshold"] {
        let both = Cli::new("data pack pictures --out x.safetensors.gz --grey").with(option);
        both.within(root)
            .fail(2, &["--grey", option.split(' ').next().expect("a word")]);
    }
    let bits = Cli::new("data pack mnist --binarize stochastic --out x.safetensors.gz");
    let ways = "--binarize stochastic needs them: give their grey levels with --data";
    let words = ["`mnist`", "stored as bits", ways, "data pack"];
    bits.within(root).fail(1, &words);
}

#[test]
fn packing_looks_at_its_output_first_and_spares_its_source() {
    let root = tempfile::tempdir().expect("a folder");
    let root = root.path();
    write_grey(&root.join("grey"), &["a"], [40, 200]);
    let pack = |words: &str| Cli::new("data pack").with(words).within(root);
    pack("grey --out set.safetensors.gz").succeed();
    let before = fs::read(root.join("set.safetensors.gz")).expect("a set");
    let refused = ["set.safetensors.gz", "is an input", "name another file"];
    pack("set.safetensors.gz --out ./set.safetensors.gz --grey").fail(1, &refused);
    pack("grey --out grey/a/0.pgm").fail(1, &["grey/a/0.pgm", "name another file"]);
    assert_eq!(
        fs::read(root.join("set.safetensors.gz")).expect("a set"),
        before
    );
    // Before reading: this source has an invalid image.
    fs::write(root.join("grey/a/notes.txt"), "hello").expect("a file");
    let nowhere = pack("grey --out nowhere/set.safetensors.gz");
    nowhere.fail(1, &["cannot write", "nowhere"]);
}

#[test]
fn names_of_classes_go_from_the_folder_into_sets_tables_and_pictures() {
    let root = tempfile::tempdir().expect("a folder");
    let root = root.path();
    // Classes are ordered by number; every tenth of the 40 images is held out.
    write_grey(&root.join("grey"), &["10 cat, big", "9 Bär"], [40, 200]);
    let names = json!(["9 Bär", "10 cat, big"]);
    Cli::new("data pack grey --out set.safetensors.gz")
        .within(root)
        .succeed();
    for source in ["grey", "set.safetensors.gz"] {
        let info = Cli::new("data info --json")
            .with(source)
            .within(root)
            .succeed();
        let info = info.json();
        assert_eq!(
            (&info["class_names"], &info["classes"]),
            (&names, &json!(2))
        );
        let told = Cli::new("data info")
            .with(source)
            .within(root)
            .succeed()
            .stdout;
        assert!(
            told.contains("labels   of 2 classes: 9 Bär, 10 cat, big"),
            "{told}"
        );
    }
    train(root, "--data set.safetensors.gz --no-images");
    for command in ["score", "encode"] {
        on_run(root, command).with("--out table.csv").succeed();
        let table = fs::read_to_string(root.join("table.csv")).expect("a table");
        let lines: Vec<&str> = table.lines().collect();
        assert!(lines[0].starts_with("index,label,") && lines[0].ends_with(",class"));
        assert!(
            lines[1].starts_with("0,0,") && lines[1].ends_with(",9 Bär"),
            "{table}"
        );
        assert!(
            lines[3].starts_with("2,1,") && lines[3].ends_with(",\"10 cat, big\""),
            "{table}"
        );
    }
    // The longer name makes the legend wider.
    let mut widths = [0; 2];
    for (width, data) in widths.iter_mut().zip(["set.safetensors.gz", "plain"]) {
        if data == "plain" {
            write_grey(&root.join("plain"), &["1", "2"], [40, 200]);
        }
        let out = format!("latent --out {data}.png --data {data}");
        on_run(root, &out).succeed();
        let picture = image::open(root.join(format!("{data}.png"))).expect("a picture");
        *width = picture.width();
    }
    assert!(widths[0] > widths[1], "{widths:?}");
}

#[test]
fn a_file_in_the_cache_that_is_not_the_published_one_is_refused() {
    let root = tempfile::tempdir().expect("a folder");
    let folder = root.path().join("fashion-mnist");
    sets::write_gzip(&folder, 12);
    let cache = root.path().to_str().expect("a plain path");
    let run = |words: &str| Cli::new(words).env("CVAE_GPU_CACHE", cache);
    let file = folder
        .join("train-images-idx3-ubyte.gz")
        .display()
        .to_string();
    let info = run("data info fashion-mnist");
    info.fail(
        1,
        &[
            &file,
            "not the published file",
            "SHA-256",
            "delete it",
            "--data",
        ],
    );
    // As a path it is a set like any other.
    let info = run("data info --json").path(&folder).succeed().json();
    assert_eq!(info["train_images"], 96);
    let verify = run("data verify --json fashion-mnist").run();
    assert_eq!(verify.code, Some(1), "{verify}");
    assert!(
        verify
            .stderr
            .starts_with("error: 4 files are not as they were published")
    );
    let rows = verify.json()["files"].clone();
    assert_eq!(rows.as_array().map(Vec::len), Some(4));
    assert_eq!(
        (&rows[0]["path"], &rows[0]["state"]),
        (&json!(file), &json!("changed"))
    );
    let none = run("data verify kmnist mnist").succeed().stdout;
    assert!(none.contains("no downloaded set"), "{none}");
    run("data verify digits").fail(2, &["digits", "fashion-mnist"]);
}
