//! Damaged files: more than 10 000, of every kind that this program reads, and the fuzzer's corpus.
//! Each is refused or read; none causes a panic or an allocation much larger than the file.

mod cache;
#[path = "../common/mod.rs"]
mod common;
#[path = "../../fuzz/parsers.rs"]
mod parsers;
mod whole;

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::panic::{RefUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use parsers::Parser;
use whole::Whole;

/// Damaged files of each kind, unless `CVAE_GPU_DAMAGED` says how many.
fn of_each() -> usize {
    let given = std::env::var("CVAE_GPU_DAMAGED").ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(500)
}

/// An allocator that records the largest allocation.
struct Watch;

static LARGEST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is forwarded to the system's allocator.
unsafe impl GlobalAlloc for Watch {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static WATCH: Watch = Watch;

/// Pseudo-random numbers.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        // Knuth's generator; its high bits are the most random.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end.max(1)
    }

    /// A position, mostly near the beginning, where headers are.
    fn place(&mut self, len: usize) -> usize {
        match self.below(3) {
            0 => self.below(len),
            1 => self.below(len.min(1024)),
            _ => self.below(len.min(32)),
        }
    }
}

/// Numbers that are hard for parsers.
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

/// Replaces the first decimal number from `at` on.
fn replace_number(bytes: &mut Vec<u8>, at: usize, number: &str) {
    let digit = |byte: &u8| byte.is_ascii_digit();
    let Some(start) = bytes[at..].iter().position(digit).map(|start| at + start) else {
        return;
    };
    let len = bytes[start..].iter().take_while(|b| digit(b)).count();
    bytes.splice(start..start + len, number.bytes());
}

/// Runs a parser, which must not allocate more than the limit.
#[track_caller]
fn guarded(
    about: &str,
    parser: impl Fn(&[u8]) -> Result<(), String> + RefUnwindSafe,
    bytes: &[u8],
    allowed: usize,
) -> Result<(), String> {
    LARGEST.store(0, Ordering::Relaxed);
    let outcome = catch_unwind(|| parser(bytes));
    let largest = LARGEST.load(Ordering::Relaxed);
    let Ok(outcome) = outcome else {
        panic!("{about}: a panic");
    };
    assert!(largest <= allowed, "{about}: {largest} bytes at once");
    if let Err(message) = &outcome {
        assert!(message.len() > 10, "{about}: {message:?}");
    }
    outcome
}

/// What a parser may allocate at once for these bytes.
fn allowed(backed: usize) -> usize {
    16 * backed + (1 << 20)
}

/// Parses a file, and damaged copies of it.
fn damaged(whole: &Whole) {
    let Whole { name, parser, .. } = whole;
    if let Err(e) = parser(&whole.file(whole.bytes.clone())) {
        panic!("{name}: the whole file is refused: {e}");
    }
    let mut dice = Dice(whole.bytes.len() as u64);
    let mut refused = 0;
    let (count, start) = (of_each(), Instant::now());
    for number in 0..count {
        let mut bytes = whole.bytes.clone();
        damage(&mut bytes, &mut dice);
        let backed = whole.bytes.len() + bytes.len();
        let about = format!("{name} {number}");
        let file = whole.file(bytes);
        let most = whole.most.max(allowed(backed + file.len()));
        refused += usize::from(guarded(&about, *parser, &file, most).is_err());
    }
    let took = start.elapsed().as_secs_f64();
    println!("{name}: {refused} of {count} refused, {took:.1} s");
    assert!(refused > count / 4, "{name}: only {refused} refused");
}

/// Parses the corpus of the fuzzer.
fn corpus(folder: &Path, name: &str, parser: Parser) {
    let files = fs::read_dir(folder.join(name)).expect(name);
    let mut read = 0;
    for file in files {
        let path = file.expect(name).path();
        let bytes = fs::read(&path).expect(name);
        // Gzip compresses repetitions by a factor of up to a thousand.
        let most = allowed(1025 * bytes.len());
        let outcome = guarded(&path.display().to_string(), parser, &bytes, most);
        read += usize::from(outcome.is_ok());
    }
    println!("corpus of {name}: {read} understood");
    assert!(
        read > 0,
        "the corpus of {name} has no file that is understood"
    );
}

// One test, since allocations of all threads are recorded together.
#[test]
fn no_damaged_file_does_harm() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let all = whole::all();
    if std::env::var_os("CVAE_GPU_CORPUS").is_some() {
        for whole in &all {
            let folder = folder.join(whole.parser_name);
            fs::create_dir_all(&folder).expect("a folder");
            let path = folder.join(whole.name.replace(' ', "-"));
            fs::write(path, whole.file(whole.bytes.clone())).expect("a file");
        }
    }
    all.iter().for_each(damaged);
    cache::damaged();
    for (name, parser) in parsers::ALL {
        corpus(&folder, name, parser);
    }
}
