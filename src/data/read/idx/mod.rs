//! IDX files, as MNIST has them: of images and of labels, raw or gzip.

#[cfg(feature = "cli")]
mod folder;
mod kind;

use std::path::Path;

#[cfg(feature = "cli")]
pub use folder::{hashes, is_in, read};

use super::gzip::Content;
use super::pixels;
use crate::data::{DataError, Split};
use kind::{IMAGES, Kind, LABELS};

/// The images in the bytes of a file, and the labels in those of another; errors name them `path`.
pub fn in_memory(images: &[u8], labels: Option<&[u8]>, path: &Path) -> Result<Split, DataError> {
    let read = |kind: Kind, bytes| {
        let parsed = Content::new(bytes).and_then(|content| kind.parse(content));
        parsed.map_err(DataError::at(path))
    };
    let ([count, rows, columns], values) = read(IMAGES, images)?;
    let mut found = None;
    if let Some(bytes) = labels {
        let bytes = read(LABELS, bytes)?.1.to_vec()?;
        if bytes.len() != count {
            return Err(DataError::at(path)(format!(
                "there are {} labels and {count} images: the files are of two sets",
                bytes.len()
            )));
        }
        found = Some(bytes.into_iter().map(u32::from).collect());
    }
    Ok(pixels::split([rows, columns, 1], values, found))
}
