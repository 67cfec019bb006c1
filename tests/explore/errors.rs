//! Refused commands: the status is 1, one message says what is wrong, where, and what to try, and no
//! file is left.

use std::fs;
use std::path::Path;

use cvae_gpu::files::npy;
use cvae_gpu::files::tensors::{Tensor, TensorFile};

use super::made::{COLOUR, GREY, folder};
use super::program::Cli;

/// Runs a command in `folder`, which is refused and leaves the folder unchanged.
#[track_caller]
fn refused(folder: &Path, cli: Cli, words: &[&str]) {
    let files = || {
        let entries = fs::read_dir(folder).expect("the folder");
        let mut names: Vec<_> = entries.map(|e| e.expect("an entry").path()).collect();
        names.sort();
        names
            .iter()
            .map(|p| fs::read(p).ok())
            .zip(names.clone())
            .collect::<Vec<_>>()
    };
    let before = files();
    cli.within(folder).fail(1, words);
    assert!(before == files(), "files changed");
}

/// Every command, without the model.
const COMMANDS: [&str; 10] = [
    "eval",
    "sample",
    "reconstruct",
    "manifold",
    "interpolate --from 0 --to 1",
    "encode --out o.npy",
    "decode --z z.npy --out o.npy",
    "score --out o.csv",
    "latent",
    "export --format pytorch --out o.safetensors",
];

#[test]
fn every_command_refuses_a_model_that_is_none() {
    let folder = folder();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes);
    let whole = fs::read(&GREY.model).expect("the model");
    write("empty.st", b"").expect("a file");
    write("short.st", &whole[..whole.len() - 9]).expect("a file");
    write("text.st", b"these are not weights").expect("a file");
    write("z.npy", &npy::to_bytes(&[1, 2], &[0.0; 2])).expect("a file");
    let mut nan = TensorFile::read(&GREY.model).expect("the model");
    let bias = Tensor::f32([8], vec![f32::NAN; 8]);
    nan.tensors.insert("decoder.deconv1.bias".into(), bias);
    nan.write(folder.path().join("nan.st")).expect("a file");
    for command in COMMANDS {
        for (model, words) in [
            (
                "missing.st",
                ["cannot read", "missing.st", "check the path"],
            ),
            ("empty.st", ["empty.st", "ends after 0", "again"]),
            ("short.st", ["short.st", "ends after", "again"]),
            ("text.st", ["text.st", "safetensors", "give one"]),
            (
                "nan.st",
                ["nan.st", "`decoder.deconv1.bias` holds NaN", "diverged"],
            ),
        ] {
            let cli = Cli::new(command).with("--model").with(model);
            refused(folder.path(), cli, &words);
        }
    }
}

#[test]
fn images_of_another_size_are_refused_with_both_sizes() {
    let folder = folder();
    let words = ["32×32×3", "28×28×1", "--data"];
    for command in ["eval", "reconstruct", "latent", "encode --out o.csv"] {
        let cli = Cli::new(command).with("--model").path(&GREY.model);
        refused(
            folder.path(),
            cli.with("--binarize threshold --data").path(&COLOUR.data),
            &words,
        );
        let cli = Cli::new(command).with("--model").path(&COLOUR.model);
        refused(folder.path(), cli.with("--data mnist"), &words);
    }
}

#[test]
fn options_that_contradict_the_model_are_refused_and_others_are_not() {
    let folder = folder();
    for (words, said) in [
        ("--latent-dim 3", "trained with 2"),
        ("--encoder-filters 8,16", "trained with 8,8"),
        ("--decoder-filters 4,8", "trained with 8,8"),
        ("--decoder-base 4", "trained with 8"),
        ("--kl analytic", "trained with mc"),
        ("--binarize none", "trained with threshold"),
    ] {
        let cli = GREY
            .on_images("encode --out o.npy", folder.path())
            .with(words);
        refused(folder.path(), cli, &[words, said]);
    }
    let cli = GREY.on_images("encode --out o.npy --limit 1", folder.path());
    let same = "--latent-dim 2 --encoder-filters 8,8 --decoder-filters 8,8 --decoder-base 8";
    cli.with(same)
        .with("--kl mc --binarize threshold")
        .succeed();
}

#[test]
fn outputs_that_cannot_be_written_are_refused_before_the_work() {
    let folder = folder();
    fs::create_dir(folder.path().join("taken.png")).expect("a folder");
    for (words, said) in [
        (
            "sample --out nowhere/o.png",
            ["cannot write nowhere/o.png", "no folder nowhere; make it"],
        ),
        ("manifold --out taken.png", ["taken.png", "folder"]),
    ] {
        let cli = GREY.on_model(words, folder.path());
        refused(folder.path(), cli, &said);
    }
    let cli = GREY.on_images("score --out nowhere/o.csv", folder.path());
    refused(folder.path(), cli, &["nowhere/o.csv"]);
}

#[test]
fn inputs_are_never_overwritten() {
    let folder = folder();
    fs::copy(&GREY.model, folder.path().join("m.safetensors")).expect("a copy");
    fs::write(
        folder.path().join("z.npy"),
        npy::to_bytes(&[1, 2], &[0.0; 2]),
    )
    .expect("codes");
    for command in [
        "export --format pytorch --model m.safetensors --out ./m.safetensors",
        "import --from m.safetensors --out m.safetensors",
        "decode --model m.safetensors --z z.npy --out ./z.npy",
    ] {
        refused(
            folder.path(),
            Cli::new(command),
            &["would be overwritten", "another"],
        );
    }
}

#[test]
fn codes_that_do_not_fit_are_refused() {
    let folder = folder();
    for (bytes, words) in [
        (
            npy::to_bytes(&[4, 3], &[0.0; 12]),
            &["[4, 3]", "2 latent", "[N, 2]"][..],
        ),
        (npy::to_bytes(&[4], &[0.0; 4]), &["[4]", "two axes"]),
        (npy::to_bytes(&[0, 2], &[]), &["[0, 2]", "at least 1"]),
        (
            npy::to_bytes(&[1, 2], &[0.0, f32::NAN]),
            &["NaN", "[0, 1]", "finite"],
        ),
        (npy::to_bytes(&[2, 2], &[0.0; 3]), &["incomplete"]),
        (vec![], &["z.npy", "numpy.save"]),
    ] {
        fs::write(folder.path().join("z.npy"), bytes).expect("codes");
        let cli = GREY.on_model("decode --z z.npy --out o.png", folder.path());
        refused(folder.path(), cli, words);
    }
    fs::remove_file(folder.path().join("z.npy")).expect("codes");
    let cli = GREY.on_model("decode --z z.npy --out o.png", folder.path());
    refused(folder.path(), cli, &["cannot read z.npy", "check the path"]);
}

#[test]
fn indices_and_dimensions_out_of_range_are_refused_with_the_range() {
    let folder = folder();
    for (words, said) in [
        ("interpolate --from 0 --to 23", "0 to 22"),
        ("interpolate --from 99 --to 0", "0 to 22"),
        ("interpolate --from 0 --to 1 --limit 1", "0 to 0"),
        ("latent --dims 0,2", "0 to 1"),
        ("latent --dims 1,1", "two of them"),
    ] {
        let cli = GREY.on_images(words, folder.path());
        refused(folder.path(), cli, &[said]);
    }
    let cli = GREY.on_model("manifold --dims 0,5", folder.path());
    refused(folder.path(), cli, &["--dims 0,5", "0 to 1"]);
}

// The weights are finite, the images are not.
#[test]
fn a_model_whose_answers_are_not_finite_is_refused() {
    let folder = folder();
    let mut file = TensorFile::read(&GREY.model).expect("the model");
    for name in ["encoder.dense.bias", "decoder.deconv3.bias"] {
        let shape = file.tensors[name].shape.clone();
        let values = vec![3e38; shape.iter().product()];
        file.tensors.insert(name.into(), Tensor::f32(shape, values));
    }
    file.write(folder.path().join("m.st")).expect("a file");
    for command in ["eval", "score --out o.csv", "eval --samples 2"] {
        let cli = Cli::new(command)
            .on_adapter()
            .with("--limit 3 --model m.st --data");
        refused(
            folder.path(),
            cli.path(&GREY.data),
            &["the ELBO of image 0", "check"],
        );
    }
}

#[test]
fn wrong_usage_exits_2() {
    for (words, expected) in [
        ("eval", ["--model", "--help"]),
        ("eval --model m --samples 0", ["--samples", "1.."]),
        ("eval --model m --limit 0", ["--limit", "1.."]),
        ("eval --model m --split half", ["--split", "train"]),
        ("eval --model m --per-image x.txt", ["--per-image", ".csv"]),
        ("sample --model m -n 0", ["--count", "1.."]),
        ("sample --model m --out x.bmp", ["--out", ".png"]),
        ("manifold --model m --dims 1", ["--dims", "0,1"]),
        ("manifold --model m -n 9999", ["--side", "256"]),
        ("interpolate --model m --from 0", ["--to", "--help"]),
        (
            "interpolate --model m --from 0 --to 1 --steps 1",
            ["--steps", "2.."],
        ),
        ("encode --model m --out x.json", ["--out", ".csv"]),
        ("decode --model m --z x.csv --out x.png", ["--z", ".npy"]),
        (
            "export --model m --format word --out m.safetensors",
            ["word", "pytorch"],
        ),
        ("import --from m --out m.pt", ["--out", ".safetensors"]),
    ] {
        Cli::new(words).fail(2, &expected);
    }
}

#[test]
fn the_help_of_each_command_gives_an_example() {
    let import = "import";
    let names = COMMANDS.map(|c| c.split(' ').next().unwrap_or(c));
    for command in names.into_iter().chain([import]) {
        let help = Cli::new(command).with("--help").succeed();
        let example = format!("\n  cvae-gpu {command} ");
        assert!(help.stdout.contains(&example), "{help}");
    }
}
