//! Damaged files: 10 000 of them, of every kind that this program reads. Each is refused or
//! understood; none makes it panic, or ask for memory that the file does not back.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::panic::catch_unwind;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::training::{rectangles, small_model};
use cvae_gpu::check::case::Case;
use cvae_gpu::checkpoint::{self, Platform, checkpoint_bytes};
use cvae_gpu::config::RunConfig;
use cvae_gpu::data::{self, Binarize, Prepare, idx::IdxFolder, packed};
use cvae_gpu::event::{Record, Snapshot};
use cvae_gpu::gpu::Selection;
use cvae_gpu::ops::state::StepState;
use cvae_gpu::params;
use cvae_gpu::rng::Stream;
use cvae_gpu::tensor_file::TensorFile;
use cvae_gpu::train::Every;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

/// Damaged files of each kind.
const OF_EACH: usize = 1500;

/// Notes the largest piece of memory that anything asks for.
struct Watch;

static LARGEST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Watch {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static WATCH: Watch = Watch;

/// Numbers that only look random.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        // Knuth's generator; the high bits are the good ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end.max(1)
    }

    /// A place, more often than not near the beginning, where headers are.
    fn place(&mut self, len: usize) -> usize {
        match self.below(3) {
            0 => self.below(len),
            1 => self.below(len.min(1024)),
            _ => self.below(len.min(32)),
        }
    }
}

/// Numbers at which parsers stumble.
const NUMBERS: [&str; 10] = [
    "0",
    "-1",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "18446744073709551615",
    "18446744073709551616",
    "1e308",
    "0.5",
    "99999999999999999999999999",
];

/// Damages a file in one to three ways.
fn damage(bytes: &mut Vec<u8>, dice: &mut Dice) {
    for _ in 0..=dice.below(3) {
        let (len, at) = (bytes.len(), dice.place(bytes.len()));
        if len == 0 {
            return;
        }
        match dice.below(8) {
            0 => bytes[at] ^= 1 << dice.below(8),
            1 => bytes[at] = [0, 0x7f, 0x80, 0xff][dice.below(4)],
            2 => bytes.truncate(at),
            3 => bytes.extend_from_within(at..),
            4 => drop(bytes.drain(at..(at + 1 + dice.below(64)).min(len))),
            5 => {
                let piece = bytes[at..(at + 1 + dice.below(64)).min(len)].to_vec();
                let to = dice.place(len);
                bytes.splice(to..to, piece);
            }
            6 => {
                let number = [u32::MAX, 1 << 31, 1, 0][dice.below(4)];
                for (byte, new) in bytes[at..].iter_mut().zip(number.to_be_bytes()) {
                    *byte = new;
                }
            }
            _ => replace_number(bytes, at, NUMBERS[dice.below(NUMBERS.len())]),
        }
    }
}

/// Puts another number in the place of the first one, in digits, from `at` on.
fn replace_number(bytes: &mut Vec<u8>, at: usize, number: &str) {
    let digit = |byte: &u8| byte.is_ascii_digit();
    let Some(start) = bytes[at..].iter().position(digit).map(|start| at + start) else {
        return;
    };
    let len = bytes[start..].iter().take_while(|b| digit(b)).count();
    bytes.splice(start..start + len, number.bytes());
}

/// Reads damaged copies of `whole`, which itself is read.
#[track_caller]
fn check(kind: &str, whole: &[u8], read: impl Fn(&[u8]) -> Result<(), String>) {
    if let Err(e) = read(whole) {
        panic!("{kind}: the whole file is refused: {e}");
    }
    let mut dice = Dice(whole.len() as u64);
    let mut refused = 0;
    for number in 0..OF_EACH {
        let mut bytes = whole.to_vec();
        damage(&mut bytes, &mut dice);
        LARGEST.store(0, Ordering::Relaxed);
        let outcome = catch_unwind(std::panic::AssertUnwindSafe(|| read(&bytes)));
        let largest = LARGEST.load(Ordering::Relaxed);
        let Ok(outcome) = outcome else {
            panic!("{kind} {number}: a panic");
        };
        let allowed = 16 * (whole.len() + bytes.len()) + (1 << 20);
        assert!(
            largest <= allowed,
            "{kind} {number}: {largest} bytes at once"
        );
        if let Err(message) = outcome {
            refused += 1;
            assert!(message.len() > 10, "{kind} {number}: {message:?}");
        }
    }
    println!("{kind}: {refused} of {OF_EACH} refused");
    assert!(refused > OF_EACH / 4, "{kind}: only {refused} refused");
}

fn text<T>(result: Result<T, impl std::fmt::Display>) -> Result<(), String> {
    result.map(drop).map_err(|e| e.to_string())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}

fn idx_files() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let images = [
        &[0, 0, 8, 3, 0, 0, 0, 9, 0, 0, 0, 8, 0, 0, 0, 8][..],
        &[200; 9 * 64],
    ]
    .concat();
    let labels = [&[0, 0, 8, 1, 0, 0, 0, 9][..], &[1; 9]].concat();
    let [train, _] = ["train", "t10k"].map(|split| {
        ["images-idx3", "labels-idx1"].map(|kind| {
            let path = folder.path().join(format!("{split}-{kind}-ubyte"));
            let bytes = if kind.starts_with("im") {
                &images
            } else {
                &labels
            };
            fs::write(&path, bytes).expect("a file");
            path
        })
    });
    let read = |path: &Path, bytes: &[u8]| {
        fs::write(path, bytes).expect("a file");
        text(IdxFolder::read(folder.path()))
    };
    check("IDX images", &images, |bytes| read(&train[0], bytes));
    fs::write(&train[0], &images).expect("a file");
    check("IDX labels", &labels, |bytes| read(&train[1], bytes));
    fs::write(&train[1], &labels).expect("a file");
    check("gzip IDX images", &gzip(&images), |bytes| {
        read(&train[0], bytes)
    });
}

fn packed_set() {
    let set = rectangles(20, 10);
    let whole = packed::write(&set, &packed::Provenance::default()).expect("a packed set");
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut MultiGzDecoder::new(whole.as_slice()), &mut plain)
        .expect("gzip");
    // Damage behind the checksum of gzip comes further.
    check("packed set", &plain, |bytes| {
        text(packed::read(&gzip(bytes), Path::new("set")))
    });
}

/// A file that is a set of its own.
fn set_file(kind: &str, whole: &[u8], pack: impl Fn(&[u8]) -> Vec<u8>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("set");
    let source = path.to_str().expect("a plain path");
    check(kind, whole, |bytes| {
        fs::write(&path, pack(bytes)).expect("a file");
        text(data::load(source, Binarize::None))
    });
}

fn arrays() {
    let header = "{'descr': '|u1', 'fortran_order': False, 'shape': (30, 8, 8), }\n";
    let length = (header.len() as u16).to_le_bytes();
    let start = [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes()].concat();
    let whole = [start, vec![200; 30 * 64]].concat();
    set_file("array", &whole, <[u8]>::to_vec);
}

fn archive() {
    let mut archive = tar::Builder::new(Vec::new());
    let train = (1..=5).map(|i| format!("data_batch_{i}.bin"));
    for name in train.chain(["test_batch.bin".into()]) {
        let mut header = tar::Header::new_ustar();
        header.set_size(3073);
        let added = archive.append_data(&mut header, name, &[1; 3073][..]);
        added.expect("memory takes all");
    }
    let whole = archive.into_inner().expect("memory takes all");
    set_file("CIFAR-10 archive", &whole, gzip);
}

fn config() -> RunConfig {
    RunConfig {
        version: "0.1.0".into(),
        model: small_model(),
        data: "idx".into(),
        data_path: None,
        data_sha256: None,
        prepare: Prepare::default(),
        binarize: Binarize::Threshold,
        epochs: 10,
        batch: 32,
        lr: 1e-4,
        seed: 0,
        max_steps: Some(7),
        checkpoint_every: Every::Steps(3),
        eval_every: 2,
        log_every: Some(5),
        images: true,
        device: Selection::default(),
    }
}

fn checkpoint_file() {
    let specs = small_model().params();
    let initial = params::initial(&specs, 1);
    let values = |v: Vec<f32>| [v.clone(), v.clone(), v];
    let snapshot = Snapshot {
        params: specs
            .into_iter()
            .zip(initial.into_iter().map(values))
            .collect(),
        state: StepState::start(0, Stream::Train).to_words().to_vec(),
        record: Record::default(),
    };
    let run = config();
    let model = run.model_config();
    let whole = checkpoint_bytes(&snapshot, &model, &run, &Platform::default());
    check("checkpoint", &whole.expect("a checkpoint"), |bytes| {
        let file = TensorFile::from_bytes(bytes);
        let file = file.map_err(|e| e.to_string())?;
        text(checkpoint::checkpoint_from(file, &model))
    });
}

fn recorded_case() {
    let model = small_model();
    let specs = model.params();
    let names = specs.iter().map(|spec| spec.name.clone());
    let case = Case {
        name: "case".into(),
        batch: 3,
        x: vec![0.5; 3 * 64],
        eps: vec![vec![0.1; 6]; 2],
        params: names.zip(params::initial(&specs, 1)).collect(),
        expect: BTreeMap::from([("loss".to_owned(), vec![44.0, 43.0])]),
        unknown: Vec::new(),
        relu_margin: Some(0.1),
        model,
    };
    let whole = case.to_file().to_bytes().expect("a case");
    check("golden case", &whole, |bytes| {
        let file = TensorFile::from_bytes(bytes);
        let file = file.map_err(|e| e.to_string())?;
        text(Case::from_file("case", "case", file))
    });
}

fn run_config() {
    let whole = serde_json::to_vec_pretty(&config()).expect("JSON");
    check("config.json", &whole, |bytes| {
        text(RunConfig::from_bytes(bytes))
    });
}

// One test, since the memory of all threads is watched together.
#[test]
fn no_damaged_file_does_harm() {
    idx_files();
    packed_set();
    arrays();
    archive();
    checkpoint_file();
    recorded_case();
    run_config();
}
