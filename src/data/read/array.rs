//! Images in a `.npy` file of NumPy: `[N, H, W]` or `[N, H, W, C]`, bytes, booleans, or floats from 0
//! to 1, rounded to bytes.

use std::path::Path;

use super::pixels::Pixels;
use crate::data::DataError;
use crate::files::npy::Raw;
use crate::files::regular;
use crate::files::tensors::coordinates;

/// Reads the images of a file.
pub fn read(path: &Path) -> Result<Pixels, DataError> {
    let bytes = regular::read(path).map_err(DataError::io(path))?;
    pixels(&bytes)
        .map_err(|reason| DataError::at(path)(format!("cannot be used as images: {reason}")))
}

fn pixels(bytes: &[u8]) -> Result<Pixels, String> {
    let array = Raw::parse(bytes)?;
    let its_shape = format!("its shape {:?}", array.shape);
    let shape = match *array.shape {
        [_, height, width] => [height, width, 1],
        [_, height, width, channels @ (1 | 3)] => [height, width, channels],
        [_, channels @ (1 | 3), height, width] => {
            return Err(format!(
                "{its_shape} looks like {channels} channels before {height}×{width} pixels: save \
                 `a.transpose(0, 2, 3, 1)`"
            ));
        }
        _ => {
            return Err(format!(
                "{its_shape} is not that of images: give [N, H, W], or [N, H, W, C] with 1 or 3 \
                 channels"
            ));
        }
    };
    if array.shape.contains(&0) {
        return Err(format!("{its_shape} holds no image"));
    }
    let values = match array.dtype {
        "|u1" if array.data.iter().all(|v| *v <= 1) => {
            return Err(
                "its bytes are all 0 or 1, but white is 255: save `a.astype(bool)`, or \
                multiply by 255"
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
                    coordinates(at, &array.shape),
                    floats[at]
                ));
            }
            floats.iter().map(|v| (255.0 * v).round() as u8).collect()
        }
    };
    let labels = None;
    Ok(Pixels {
        shape,
        values,
        labels,
    })
}
