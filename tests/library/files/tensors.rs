//! Files of named tensors.

use std::fs;

use cvae_gpu::files::atomic;
use cvae_gpu::files::tensors::{Tensor, TensorData, TensorFile, TensorFileError};

fn example() -> TensorFile {
    let (shape, data) = (vec![2], TensorData::U32(vec![7, u32::MAX]));
    let tensors = [
        ("weight", Tensor::f32([2, 2], vec![0.1, -1.5, 3e38, 1e-40])),
        ("labels", Tensor { shape, data }),
        ("scalar \"\u{fc}\"", Tensor::f32([], vec![0.25])),
        ("empty", Tensor::f32([0, 4], vec![])),
    ];
    let notes = (0..20).map(|i| (format!("note {i}"), format!("\"{i}\"\n")));
    TensorFile {
        tensors: tensors.map(|(name, t)| (name.to_owned(), t)).into(),
        metadata: notes.collect(),
    }
}

/// A file with these tensors in its header, and this data.
fn raw(tensors: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{{tensors}}}");
    let length = (header.len() as u64).to_le_bytes();
    [&length, header.as_bytes(), data].concat()
}

/// What the header says about one tensor.
fn entry(name: &str, dtype: &str, size: u64, start: u64, end: u64) -> String {
    format!(r#""{name}":{{"dtype":"{dtype}","shape":[{size}],"data_offsets":[{start},{end}]}}"#)
}

#[test]
fn content_survives_and_always_has_the_same_bytes() {
    for file in [example(), TensorFile::default()] {
        let bytes = file.to_bytes().unwrap();
        // Reading needs no alignment, so it starts at any offset here.
        for offset in 0..8 {
            let shifted = [&vec![0; offset][..], &bytes].concat();
            let read = TensorFile::from_bytes(&shifted[offset..]).unwrap();
            assert_eq!(read, file);
            assert_eq!(read.to_bytes().unwrap(), bytes);
        }
    }
}

#[test]
fn the_safetensors_crate_reads_the_bytes() {
    let bytes = example().to_bytes().unwrap();
    let theirs = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let labels = theirs.tensor("labels").unwrap();
    assert_eq!(labels.data(), [7, 0, 0, 0, 255, 255, 255, 255]);
}

#[test]
fn doubles_become_f32_and_other_dtypes_are_named() {
    let read = |dtype, data: &[u8]| {
        let tensors = entry("t", dtype, 2, 0, data.len() as u64);
        let file = TensorFile::from_bytes(&raw(&tensors, data))?;
        file.get_f32("t", &[2]).map(<[f32]>::to_vec)
    };
    let doubles = [0.1f64, -3.0].map(f64::to_le_bytes).concat();
    assert_eq!(read("F64", &doubles).unwrap(), [0.1, -3.0]);
    let error = read("F16", &[0; 4]).unwrap_err().to_string();
    assert!(error.contains("`t` has the dtype F16"), "{error}");
}

#[test]
fn a_file_cut_short_anywhere_is_truncated() {
    let bytes = example().to_bytes().unwrap();
    for end in 0..bytes.len() {
        let error = TensorFile::from_bytes(&bytes[..end]).unwrap_err();
        let found = end as u64;
        assert!(matches!(error, TensorFileError::Truncated(e, f) if e > f && f == found));
    }
}

#[test]
fn hostile_bytes_never_panic() {
    let bytes = example().to_bytes().unwrap();
    let mut random = 1u32;
    for _ in 0..4000 {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let mut hostile = bytes.clone();
        hostile[(random >> 8) as usize % bytes.len()] ^= (random >> 24) as u8;
        let _ = TensorFile::from_bytes(&hostile);
    }
    // These eight tensors add up to almost 2^64 bytes.
    const SIZE: u64 = (1 << 61) - 1;
    let huge = |i: u64| entry(&i.to_string(), "U8", SIZE, i * SIZE, (i + 1) * SIZE);
    for hostile in [
        raw(&[0, 1, 2, 3, 4, 5, 6, 7].map(huge).join(","), &[]),
        raw(&entry("t", "F32", 2, 0, 4), &[0; 4]),
        raw("", &[0; 9]),
        raw(&"\"a\":{".repeat(10_000), &[]),
        vec![255; 64],
        b"\x89PNG\r\n\x1a\n and more".to_vec(),
    ] {
        TensorFile::from_bytes(&hostile).unwrap_err();
    }
}

#[test]
fn a_wrong_tensor_says_what_was_expected_and_found() {
    let file = example();
    assert_eq!(file.get_f32("weight", &[2, 2]).unwrap()[1], -1.5);
    for (name, message) in [
        ("weight", "has shape [2, 2], but [4] was expected"),
        ("labels", "`labels` holds U32 values"),
        ("bias", "`bias` among [empty, labels, scalar"),
    ] {
        let error = file.get_f32(name, &[4]).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn tensors_which_cannot_be_read_back_are_not_written() {
    for (name, message) in [("short", "has 3 values"), ("__metadata__", "is reserved")] {
        let mut file = example();
        let tensor = Tensor::f32([2, 2], vec![0.0; 3]);
        file.tensors.insert(name.to_owned(), tensor);
        let error = file.to_bytes().unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn a_file_is_replaced_whole_and_a_failure_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    atomic::write(&path, b"old").unwrap();
    let error = TensorFile::read(&path).unwrap_err().to_string();
    assert!(error.contains("a.safetensors"), "{error}");
    let mut broken = example();
    broken.tensors.insert("b".into(), Tensor::f32([1], vec![]));
    broken.write(&path).unwrap_err();
    assert_eq!(fs::read(&path).unwrap(), b"old");
    example().write(&path).unwrap();
    assert_eq!(TensorFile::read(&path).unwrap(), example());
    // A file can neither replace a folder nor lie inside a file.
    let inner = folder.path().join("inner");
    fs::create_dir(&inner).unwrap();
    for target in [inner, path.join("x")] {
        atomic::write(&target, b"new").unwrap_err();
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[cfg(unix)]
#[test]
fn a_file_has_the_permissions_of_any_new_file() {
    let folder = tempfile::tempdir().unwrap();
    let [plain, whole] = ["plain", "whole"].map(|name| folder.path().join(name));
    fs::write(&plain, b"").unwrap();
    atomic::write(&whole, b"").unwrap();
    let permissions = |path| fs::metadata(path).unwrap().permissions();
    assert_eq!(permissions(whole), permissions(plain));
}
