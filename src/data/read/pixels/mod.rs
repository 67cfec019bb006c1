//! Sizes and channels of images.

mod floats;
mod resize;

use std::path::Path;

use image::{Luma, Rgb};

pub use resize::{edge, edge_grey, grey, repeated, resized};

use crate::data::held_out::held_out;
use crate::data::set::Bytes;
use crate::data::{
    DataError, Depth, Listener, PackedImages, Prepare, Progress, Size, Split, TEST_FRACTION,
};

/// The images of a source, by split.
#[cfg(feature = "cli")]
pub enum Parts {
    /// Training and test images.
    Two([Split; 2]),
    /// Images of which a part is to be held out.
    One(Split),
}

/// A split of images at one byte per value, in row-major HWC order.
pub fn split(shape: [usize; 3], values: impl Into<Bytes>, labels: Option<Vec<u32>>) -> Split {
    Split {
        images: PackedImages::of_bytes(shape, Depth::Byte, values),
        labels,
        names: None,
    }
}

/// Resizes images and converts their channels; they must have 1 or 3 channels. Bits become bytes.
pub fn prepared(split: Split, prepare: &Prepare) -> Result<Split, DataError> {
    let images = split.images;
    let [height, width, channels] = images.shape();
    let size = prepare.size.map_or([height, width], Size::sides);
    let wanted = prepare.channels.unwrap_or(channels);
    let shape = [size[0], size[1], wanted];
    if shape == images.shape() {
        return Ok(Split { images, ..split });
    }
    let from = [height, width];
    let images = match images.depth() {
        Depth::Float => images.map((shape, Depth::Float), |_, bytes| {
            let image = floats::prepared(bytes, from, channels, shape, prepare.fit);
            image.flat_map(f32::to_le_bytes).collect()
        })?,
        Depth::Bit | Depth::Byte => images.map((shape, Depth::Byte), |_, bytes| {
            let image = images.levels(bytes).collect();
            if channels == 1 {
                let image = resized(image, from, size, prepare.fit, Luma(edge_grey(prepare)));
                return repeated(&image, wanted).collect();
            }
            let image = resized(image, from, size, prepare.fit, Rgb(edge(prepare)));
            match wanted {
                1 => grey(&image).collect(),
                _ => image,
            }
        })?,
    };
    Ok(Split { images, ..split })
}

/// Splits images into training and test images ([`held_out`]); one image becomes both.
pub fn cut(
    all: Split,
    fraction: Option<f64>,
    path: &Path,
    listener: &mut Listener<'_>,
) -> Result<[Split; 2], DataError> {
    let count = all.images.count();
    if count == 1 && fraction.is_none() {
        listener(Progress::Note(
            "there is one image: it is trained on, and evaluated too",
        ));
        return Ok([all.clone(), all]);
    }
    let fraction = fraction.unwrap_or(TEST_FRACTION);
    let parts = held_out(count, fraction).and_then(|is_held| all.parted(is_held));
    parts.ok_or_else(|| DataError::TooFew(path.into(), fraction))
}
