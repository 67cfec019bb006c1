//! What the axes of an array mean.

use std::path::Path;

use crate::data::DataError;

/// What the axes of an array mean.
pub struct Form {
    /// Height, width and channels.
    pub shape: [usize; 3],
    /// Distance in the images of two neighbours along each axis.
    pub strides: Vec<usize>,
    pub note: Option<String>,
}

impl Form {
    /// Finds the meaning of axes of these lengths.
    pub fn of(axes: &[usize], size: Option<[usize; 3]>, path: &Path) -> Result<Form, DataError> {
        let its_shape = format!("its shape {axes:?}");
        let refused =
            |reason: String| DataError::at(path)(format!("cannot be used as images: {reason}"));
        if axes.contains(&0) {
            return Err(refused(format!("{its_shape} holds no image")));
        }
        let images = |h, w, c| [h * w * c, w * c, c, 1];
        let (shape, strides, note) = match *axes {
            [_, height, width] => {
                let [n, y, x, _] = images(height, width, 1);
                ([height, width, 1], vec![n, y, x], None)
            }
            [_, height, width, channels @ (1 | 3)] => {
                let strides = images(height, width, channels).to_vec();
                ([height, width, channels], strides, None)
            }
            [_, channels @ (1 | 3), height, width] => {
                let [n, y, x, c] = images(height, width, channels);
                let note = format!("{its_shape} has the channels first: they are moved to the end");
                ([height, width, channels], vec![n, c, y, x], Some(note))
            }
            [_, values] => {
                let size = size.ok_or_else(|| DataError::Flat(path.into(), values))?;
                let [height, width, channels] = size;
                if height * width * channels != values {
                    return Err(refused(format!(
                        "each row has {values} numbers, but an image of \
                         {height}×{width}×{channels} has {}",
                        height * width * channels
                    )));
                }
                (size, vec![values, 1], None)
            }
            _ => {
                return Err(refused(format!(
                    "{its_shape} is not that of images: give [N, H, W], or [N, H, W, C] with 1 or 3 \
                     channels"
                )));
            }
        };
        match size.filter(|size| *size != shape) {
            Some([h, w, c]) => Err(refused(format!(
                "its images are {}×{}×{}, not {h}×{w}×{c}",
                shape[0], shape[1], shape[2]
            ))),
            None => Ok(Form {
                shape,
                strides,
                note,
            }),
        }
    }
}
