//! `.npy` files of numbers.

use cvae_gpu::files::npy::{from_bytes, to_bytes};
use cvae_gpu::files::tensors::Tensor;

use crate::sets::npy_of as file;

/// The first bytes of every file.
const MAGIC: &[u8] = b"\x93NUMPY";

// What `numpy.save(f, numpy.array([[1, 2, 3]], "float32"))` writes.
#[test]
fn the_bytes_are_numpys() {
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3), }";
    let padded = format!("{header:<117}\n");
    let data = [1f32, 2.0, 3.0].map(f32::to_le_bytes);
    let expected = file(&padded, data.as_flattened());
    assert_eq!(to_bytes(&[1, 3], &[1.0, 2.0, 3.0]), expected);
    assert!((expected.len() - 12).is_multiple_of(64));
}

#[test]
fn arrays_survive() {
    for shape in [vec![], vec![0, 4], vec![5], vec![2, 3], vec![1, 2, 2, 1, 3]] {
        let count: usize = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|i| i as f32 - 0.1).collect();
        let read = from_bytes(&to_bytes(&shape, &values)).unwrap();
        assert_eq!(read, Tensor::f32(shape, values));
    }
}

#[test]
fn other_float_types_and_versions_are_read() {
    let header =
        |descr: &str| format!(r#"{{"descr":"{descr}","shape":(2,),"fortran_order":False}}"#);
    let values = [0.5, -3.0];
    let expected = Tensor::f32([2], vec![0.5, -3.0]);
    let single = values.map(|v: f64| (v as f32).to_be_bytes());
    let little = values.map(f64::to_le_bytes);
    let big = values.map(f64::to_be_bytes);
    for (descr, data) in [
        (">f4", single.as_flattened()),
        ("<f8", little.as_flattened()),
        (">f8", big.as_flattened()),
    ] {
        assert_eq!(from_bytes(&file(&header(descr), data)).unwrap(), expected);
    }
    let text = header("<f8");
    let length = (text.len() as u32).to_le_bytes();
    let long = [
        MAGIC,
        &[3, 0],
        &length,
        text.as_bytes(),
        little.as_flattened(),
    ]
    .concat();
    assert_eq!(from_bytes(&long).unwrap(), expected);
}

#[test]
fn what_is_no_array_of_floats_is_refused() {
    let entries = |descr: &str, order: &str, shape: &str| {
        format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}")
    };
    let huge = format!("({}, {})", u64::MAX, u64::MAX);
    let none = format!("(0, {}, {})", u64::MAX, u64::MAX);
    assert!(from_bytes(&file(&entries("<f4", "False", &none), &[])).is_ok());
    for (bytes, reason) in [
        (vec![], "no .npy file"),
        (b"PNG".to_vec(), "no .npy file"),
        (MAGIC.to_vec(), "ends within its header"),
        ([MAGIC, &[2, 0, 255, 255, 255, 255]].concat(), "ends within"),
        ([MAGIC, &[9, 0, 0, 0]].concat(), "version 9"),
        (file("{}", &[]), "`descr`"),
        (
            file(&entries("<c8", "False", "(1,)"), &[0; 8]),
            "dtype `<c8`",
        ),
        (
            file(&entries("<f3", "False", "(1,)"), &[0; 3]),
            "dtype `<f3`",
        ),
        (
            file(&entries("<f4", "False", "(2,)"), &[0; 4]),
            "incomplete",
        ),
        (file(&entries("<f4", "False", "(1,)"), &[0; 8]), "damaged"),
        (file(&entries("<f4", "False", &huge), &[0; 8]), "damaged"),
        (file(&entries("<f4", "False", "(-1,)"), &[0; 4]), "`shape`"),
        (file(&entries("<f4", "False", "7"), &[0; 4]), "`shape`"),
    ] {
        let refused = from_bytes(&bytes).unwrap_err();
        assert!(refused.contains(reason), "{refused}");
    }
}

#[test]
fn every_truncation_is_refused() {
    let whole = to_bytes(&[2, 3], &[1.0; 6]);
    for length in 0..whole.len() {
        assert!(from_bytes(&whole[..length]).is_err(), "{length}");
    }
}
