//! Words without their flag: the message has the flag.

use std::fs;

use super::program::Cli;
use super::sets;

#[test]
fn a_word_without_its_flag_is_refused_with_the_flag() {
    let root = tempfile::tempdir().expect("a folder");
    let root = root.path();
    sets::write_raw(&root.join("idx"), 12);
    fs::create_dir_all(root.join("runs/a-1")).expect("a folder");
    fs::create_dir(root.join("my photos")).expect("a folder");
    for name in ["runs/a-1/config.json", "my photos/1.png", "my photos/2.png"] {
        fs::write(root.join(name), "{}").expect("a file");
    }
    for name in [
        "a.npy",
        "a.csv",
        "a.toml",
        "m.safetensors",
        "old.json",
        "a.pt",
    ] {
        fs::write(root.join(name), "").expect("a file");
    }
    for (words, flag) in [
        ("train mnist", "'--data mnist'"),
        ("train idx", "'--data idx'"),
        ("train nowhere", "'--data nowhere'"),
        ("train --epochs 1 a.npy", "'--data a.npy'"),
        ("train runs/a-1", "'--resume runs/a-1'"),
        ("train --data idx m.safetensors", "'--init m.safetensors'"),
        ("train --data idx a.csv", "'--labels a.csv'"),
        ("train a.toml", "'--arch a.toml'"),
        ("train analytic", "'--kl analytic'"),
        ("train 5", "'--epochs 5'"),
        ("train --data idx new", "'--out new'"),
        ("eval mnist", "'--data mnist'"),
        ("eval runs/a-1", "'--model runs/a-1'"),
        ("eval nowhere", "'--model nowhere'"),
        ("eval --model runs/a-1 idx", "'--data idx'"),
        ("eval --model=runs/a-1 train", "'--split train'"),
        ("sample m.safetensors", "'--model m.safetensors'"),
        ("sample --model m new.png", "'--out new.png'"),
        ("sample --model m 16", "'-n 16'"),
        ("decode --model m a.npy", "'--z a.npy'"),
        ("encode --model m new.csv", "'--out new.csv'"),
        ("export m.safetensors", "'--model m.safetensors'"),
        ("export --model m onnx", "'--format onnx'"),
        ("import a.pt", "'--from a.pt'"),
        ("check case.safetensors", "'--case case.safetensors'"),
        (
            "check --case a case.safetensors",
            "'--case case.safetensors'",
        ),
        ("check nvidia", "'--adapter nvidia'"),
        ("devices nvidia", "'--adapter nvidia'"),
        ("devices vulkan", "'--backend vulkan'"),
        ("bench mnist", "'--data mnist'"),
        ("bench tile", "'--variant tile'"),
        ("bench old.json", "'--compare old.json'"),
        ("plan idx", "'--data idx'"),
        ("shaders conv", "'--print conv'"),
        ("man pages", "'--out pages'"),
        ("data info idx new.png", "'--out new.png'"),
        ("data pack idx new.gz", "'--out new.gz'"),
        ("mnist", "'cvae-gpu train --data mnist'"),
        ("idx", "'cvae-gpu train --data idx'"),
        ("m.safetensors", "'cvae-gpu eval --model m.safetensors'"),
        ("runs/a-1", "'cvae-gpu eval --model runs/a-1'"),
        ("data mnist", "'cvae-gpu data info mnist'"),
        ("data idx", "'cvae-gpu data info idx'"),
    ] {
        let word = words.split(' ').next_back().expect("a word");
        let failed = Cli::new(words)
            .within(root)
            .fail(2, &[word, "tip: ", flag, "--help"]);
        assert_eq!(failed.stderr.matches("tip: ").count(), 1, "{failed}");
    }
    // As a shell makes of `my photos/*`.
    let photos = ["my photos/1.png", "my photos/2.png"].map(|name| root.join(name));
    for words in ["train --data", "data info", "data pack --out a.gz"] {
        let [first, second] = &photos;
        let call = Cli::new(words).path(first).path(second).within(root);
        let folder = format!("\"{}\"", root.join("my photos").display());
        call.fail(2, &["one source", "the folder", &folder]);
    }
    let call = Cli::new("train").path("my photos".as_ref()).within(root);
    call.fail(2, &["'--data \"my photos\"'"]);
    // No flag takes this.
    for words in [
        "completions bash more",
        "data list more",
        "fly",
        "data fly",
        "train --data=idx a.pt",
    ] {
        let failed = Cli::new(words).within(root).fail(2, &["--help"]);
        assert!(!failed.stderr.contains("tip: try"), "{failed}");
    }
}
