//! The packed set file: a whole set in one small file.
//!
//! It is a safetensors file, compressed with gzip. Its tensors are `train/images` and `test/images`
//! (`U8`, images × bytes per image, packed like [`crate::data::PackedImages`]) and optional
//! `train/labels` and `test/labels` (one per image; `U8`, or `U32` where a label is above 255).
//!
//! Its metadata are `name`, `shape` (such as `28,28,1`), `depth` (`bit`, `byte` or `float`), the texts
//! `origin` and `licence`, `sources`, a JSON object from the name of each source file to its SHA-256,
//! and, where classes have names, `classes`, a JSON array of these.
//!
//! The same set gives the same content: the order is fixed and no time is stored. The compressed
//! bytes may change with the version of the compressor.

mod read;

pub use read::read;
#[cfg(feature = "cli")]
pub use read::read_file;

use std::collections::BTreeMap;
use std::io::{self, Write};

use flate2::{Compression, GzBuilder};
use serde_json::json;

use crate::data::{DataError, Depth, ImageSet, PackedImages};
use crate::files::tensors::{self, About};

/// Longest header; small enough to read before it is checked.
const MAX_HEADER: u64 = 1 << 20;

/// The tensors of the two splits, images and labels.
const TRAIN: [&str; 2] = ["train/images", "train/labels"];
const TEST: [&str; 2] = ["test/images", "test/labels"];

/// Origin and licence of a set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Provenance {
    /// Who made the set, and how it was changed.
    pub origin: String,
    /// The licence.
    pub licence: String,
    /// The SHA-256 of each source file by name, in lower-case hexadecimal.
    pub sources: BTreeMap<String, String>,
}

/// The bytes of the packed set file of `set`.
///
/// # Errors
///
/// Those of [`write_to`].
pub fn write(set: &ImageSet, provenance: &Provenance) -> Result<Vec<u8>, DataError> {
    let mut bytes = Vec::new();
    let written = write_to(set, provenance, &mut bytes);
    written.map(|()| bytes)
}

/// Writes the packed set file of `set`, an image at a time.
///
/// # Errors
///
/// That the format cannot hold the set, that a file of it cannot be read, or that `out` fails.
pub fn write_to(
    set: &ImageSet,
    provenance: &Provenance,
    out: &mut dyn Write,
) -> Result<(), DataError> {
    let refused = |reason: String| DataError::Unpackable(set.name.clone(), reason);
    let failed = |reason: io::Error| refused(reason.to_string());
    let parts = parts(set).map_err(refused)?;
    let header = header(set, provenance, &parts).map_err(refused)?;
    let builder = GzBuilder::new().mtime(0).operating_system(255);
    let mut encoder = builder.write(out, Compression::new(9));
    encoder.write_all(&header).map_err(failed)?;
    for part in &parts {
        match &part.bytes {
            Content::Labels(bytes) => encoder.write_all(bytes).map_err(failed)?,
            Content::Images(images) => {
                let mut written = Ok(());
                images.each(|image| {
                    written = encoder.write_all(image);
                    written.is_ok()
                })?;
                written.map_err(failed)?;
            }
        }
    }
    encoder.finish().map_err(failed)?;
    Ok(())
}

/// A tensor of the file.
struct Part<'a> {
    name: &'static str,
    dtype: &'static str,
    bytes: Content<'a>,
}

enum Content<'a> {
    Images(&'a PackedImages),
    Labels(Vec<u8>),
}

/// The tensors of a set, sorted by name, as safetensors requires of tensors of one type.
fn parts(set: &ImageSet) -> Result<Vec<Part<'_>>, String> {
    let (shape, depth) = (set.shape(), set.train.images.depth());
    let most = set.largest_label().unwrap_or(0);
    if set.lacks_class_names() {
        let classes = set.classes.len();
        return Err(format!("it has {classes} classes and the label {most}"));
    }
    let mut parts = Vec::new();
    for (split, [images_name, labels_name]) in [(&set.test, TEST), (&set.train, TRAIN)] {
        let images = &split.images;
        let count = images.count();
        if images.shape() != shape || images.depth() != depth {
            return Err("its train and test images differ in shape or depth".into());
        }
        if count == 0 {
            return Err("a split has no images".into());
        }
        parts.push(Part {
            name: images_name,
            dtype: "U8",
            bytes: Content::Images(images),
        });
        let Some(labels) = &split.labels else {
            continue;
        };
        if labels.len() != count {
            let labels = labels.len();
            return Err(format!("a split has {count} images but {labels} labels"));
        }
        let (dtype, bytes): (_, Vec<u8>) = if most < 256 {
            ("U8", labels.iter().map(|label| *label as u8).collect())
        } else {
            ("U32", labels.iter().flat_map(|l| l.to_le_bytes()).collect())
        };
        parts.push(Part {
            name: labels_name,
            dtype,
            bytes: Content::Labels(bytes),
        });
    }
    Ok(parts)
}

/// The file up to its tensors.
fn header(set: &ImageSet, provenance: &Provenance, parts: &[Part<'_>]) -> Result<Vec<u8>, String> {
    let [height, width, channels] = set.shape();
    let mut metadata = json!({
        "name": set.name,
        "shape": format!("{height},{width},{channels}"),
        "depth": match set.train.images.depth() {
            Depth::Bit => "bit",
            Depth::Byte => "byte",
            Depth::Float => "float",
        },
        "origin": provenance.origin,
        "licence": provenance.licence,
        "sources": json!(provenance.sources).to_string(),
    });
    if !set.classes.is_empty() {
        metadata["classes"] = json!(set.classes).to_string().into();
    }
    let about = parts.iter().map(|part| {
        let (shape, length) = match &part.bytes {
            Content::Images(images) => {
                let (count, size) = (images.count(), images.image_bytes());
                (vec![count, size], count * size)
            }
            Content::Labels(bytes) if part.dtype == "U8" => (vec![bytes.len()], bytes.len()),
            Content::Labels(bytes) => (vec![bytes.len() / 4], bytes.len()),
        };
        About {
            name: part.name,
            dtype: part.dtype,
            shape,
            length,
        }
    });
    let header = tensors::header(metadata, about, MAX_HEADER);
    header.ok_or_else(|| "its name, provenance and classes are too long".into())
}
