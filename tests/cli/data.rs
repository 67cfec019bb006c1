//! Image sets of every kind, from the source to a trained model.

use std::fs;
use std::path::Path;

use cvae_gpu::data::packed::{self, Provenance};
use cvae_gpu::data::{Binarize, ImageSet, PackedImages};
use cvae_gpu::files::npy::{read, to_bytes};
use cvae_gpu::render::png_bytes;
use image::{Rgb, RgbImage};
use serde_json::{Value, json};

use super::program::Cli;
use super::sets::{self, npy};

/// A small model on kernels that compile fast; these tests are about the images.
pub const SMALL: &str =
    "--encoder-filters 4,4 --decoder-filters 4,4 --decoder-base 4 --batch 8 --variant plain";

/// Forty PNGs of different sizes, in folders of two classes: red and blue gradients.
pub fn write_pictures(folder: &Path) {
    for i in 0..40u32 {
        let (class, channel) = if i % 2 == 0 { ("red", 0) } else { ("blue", 2) };
        let picture = RgbImage::from_fn(12 + i % 5, 20 - i % 3, |x, _| {
            let mut pixel = Rgb([20; 3]);
            pixel.0[channel] = (10 * x + i) as u8;
            pixel
        });
        let path = folder.join(class);
        fs::create_dir_all(&path).expect("a folder");
        let png = png_bytes(&picture).expect("a picture");
        fs::write(path.join(format!("{i:02}.png")), png).expect("a file");
    }
}

/// The six files of CIFAR-10, of ten images each.
pub fn write_cifar(folder: &Path) {
    fs::create_dir(folder).expect("a folder");
    let train = (1..=5).map(|i| format!("data_batch_{i}.bin"));
    for name in train.chain(["test_batch.bin".into()]) {
        let records = (0..10u8).map(|i| [&[i][..], &[20 * i; 3072]].concat());
        fs::write(folder.join(name), records.collect::<Vec<_>>().concat()).expect("a file");
    }
}

/// Trains three steps in `root` with these options, into `run`.
pub fn train(root: &Path, words: &str) {
    let cli = Cli::new("train --max-steps 3 --out run").with(SMALL);
    cli.with(words).on_adapter().within(root).succeed();
}

/// A file of the run, as JSON.
pub fn config(root: &Path) -> Value {
    let text = fs::read(root.join("run/config.json")).expect("config.json");
    serde_json::from_slice(&text).expect("JSON")
}

/// A command on the model of `run`.
pub fn on_run(root: &Path, words: &str) -> Cli {
    Cli::new(words)
        .with("--model run --variant plain")
        .on_adapter()
        .within(root)
}

#[test]
fn a_folder_of_pictures_is_trained_on_and_remembered_as_it_was_prepared() {
    let root = tempfile::tempdir().expect("a folder");
    let root = root.path();
    write_pictures(&root.join("pictures"));
    train(
        root,
        "--data pictures --size 16 --test-fraction 0.2 --binarize none --no-images",
    );
    let run = config(root);
    assert_eq!(run["image"], json!([16, 16, 3]));
    let prepare = json!({"size": 16, "channels": null, "test_fraction": 0.2, "order": "natural"});
    assert_eq!(run["prepare"], prepare);

    // Data and preparation come from the run.
    let eval = on_run(root, "eval --json").succeed().json();
    assert_eq!(eval["images"], 8);
    on_run(root, "score --out scores.csv").succeed();
    on_run(root, "encode --out codes.csv --split train").succeed();
    let labels = |file: &str| -> Vec<String> {
        let text = fs::read_to_string(root.join(file)).expect("a table");
        let label = |line: &str| line.split(',').nth(1).expect("a label").to_owned();
        text.lines().skip(1).map(label).collect()
    };
    // "blue" comes before "red"; of every five images in order, one is held out.
    assert_eq!(labels("scores.csv"), [vec!["0"; 4], vec!["1"; 4]].concat());
    assert_eq!(labels("codes.csv"), [vec!["0"; 16], vec!["1"; 16]].concat());
    // Another set gets the same preparation, and keeps its own test images.
    let other = on_run(root, "eval --json --data mnist --channels 3 --limit 5");
    assert_eq!(other.succeed().json()["images"], 5);

    let resume = |words: &str| Cli::new("train --resume run").with(words).within(root);
    for (words, value) in [
        ("--size 32", "16"),
        ("--channels 1", "none"),
        ("--test-fraction 0.5", "0.2"),
    ] {
        let option = words.split(' ').next().expect("an option");
        resume(words).fail(1, &[option, "contradicts", value]);
    }
    resume("--max-steps 5 --size 16").on_adapter().succeed();
}

#[test]
fn pictures_that_cannot_be_used_are_refused_by_name() {
    let root = tempfile::tempdir().expect("a folder");
    let pictures = root.path().join("pictures");
    write_pictures(&pictures);
    let train = |words: &str| {
        let cli = Cli::new("train --out run --data pictures").with(words);
        cli.within(root.path())
    };
    train("").fail(1, &["03.png", "01.png", "--size N"]);
    fs::write(pictures.join("notes.txt"), "hello").expect("a file");
    fs::rename(pictures.join("notes.txt"), pictures.join("aa.jpg")).expect("a file");
    train("--size 16").fail(1, &["aa.jpg", "cannot be decoded", "--skip-broken"]);
    assert!(!root.path().join("run").exists());
    for (words, expected) in [
        ("--size 513", ["--size", "to 512"]),
        ("--size 3", ["--size", "from 4"]),
        ("--channels 2", ["--channels", "1 (grey) or 3"]),
        ("--test-fraction 1", ["--test-fraction", "between 0 and 1"]),
    ] {
        train(words).fail(2, &expected);
    }
}

#[test]
fn an_array_is_trained_on() {
    let root = tempfile::tempdir().expect("a folder");
    let root = root.path();
    let floats = (0..30 * 12 * 8).map(|i| ((i % 96) as f32 / 95.0).to_le_bytes());
    let floats: Vec<u8> = floats.flatten().collect();
    fs::write(root.join("waves.npy"), npy("<f4", "(30, 12, 8)", &floats)).expect("a file");
    train(root, "--data waves.npy --no-images");
    assert_eq!(config(root)["image"], json!([12, 8, 1]));
    assert_eq!(on_run(root, "eval --json").succeed().json()["images"], 3);

    let mut wrong = floats;
    wrong[4 * 100..][..4].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(root.join("wrong.npy"), npy("<f4", "(30, 12, 8)", &wrong)).expect("a file");
    let wrong = Cli::new("train --data wrong.npy").within(root);
    wrong.fail(1, &["wrong.npy", "[1, 0, 4]", "NaN", "repair or remove"]);
    fs::write(root.join("odd.npy"), npy("|u1", "(30, 10, 3)", &[9; 900])).expect("a file");
    let odd = Cli::new("train --data odd.npy").within(root);
    odd.fail(1, &["10×3", "from 4 to 512", "--size N"]);
    let few = Cli::new("data info odd.npy --test-fraction 0.999").within(root);
    few.fail(1, &["odd.npy", "too few", "--test-fraction"]);
}

#[test]
fn the_binary_files_of_cifar_10_are_trained_on() {
    let root = tempfile::tempdir().expect("a folder");
    let root = root.path();
    write_cifar(&root.join("cifar"));
    let info = Cli::new("data info cifar --json")
        .within(root)
        .succeed()
        .json();
    assert_eq!(info["shape"], json!([32, 32, 3]));
    assert_eq!([&info["train_images"], &info["test_images"]], [50, 10]);
    assert_eq!(info["classes"], 10);
    train(root, "--data cifar --binarize none");
    assert_eq!(on_run(root, "eval --json").succeed().json()["images"], 10);
    on_run(root, "reconstruct").succeed();

    // Packed, and without the files, it is the same set.
    let pack = "data pack cifar --out packed.safetensors.gz";
    Cli::new(pack).within(root).succeed();
    fs::remove_dir_all(root.join("cifar")).expect("the folder");
    on_run(root, "eval").fail(1, &["cifar", "gone", "--data"]);
    let moved = "train --resume run --max-steps 4 --data packed.safetensors.gz";
    Cli::new(moved).on_adapter().within(root).succeed();
    assert_eq!(on_run(root, "eval --json").succeed().json()["images"], 10);
}

#[test]
fn a_model_without_its_run_knows_a_named_set_and_asks_for_any_other() {
    let root = tempfile::tempdir().expect("a folder");
    let root = root.path();
    // Other files replace the published ones, unpacked, since unpacked files have no known hash.
    sets::write_raw(&root.join("fashion-mnist"), 12);
    let cache = root.to_str().expect("a plain path");
    let named = |cli: Cli| cli.within(root).env("CVAE_GPU_CACHE", cache);
    let list = named(Cli::new("data list --json")).succeed().json();
    let find = |name: &str| {
        list["sets"]
            .as_array()
            .expect("a list")
            .iter()
            .find(|s| s["name"] == name)
    };
    let fashion = find("fashion-mnist").expect("the set");
    let folder = root.join("fashion-mnist");
    assert_eq!(fashion["found"], folder.to_str().expect("a plain path"));
    assert_eq!(find("mnist").expect("the set")["built_in"], true);
    assert_eq!(
        find("kmnist").expect("the set")["download_bytes"],
        21_240_888
    );

    for (data, model) in [("fashion-mnist", "named"), ("./fashion-mnist", "path")] {
        let out = format!("train --max-steps 1 --no-images --data {data} --out {model}");
        named(Cli::new(&out).with(SMALL).on_adapter()).succeed();
        let files = ["model.safetensors".into(), format!("{model}.st")];
        fs::copy(root.join(model).join(&files[0]), root.join(&files[1])).expect("a copy");
    }
    let eval = |words: &str| {
        let eval = Cli::new("eval --json --variant plain --model");
        named(eval.with(words).on_adapter())
    };
    assert_eq!(eval("named.st").succeed().json()["images"], 40);
    eval("path.st").fail(
        1,
        &["path.st", "the images it was trained on", "give --data"],
    );
    assert_eq!(eval("path").succeed().json()["images"], 40);
    let words = ["28×28×1", "12×12×1", "--size", "--channels"];
    eval("named.st --data mnist").fail(1, &words);
    let resized = "named.st --data mnist --size 12 --limit 7";
    assert_eq!(eval(resized).succeed().json()["images"], 7);
}

#[test]
fn a_set_that_cannot_be_downloaded_is_asked_for() {
    let root = tempfile::tempdir().expect("a folder");
    let cache = root.path().join("cache");
    let shown = cache.join("kmnist").display().to_string();
    let train = Cli::new("train --data kmnist").within(root.path());
    let train = train.env("CVAE_GPU_CACHE", cache.to_str().expect("a plain path"));
    let outcome = train.run();
    assert_eq!(outcome.code, Some(1), "{outcome}");
    for words in [
        "Downloading http://127.0.0.1:9/kmnist/train-images-idx3-ubyte.gz",
        "error: the set `kmnist` is not on this machine",
        "t10k-labels-idx1-ubyte.gz",
        &shown,
        "--data",
    ] {
        assert!(outcome.stderr.contains(words), "no {words:?} in {outcome}");
    }
}

#[test]
fn options_that_a_set_has_no_use_for_are_refused() {
    let root = tempfile::tempdir().expect("a folder");
    sets::write_raw(&root.path().join("idx"), 12);
    for source in ["idx", "mnist"] {
        let cli = Cli::new("train --test-fraction 0.2 --data").with(source);
        let words = ["--test-fraction", source, "test images of its own"];
        cli.within(root.path()).fail(1, &words);
    }
    fs::create_dir(root.path().join("empty")).expect("a folder");
    let cli = Cli::new("data info empty").within(root.path());
    cli.fail(1, &["empty", "no images in it"]);
}

#[test]
fn packing_prepares_images_and_says_so() {
    let root = tempfile::tempdir().expect("a folder");
    write_pictures(&root.path().join("pictures"));
    let run = |words: &str| Cli::new(words).within(root.path()).succeed();
    run("data pack pictures --size 8 --channels 1 --out small.safetensors.gz");
    let info = run("data info small.safetensors.gz").stdout;
    for words in [
        "name     small",
        "36 training, 4 test",
        "8×8×1, 8 bits",
        "labels   of 2 classes",
        "a folder of images; resized to 8×8; made grey",
    ] {
        assert!(info.contains(words), "no {words:?} in {info}");
    }
    run("data pack mnist --size 8 --out mnist-8.safetensors.gz");
    let info = run("data info mnist-8.safetensors.gz").stdout;
    for words in [
        "8×8×1, 1 bits",
        "MNIST database",
        "resized to 8×8",
        "CC BY-SA",
    ] {
        assert!(info.contains(words), "no {words:?} in {info}");
    }
}

/// An untrusted name: a colour, a C1 control, a direction override, and a forged line.
const EVIL: &str = "a\x1b[31mb\u{9b}2Jc\u{202e}d\r\nlicence  forged";

#[test]
fn names_from_elsewhere_are_shown_and_not_obeyed() {
    let root = tempfile::tempdir().expect("a folder");
    let root = root.path();
    let image = |level| PackedImages::from_bytes([8, 8, 1], &[level; 8 * 64], Binarize::None);
    let set = ImageSet::unlabelled(EVIL, image(9), image(200));
    let provenance = Provenance {
        origin: EVIL.into(),
        licence: EVIL.into(),
        ..Provenance::default()
    };
    let bytes = packed::write(&set, &provenance).expect("a packed set");
    fs::write(root.join("set.safetensors.gz"), bytes).expect("a file");
    let info = |words: &str| Cli::new("data info").with(words).within(root).succeed();
    let told = info("set.safetensors.gz");
    let json = info("set.safetensors.gz --json");
    assert_eq!(json.json()["name"], EVIL);
    // Errors name the file, and wrong usage the argument.
    let file = Path::new(EVIL);
    let missing = Cli::new("data info").path(file).within(root).run();
    let usage = Cli::new("eval").path(file).within(root).run();
    assert_eq!([missing.code, usage.code], [Some(1), Some(2)]);
    for outcome in [told, json, missing, usage] {
        for text in [&outcome.stdout, &outcome.stderr] {
            let acts = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
            assert!(!text.contains(acts), "{text:?}");
            assert!(!text.contains("\nlicence  forged"), "{text:?}");
        }
        assert!((outcome.stdout + &outcome.stderr).contains("licence  forged"));
    }
}

/// Noise, which no picture format makes small.
fn write_noise(folder: &Path) {
    fs::create_dir_all(folder).expect("a folder");
    for i in 0..3u32 {
        let noise = RgbImage::from_fn(800, 800, |x, y| {
            let hash = (x * 800 + y + 640_000 * i).wrapping_mul(2_654_435_761);
            let [r, g, b, _] = (hash ^ hash >> 15).wrapping_mul(0x2c1b_3c6d).to_be_bytes();
            Rgb([r, g, b])
        });
        let png = png_bytes(&noise).expect("a picture");
        fs::write(folder.join(format!("{i}.png")), png).expect("a file");
    }
    fs::write(folder.join("notes.txt"), "some text").expect("a file");
}

#[test]
fn a_large_folder_is_decoded_once() {
    const KEPT: &str = "come from the cache";
    let root = tempfile::tempdir().expect("a folder");
    let root = root.path();
    let (pictures, cache) = (root.join("pictures"), root.join("cache"));
    write_noise(&pictures);
    let pack = |words: &str| {
        let cli = Cli::new(words).with("--out set.gz").within(root);
        let done = cli
            .env("CVAE_GPU_CACHE", &cache.to_string_lossy())
            .succeed();
        let set = fs::read(root.join("set.gz")).expect("a packed set");
        (set, done.stderr.contains(KEPT), done.stderr)
    };
    let usual = "data pack pictures --size 16";
    let (first, kept, notes) = pack(usual);
    assert!(!kept && notes.contains("left out"), "{notes}");
    let (again, kept, notes) = pack(usual);
    assert!(kept && notes.contains("left out"), "{notes}");
    assert_eq!(first, again);
    // Other options, and other files.
    let (other, kept, _) = pack("data pack pictures --size 16 --fit crop --channels 1");
    assert!(!kept && other != first);
    let smaller = fs::read(pictures.join("0.png")).expect("a file");
    fs::write(pictures.join("1.png"), smaller).expect("a file");
    let (changed, kept, _) = pack(usual);
    assert!(!kept && changed != first);
    // A damaged copy is not taken.
    for file in fs::read_dir(cache.join("folders")).expect("the cache") {
        let path = file.expect("a file").path();
        let bytes = fs::read(&path).expect("a file");
        fs::write(&path, &bytes[..bytes.len() - 1]).expect("a file");
    }
    let (repaired, kept, _) = pack(usual);
    assert!(!kept);
    assert_eq!(repaired, changed);
}

/// A standardized array of 40 images of 8×8, brighter towards the right, from below −1 to above 1.
fn standardized() -> Vec<u8> {
    let value = |i: usize| (i % 8) as f32 / 2.5 - 1.4 + 0.01 * (i / 64) as f32;
    let values: Vec<f32> = (0..40 * 64).map(value).collect();
    to_bytes(&[40, 8, 8], &values)
}

#[test]
fn standardized_numbers_train_a_gaussian_and_come_back_as_they_are() {
    let root = tempfile::tempdir().expect("a folder");
    let root = root.path();
    fs::write(root.join("z.npy"), standardized()).expect("a file");
    for (words, said) in [
        (
            "--likelihood bernoulli",
            ["bernoulli", "--likelihood gaussian"],
        ),
        ("--arch keras", ["bernoulli", "--likelihood gaussian"]),
        ("--binarize threshold", ["beyond 0 to 1", "--binarize"]),
    ] {
        let cli = Cli::new("train --data z.npy --out no")
            .with(words)
            .within(root);
        cli.fail(1, &said);
    }
    let long = "train --data z.npy --epochs 30 --lr 1e-2 --out run";
    Cli::new(long)
        .with(SMALL)
        .on_adapter()
        .within(root)
        .succeed();
    let run = config(root);
    assert_eq!(run["arch"]["likelihood"], "gaussian");
    let ends = run["arch"]["range"].as_array().expect("a range");
    let ends = ends.iter().map(|end| end.as_f64().expect("a number"));
    let wanted = [-1.4, 1.78];
    assert!(
        ends.zip(wanted)
            .all(|(end, wanted)| (end - wanted).abs() < 0.1)
    );
    on_run(root, "sample -n 4 --npy s.npy").succeed();
    let samples = read(root.join("s.npy")).expect("an array");
    let values = samples.as_f32().expect("floats");
    // Means are neither clamped nor scaled: the left column is the darkest by far.
    let column = |x: usize| values.chunks(8).map(|row| row[x]).sum::<f32>() / 32.0;
    assert!(column(0) < -0.8 && column(7) > 0.8, "{values:?}");
    // In pictures, black and white are the ends of the range.
    let picture = image::open(root.join("sample.png"))
        .expect("a picture")
        .to_luma8();
    let (left, right) = (
        picture.get_pixel(6, 30).0[0],
        picture.get_pixel(61, 30).0[0],
    );
    assert!(left < 60 && right > 195, "{left} to {right}");
    let eval = on_run(root, "eval --json").succeed().json();
    assert!(eval["elbo"].as_f64().is_some_and(f64::is_finite));
    let info = Cli::new("data info z.npy --json")
        .within(root)
        .succeed()
        .json();
    assert_eq!(info["bits"], 32);
    assert!(
        info["values"]["least"]
            .as_f64()
            .is_some_and(|least| least < -1.0)
    );
}

#[test]
fn a_bernoulli_model_refuses_numbers_beyond_0_to_1() {
    let root = tempfile::tempdir().expect("a folder");
    let root = root.path();
    let grey: Vec<u8> = (0..40 * 64).map(|i| (i % 251) as u8).collect();
    fs::write(root.join("grey.npy"), npy("|u1", "(40, 8, 8)", &grey)).expect("a file");
    train(root, "--data grey.npy --likelihood bernoulli --no-images");
    fs::write(root.join("z.npy"), standardized()).expect("a file");
    on_run(root, "score --data z.npy --out s.csv").fail(1, &["beyond 0 to 1", "scaled"]);
}
