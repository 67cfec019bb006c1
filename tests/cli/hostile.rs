//! Untrusted files: names, links and pipes in them do no harm.

use std::fs;

use cvae_gpu::data::packed::{self, Provenance};
use cvae_gpu::data::{Binarize, ImageSet, PackedImages};
use serde_json::Value;

use super::program::Cli;
use super::resume::{Place, SMALL};
#[cfg(unix)]
use super::sets;

const SHORT: &str = "--epochs 1 --max-steps 3 --no-images";

#[test]
fn the_name_in_a_packed_set_leads_no_run_out_of_its_folder() {
    let place = Place::new();
    let pixels: Vec<u8> = (0..20 * 28 * 28).map(|i| (i % 251) as u8).collect();
    let images = PackedImages::from_bytes([28, 28, 1], &pixels, Binarize::Threshold);
    let set = ImageSet::unlabelled("../../out", images.clone(), images);
    let bytes = packed::write(&set, &Provenance::default()).expect("a packed set");
    let inner = place.path().join("a/b");
    fs::create_dir_all(&inner).expect("a new folder");
    fs::write(inner.join("set.gz"), bytes).expect("a file");
    let words = format!("--data set.gz {SMALL} {SHORT}");
    let cli = Cli::new("train").with(&words).on_adapter();
    cli.within(&inner).succeed();
    assert!(inner.join("runs/out-1/model.safetensors").exists());
    let mut above = fs::read_dir(place.path()).expect("a folder");
    let above = above.all(|entry| !entry.expect("an entry").path().ends_with("out-1"));
    assert!(above, "the run is outside");
}

#[cfg(unix)]
#[test]
fn links_in_a_run_folder_are_not_written_through() {
    use std::os::unix::fs::symlink;

    let place = Place::new();
    place.start("run", SHORT).succeed();
    let [run, victim] = ["run", "victim"].map(|name| place.path().join(name));
    let secret = "a line that stays\nand another\n";
    fs::write(&victim, secret).expect("a file");
    for name in [
        "metrics.jsonl",
        "events.out.tfevents.0.cvae-gpu",
        ".lock",
        "checkpoint.safetensors",
        "config.json",
    ] {
        let file = run.join(name);
        let whole = fs::read(&file).expect("a file");
        fs::remove_file(&file).expect("a file");
        match name {
            // Links to the checkpoint and the options are replaced, not written through.
            "checkpoint.safetensors" | "config.json" => {
                let target = place.path().join("elsewhere");
                fs::write(&target, &whole).expect("a file");
                symlink(&target, &file).expect("a link");
                let last = if name == "config.json" { 5 } else { 4 };
                place
                    .resume("run", &format!("--max-steps {last}"))
                    .succeed();
                assert!(fs::read(target).expect("a file") == whole, "{name}");
            }
            _ => {
                symlink(&victim, &file).expect("a link");
                let words = [name, "a link"];
                place.resume("run", "--max-steps 4").fail(1, &words);
                assert_eq!(fs::read_to_string(&victim).expect("a file"), secret);
                fs::remove_file(&file).expect("a link");
                fs::write(&file, whole).expect("a file");
            }
        }
    }
    // A dangling link must not create a file.
    fs::remove_file(run.join(".lock")).expect("a file");
    let made = place.path().join("made");
    symlink(&made, run.join(".lock")).expect("a link");
    let words = [".lock", "a link"];
    place.resume("run", "--max-steps 6").fail(1, &words);
    assert!(!made.exists());
}

#[test]
fn data_that_the_run_names_are_read_with_a_word() {
    let place = Place::new();
    place.start("run", SHORT).succeed();
    // As in an untrusted run folder.
    let moved = place.path().join("private");
    fs::rename(place.path().join("idx"), &moved).expect("a folder");
    let path = place.path().join("run/config.json");
    let text = fs::read_to_string(&path).expect("a file");
    let mut config: Value = serde_json::from_str(&text).expect("JSON");
    config["data_path"] = "../private".into();
    fs::write(&path, config.to_string()).expect("a file");

    let canonical = moved.canonicalize().expect("a folder");
    let shown = canonical.display().to_string();
    let shown = shown.trim_start_matches(r"\\?\");
    let line = format!("Data: {shown}, as the run's config.json says\n");
    let eval = |words: &str| {
        let cli = Cli::new("eval --model run --limit 4").with(words);
        cli.on_adapter().within(place.path()).succeed()
    };
    let resume = |words: &str| place.resume("run", words).succeed();
    for said in [eval(""), resume("--max-steps 4")] {
        assert_eq!(said.stderr.matches(&line).count(), 1, "{said}");
    }
    for said in [
        eval("--data private"),
        eval("-q"),
        eval("--data mnist"),
        resume("--max-steps 5 --data private"),
    ] {
        assert!(!said.stderr.contains("Data: "), "{said}");
    }
    // A known set is no path, so no path is printed.
    fs::remove_file(place.path().join("run/checkpoint.safetensors")).expect("a file");
    config["data"] = "mnist".into();
    config["data_path"] = Value::Null;
    fs::write(&path, config.to_string()).expect("a file");
    place
        .resume("run", "")
        .fail(1, &["mnist", "not the images"]);
}

/// Opening the pipe would block.
#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_refused_at_once() {
    use std::process::Command;

    let place = Place::new();
    place.start("run", SHORT).succeed();
    let pipe = place.path().join("pipe.npy");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo").success());
    // If the pipe is opened, it is empty, so that the test does not hang.
    std::thread::spawn(move || while fs::File::options().write(true).open(&pipe).is_ok() {});
    let call = |words: &str| Cli::new(words).within(place.path());
    for words in [
        "train --out new --data pipe.npy",
        "data info pipe.npy",
        "data pack pipe.npy --out packed.gz",
        "eval --model pipe.npy",
        "eval --model run --data pipe.npy",
        "decode --model run --z pipe.npy --out some.png",
        "export --model pipe.npy --format onnx --out some.onnx",
        "import --from pipe.npy --out some.safetensors",
        "check --case pipe.npy",
        "bench --compare pipe.npy",
    ] {
        call(words).fail(1, &["pipe.npy", "a named pipe, not a regular file"]);
    }
    for (words, what) in [
        ("eval --model /dev/zero", "a device"),
        ("train --out new --data /dev/zero", "a device"),
    ] {
        call(words).fail(1, &[what, "not a regular file"]);
    }
    // Among images and IDX files.
    let photos = place.path().join("photos");
    fs::create_dir(&photos).expect("a new folder");
    let made = Command::new("mkfifo").arg(photos.join("1.png")).status();
    assert!(made.expect("mkfifo").success());
    call("train --out new --data photos").fail(1, &["1.png", "a named pipe"]);
    let images = place.path().join("idx").join(sets::TRAIN_IMAGES);
    fs::remove_file(&images).expect("a file");
    let made = Command::new("mkfifo").arg(&images).status();
    assert!(made.expect("mkfifo").success());
    call("train --out new --data idx").fail(1, &[sets::TRAIN_IMAGES, "a named pipe"]);
    assert!(!place.path().join("new").exists());
}

/// Writing replaces a file, so a pipe or device would be gone.
#[cfg(unix)]
#[test]
fn an_output_that_is_no_regular_file_stays() {
    use std::os::unix::fs::FileTypeExt;
    use std::process::Command;

    let place = Place::new();
    let pipe = place.path().join("pipe.safetensors");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo").success());
    place.start("run", SHORT).succeed();
    let words = "export --model run --format pytorch --out pipe.safetensors";
    let cli = Cli::new(words).within(place.path());
    cli.fail(1, &["pipe.safetensors", "not a regular file"]);
    let about = fs::symlink_metadata(&pipe).expect("a pipe");
    assert!(about.file_type().is_fifo());
}

/// The memory is that of a large image set at most, not of the table.
#[cfg(unix)]
#[test]
fn a_table_of_labels_takes_little_memory() {
    let root = tempfile::tempdir().expect("a folder");
    let root = root.path();
    let array = sets::npy("|u1", "(30, 8, 8)", &[7; 1920]);
    fs::write(root.join("a.npy"), array).expect("a file");
    for (table, words) in [
        ("7,".repeat(20_000_000), ["line 1 is longer", "per image"]),
        ("7\n".repeat(5_000_000), ["5000000 labels", "30 images"]),
    ] {
        fs::write(root.join("labels.csv"), table).expect("a file");
        // Where there is no such limit, the messages are tested.
        let limited = "ulimit -v 400000 2>/dev/null; exec \"$0\" \"$@\"";
        let call = Cli::new("data info a.npy --labels labels.csv").within(root);
        call.in_shell(limited)
            .fail(1, &["labels.csv", words[0], words[1]]);
    }
}
