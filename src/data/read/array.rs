//! Images in a `.npy` file of NumPy: `[N, H, W]` or `[N, H, W, C]`, bytes, booleans, or floats from 0
//! to 1, rounded to bytes.

use std::path::Path;

use super::pixels::Pixels;
use crate::data::DataError;
use crate::files::npy::Raw;
use crate::files::regular;

/// Reads the images of a file.
pub fn read(path: &Path) -> Result<Pixels, DataError> {
    let bytes = regular::read(path).map_err(DataError::io(path))?;
    pixels(&bytes).map_err(|reason| DataError::Array {
        path: path.into(),
        reason,
    })
}

fn pixels(bytes: &[u8]) -> Result<Pixels, String> {
    let array = Raw::parse(bytes)?;
    let shape = match *array.shape {
        [_, height, width] => [height, width, 1],
        [_, height, width, channels @ (1 | 3)] => [height, width, channels],
        [_, channels @ (1 | 3), height, width] => {
            return Err(format!(
                "its shape {:?} looks like {channels} channels before {height}×{width} pixels: \
                 save `a.transpose(0, 2, 3, 1)`",
                array.shape
            ));
        }
        _ => {
            return Err(format!(
                "its shape {:?} is not that of images: give [N, H, W], or [N, H, W, C] with 1 or \
                 3 channels",
                array.shape
            ));
        }
    };
    if array.shape.contains(&0) {
        return Err(format!("its shape {:?} holds no image", array.shape));
    }
    let values = match array.dtype {
        "|u1" if array.data.iter().all(|v| *v <= 1) => {
            return Err(
                "its bytes are all 0 or 1, but white is 255: save `a.astype(bool)`, or multiply by \
                 255"
                    .into(),
            );
        }
        "|u1" => array.data.to_vec(),
        "|b1" => array.data.iter().map(|v| u8::from(*v != 0) * 255).collect(),
        _ => {
            let floats = array.floats()?;
            if let Some(at) = floats.iter().position(|v| !(0.0..=1.0).contains(v)) {
                return Err(format!(
                    "the value at {:?} is {}: floats are brightness from 0 to 1, so divide by \
                     the largest, or save bytes",
                    index(at, &array.shape),
                    floats[at]
                ));
            }
            floats.iter().map(|v| (255.0 * v).round() as u8).collect()
        }
    };
    Ok(Pixels {
        shape,
        values,
        labels: None,
    })
}

/// The index along each axis of the value at a linear index.
fn index(mut at: usize, shape: &[usize]) -> Vec<usize> {
    let mut index: Vec<usize> = (shape.iter().rev())
        .map(|n| {
            let along = at % n;
            at /= n;
            along
        })
        .collect();
    index.reverse();
    index
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::npy::{self, tests::file};

    fn array(dtype: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let header = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}");
        file(&header, data)
    }

    #[test]
    fn bytes_booleans_and_floats_are_images() {
        let bytes = pixels(&array("|u1", "(2, 1, 3)", &[0, 1, 2, 128, 254, 255])).unwrap();
        assert_eq!(bytes.shape, [1, 3, 1]);
        assert_eq!(bytes.values, [0, 1, 2, 128, 254, 255]);
        let truth = pixels(&array("|b1", "(1, 2, 1, 1)", &[0, 1])).unwrap();
        assert_eq!((truth.shape, truth.values), ([2, 1, 1], vec![0, 255]));
        let floats = npy::to_bytes(&[1, 1, 2, 3], &[0.0, 0.2, 0.5, 1.0, 0.001, 0.002]);
        let floats = pixels(&floats).unwrap();
        assert_eq!(floats.shape, [1, 2, 3]);
        assert_eq!(floats.values, [0, 51, 128, 255, 0, 1]);
    }

    #[test]
    fn a_value_out_of_range_is_named_by_its_index() {
        for (wrong, shown) in [(f32::NAN, "NaN"), (1.5, "1.5"), (-0.1, "-0.1")] {
            let mut values = [0.5; 2 * 2 * 3];
            values[8] = wrong;
            let refused = pixels(&npy::to_bytes(&[2, 2, 3], &values)).unwrap_err();
            assert!(refused.contains("[1, 0, 2]"), "{refused}");
            assert!(refused.contains(shown), "{refused}");
        }
    }

    #[test]
    fn other_arrays_are_refused_with_what_to_save_instead() {
        for (bytes, words) in [
            (array("|u1", "(4,)", &[9; 4]), "[N, H, W]"),
            (array("|u1", "(1, 2, 2, 2)", &[9; 8]), "1 or 3"),
            (
                array("|u1", "(1, 3, 2, 2)", &[9; 12]),
                "transpose(0, 2, 3, 1)",
            ),
            (array("|u1", "(0, 2, 2)", &[]), "no image"),
            (array("|u1", "(1, 2, 2)", &[0, 1, 1, 0]), "multiply by 255"),
            (array("|u1", "(9, 2, 2)", &[7; 4]), "incomplete"),
            (array("<i8", "(1, 1, 1)", &[0; 8]), "astype"),
            (b"GIF89a".to_vec(), "numpy.save"),
        ] {
            let refused = pixels(&bytes).unwrap_err();
            assert!(refused.contains(words), "{refused}");
        }
    }
}
