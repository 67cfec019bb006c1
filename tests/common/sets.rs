//! Small image sets as files: IDX, gzip and `.npy`.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

pub const TRAIN_IMAGES: &str = "train-images-idx3-ubyte";
pub const TRAIN_LABELS: &str = "train-labels-idx1-ubyte";
pub const TEST_IMAGES: &str = "t10k-images-idx3-ubyte";
pub const TEST_LABELS: &str = "t10k-labels-idx1-ubyte";

/// An IDX file with these lengths in its header, one per axis, then these bytes.
pub fn idx(lengths: &[u32], bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, lengths.len() as u8];
    file.extend(lengths.iter().flat_map(|length| length.to_be_bytes()));
    file.extend(bytes);
    file
}

/// An IDX file of `count` images of `side`×`side` pixels: bright boxes and discs on a dark ground.
pub fn images(count: usize, side: usize) -> Vec<u8> {
    let mut file = idx(&[count, side, side].map(|n| n as u32), &[]);
    for i in 0..count {
        let (left, top) = (side / 8 + i % 5, side / 8 + i % 3);
        let reach = side / 4 + i % 4;
        for (y, x) in (0..side * side).map(|at| (at / side, at % side)) {
            let [dy, dx] = [y.abs_diff(top + reach), x.abs_diff(left + reach)];
            let inside = match i % 2 {
                0 => dy.max(dx) <= reach,
                _ => dy * dy + dx * dx <= reach * reach,
            };
            file.push(if inside { 250 } else { 20 });
        }
    }
    file
}

/// An IDX file of `count` labels.
pub fn labels(count: usize) -> Vec<u8> {
    let values: Vec<u8> = (0..count).map(|i| (i % 2) as u8).collect();
    idx(&[count as u32], &values)
}

/// A `.npy` file of version 1.0.
pub fn npy(dtype: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let entries = format!("'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}");
    npy_of(&format!("{{{entries}, }}\n"), data)
}

/// A `.npy` file of version 1.0 with this header.
pub fn npy_of(header: &str, data: &[u8]) -> Vec<u8> {
    let length = (header.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), data].concat()
}

/// The bytes, compressed.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}

/// Makes a folder of 96 training and 40 test images of `side`×`side` pixels, raw.
pub fn write_raw(folder: &Path, side: usize) {
    write(folder, side, "", |bytes| bytes);
}

/// The same, gzip.
pub fn write_gzip(folder: &Path, side: usize) {
    write(folder, side, ".gz", |bytes| gzip(&bytes));
}

fn write(folder: &Path, side: usize, ending: &str, encode: impl Fn(Vec<u8>) -> Vec<u8>) {
    fs::create_dir(folder).expect("a new folder");
    for (name, bytes) in [
        (TRAIN_IMAGES, images(96, side)),
        (TRAIN_LABELS, labels(96)),
        (TEST_IMAGES, images(40, side)),
        (TEST_LABELS, labels(40)),
    ] {
        let path = folder.join(name.to_owned() + ending);
        fs::write(path, encode(bytes)).expect("a new file");
    }
}
