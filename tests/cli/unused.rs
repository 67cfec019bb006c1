//! Each option of the images on each kind of source changes the images, is refused, or is said to have
//! no effect.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io::Write;
use std::path::Path;

use image::{GrayAlphaImage, ImageFormat, LumaA};

use super::data::{on_run, train, write_cifar};
use super::flags::flags;
use super::program::{Cli, Outcome};
use super::sets::{self, npy};

const SOURCES: [&str; 11] = [
    "mnist",
    "idx",
    "cifar",
    "packed.gz",
    "pictures",
    "pictures.tar.gz",
    "a.npy",
    "rows.npy",
    "real.npy",
    "one.npz",
    "two.npz",
];

/// Sources with test images of their own.
const SPLIT: &[&str] = &["mnist", "idx", "cifar", "packed.gz", "two.npz"];

/// What an option does.
enum Does {
    /// The description of the set differs, or the set can be read at all.
    Changes,
    /// The description is the same, and a line has this text.
    Nothing(&'static str),
    /// The set is refused with this text.
    Fails(&'static str),
}

/// A flag, its words, the words without it, what it does for some sources, and for all others.
struct Row(
    &'static str,
    &'static str,
    &'static str,
    Vec<(&'static [&'static str], Does)>,
    Does,
);

fn table() -> Vec<Row> {
    use Does::{Changes, Fails, Nothing};
    let none = "has no effect on";
    let images: &[&str] = &["pictures", "pictures.tar.gz"];
    let archives: &[&str] = &["one.npz", "two.npz"];
    let arrays: &[&str] = &["a.npy", "real.npy", "one.npz", "two.npz"];
    let real: &[&str] = &["real.npy"];
    let rows: &[&str] = &["rows.npy"];
    vec![
        Row("--size", "--size 12", "", vec![], Changes),
        Row(
            "--fit",
            "--size 8,16 --fit pad",
            "--size 8,16",
            vec![],
            Changes,
        ),
        Row(
            "--fit",
            "--fit crop",
            "",
            vec![],
            Nothing("has no effect without --size"),
        ),
        Row(
            "--background",
            "--background white",
            "",
            vec![(images, Changes)],
            Nothing(none),
        ),
        Row(
            "--background",
            "--size 8,16 --fit pad --background white",
            "--size 8,16 --fit pad",
            vec![(real, Nothing(none))],
            Changes,
        ),
        Row(
            "--skip-broken",
            "--skip-broken",
            "",
            vec![(images, Changes)],
            Nothing(none),
        ),
        Row("--channels", "--channels 3", "", vec![], Changes),
        Row(
            "--array",
            "--array other",
            "",
            vec![(archives, Changes)],
            Nothing(none),
        ),
        Row(
            "--labels",
            "--labels labels.csv",
            "",
            vec![(SPLIT, Fails("no file of labels"))],
            Changes,
        ),
        Row(
            "--image-size",
            "--image-size 4,16",
            "",
            vec![(arrays, Fails("not 4×16×1")), (rows, Changes)],
            Nothing("; --size resizes"),
        ),
        Row(
            "--test-fraction",
            "--test-fraction 0.5",
            "",
            vec![(SPLIT, Fails("leave --test-fraction out"))],
            Changes,
        ),
    ]
}

/// Thirty pictures with transparent parts, in two classes, by name.
fn pictures(broken: bool) -> Vec<(String, Vec<u8>)> {
    let one = |i: u8| {
        let picture = GrayAlphaImage::from_fn(8, 8, |x, _| LumaA([7 * i, 30 * x as u8]));
        let mut bytes = std::io::Cursor::new(Vec::new());
        let written = picture.write_to(&mut bytes, ImageFormat::Png);
        written.expect("memory takes all");
        let mut bytes = bytes.into_inner();
        if broken && i == 0 {
            bytes.truncate(40);
        }
        (format!("{}/{i}.png", ["a", "b"][usize::from(i % 2)]), bytes)
    };
    (0..30).map(one).collect()
}

fn write_pictures(root: &Path, name: &str, broken: bool) {
    let mut archive = tar::Builder::new(Vec::new());
    let mut add = |path: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        let added = archive.append_data(&mut header, path, bytes);
        added.expect("memory takes all");
    };
    for (path, bytes) in pictures(broken) {
        add(&path, &bytes);
        add(&path.replace("png", "cls"), &path.as_bytes()[..1]);
        let path = root.join(name).join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, bytes).expect("a file");
    }
    let bytes = archive.into_inner().expect("memory takes all");
    fs::write(root.join(format!("{name}.tar.gz")), sets::gzip(&bytes)).expect("a file");
}

fn write_sources(root: &Path) {
    sets::write_raw(&root.join("idx"), 12);
    write_cifar(&root.join("cifar"));
    write_pictures(root, "pictures", false);
    write_pictures(root, "broken", true);
    let grey = |from: u8| -> Vec<u8> { (0..1920u32).map(|i| from + (i % 199) as u8).collect() };
    let write = |name: &str, bytes: &[u8]| fs::write(root.join(name), bytes).expect("a file");
    write("labels.csv", "old\nnew\nnewer\n".repeat(10).as_bytes());
    let x = |from: u8| npy("|u1", "(30, 8, 8)", &grey(from));
    write("a.npy", &x(0));
    write("rows.npy", &npy("|u1", "(30, 64)", &grey(0)));
    let real = (0..1920).flat_map(|i| (i as f32 - 900.0).to_le_bytes());
    write(
        "real.npy",
        &npy("<f4", "(30, 8, 8)", &real.collect::<Vec<_>>()),
    );
    let y = npy("|u1", "(30,)", &[1; 30]);
    let one = [("x", x(0)), ("y", y), ("other", x(50))];
    let two = [("x_train", x(0)), ("x_test", x(9)), ("other", x(50))];
    for (name, arrays) in [("one.npz", one), ("two.npz", two)] {
        let file = fs::File::create(root.join(name)).expect("a file");
        let mut archive = zip::ZipWriter::new(file);
        for (array, bytes) in arrays {
            let options = zip::write::SimpleFileOptions::default();
            let started = archive.start_file(format!("{array}.npy"), options);
            started.expect("a file");
            archive.write_all(&bytes).expect("a file");
        }
        archive.finish().expect("a file");
    }
    let pack = Cli::new("data pack idx --binarize none --out packed.gz");
    pack.within(root).succeed();
}

fn notes(outcome: &Outcome) -> Vec<&str> {
    let lines = outcome.stderr.lines();
    lines
        .filter(|line| line.contains("has no effect"))
        .collect()
}

#[test]
fn an_option_changes_the_images_or_is_refused_or_said_to_have_no_effect() {
    let root = tempfile::tempdir().expect("a folder");
    let root = root.path();
    write_sources(root);
    let info = |source: &str, words: &str| {
        let call = Cli::new("data info --json").with(source).with(words);
        call.within(root).run()
    };
    let mut bases = HashMap::new();
    for Row(flag, words, without, some, others) in table() {
        for source in SOURCES {
            let does = some.iter().find(|(sources, _)| sources.contains(&source));
            let does = does.map_or(&others, |(_, does)| does);
            // A packed set is read in the same way, and smaller.
            if source == "mnist" && matches!(does, Does::Changes) {
                continue;
            }
            let (mut words, mut without) = (words.to_owned(), without.to_owned());
            let source = match flag {
                "--skip-broken" => source.replace("pictures", "broken"),
                _ => source.to_owned(),
            };
            if source == "cifar" && flag == "--channels" {
                words = "--channels 1".into();
            }
            if source == "rows.npy" && flag != "--image-size" {
                for words in [&mut words, &mut without] {
                    *words += " --image-size 8,8";
                }
            }
            let with = info(&source, &words);
            let base = bases.entry((source.clone(), without.clone()));
            let base = base.or_insert_with(|| info(&source, &without));
            let notes = notes(&with);
            match does {
                Does::Fails(text) => {
                    assert_eq!((with.code, with.stdout.as_str()), (Some(1), ""), "{with}");
                    assert!(with.stderr.contains(text), "no {text:?} in {with}");
                }
                Does::Nothing(text) => {
                    assert_eq!((with.code, &with.stdout), (Some(0), &base.stdout), "{with}");
                    let [note] = notes[..] else {
                        panic!("no note, or several, in {with}");
                    };
                    let start = format!("note: {flag} has no effect ");
                    assert!(note.starts_with(&start) && note.contains(text), "{with}");
                }
                Does::Changes => {
                    assert_eq!(with.code, Some(0), "{with}");
                    assert!(with.stdout != base.stdout, "no change by {flag}: {with}");
                    assert!(notes.is_empty(), "{with}");
                }
            }
        }
    }
}

#[test]
fn the_table_has_every_option_of_the_images() {
    let own = [
        "--out",
        "--json",
        "--quiet",
        "--progress",
        "--verbose",
        "--help",
    ];
    let own = own.map(str::to_owned).into();
    let all: BTreeSet<String> = flags("data info").difference(&own).cloned().collect();
    let known: BTreeSet<String> = table().into_iter().map(|row| row.0.into()).collect();
    assert_eq!(all, known);
}

#[test]
fn grey_levels_cannot_be_kept_where_there_are_bits() {
    let root = tempfile::tempdir().expect("a folder");
    let root = root.path();
    sets::write_raw(&root.join("idx"), 12);
    let pack = |words: &str| {
        let call = Cli::new("data pack --out a.gz").with(words);
        call.within(root).succeed()
    };
    for words in ["mnist --binarize none", "mnist --grey"] {
        let packed = pack(words);
        let said = notes(&packed);
        assert_eq!(said.len(), 1, "{packed}");
        let word = words.split(' ').nth(1).expect("a flag");
        assert!(
            said[0].contains(word) && said[0].contains("bits"),
            "{packed}"
        );
    }
    for words in [
        "mnist",
        "mnist --binarize threshold",
        "mnist --binarize none --size 12",
        "idx --binarize none",
        "idx --grey",
    ] {
        let packed = pack(words);
        assert!(notes(&packed).is_empty(), "{packed}");
    }
}

#[test]
fn only_given_options_are_said_to_have_no_effect() {
    let root = tempfile::tempdir().expect("a folder");
    let root = root.path();
    write_sources(root);
    train(
        root,
        "--data one.npz --array other --no-images --binarize none",
    );
    let eval = |words: &str| on_run(root, "eval --limit 2").with(words).succeed();
    for words in ["", "--data a.npy", "--data one.npz --array other"] {
        let said = eval(words);
        assert!(notes(&said).is_empty(), "{said}");
    }
    let said = eval("--data a.npy --array other");
    assert_eq!(
        notes(&said),
        ["note: --array has no effect on a .npy file"],
        "{said}"
    );
    let resumed = Cli::new("train --resume run --max-steps 4").on_adapter();
    let resumed = resumed.within(root).succeed();
    assert!(notes(&resumed).is_empty(), "{resumed}");
}
