//! The packed set file: a whole set in one small file.
//!
//! It is a safetensors file, compressed with gzip. Its tensors are `train/images` and `test/images`
//! (`U8`, images × bytes per image, packed like [`crate::data::PackedImages`]) and optional
//! `train/labels` and `test/labels` (one per image; `U8`, or `U32` where a label is above 255).
//!
//! Its metadata are `name`, `shape` (such as `28,28,1`), `depth` (`bit` or `byte`), the texts
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
use std::io::Write;

use flate2::{Compression, GzBuilder};
use serde_json::json;

use crate::data::{DataError, Depth, ImageSet};
use crate::files::tensors::{self, Encoded};

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
pub fn write(set: &ImageSet, provenance: &Provenance) -> Result<Vec<u8>, DataError> {
    let packed = safetensors_bytes(set, provenance).and_then(|plain| {
        let builder = GzBuilder::new().mtime(0).operating_system(255);
        let mut encoder = builder.write(Vec::new(), Compression::new(9));
        let written = encoder.write_all(&plain).and_then(|()| encoder.finish());
        written.map_err(|e| e.to_string())
    });
    packed.map_err(|reason| DataError::Unpackable(set.name.clone(), reason))
}

/// The file before compression.
fn safetensors_bytes(set: &ImageSet, provenance: &Provenance) -> Result<Vec<u8>, String> {
    let (shape, depth) = (set.shape(), set.train.images.depth());
    let most = set.largest_label().unwrap_or(0);
    if set.lacks_class_names() {
        let classes = set.classes.len();
        return Err(format!("it has {classes} classes and the label {most}"));
    }
    let mut tensors = Vec::new();
    // Sorted by name, as safetensors requires of tensors of one type.
    for (split, [images_name, labels_name]) in [(&set.test, TEST), (&set.train, TRAIN)] {
        let images = &split.images;
        let count = images.count();
        if images.shape() != shape || images.depth() != depth {
            return Err("its train and test images differ in shape or depth".into());
        }
        if count == 0 {
            return Err("a split has no images".into());
        }
        tensors.push(Encoded {
            name: images_name,
            dtype: "U8",
            shape: vec![count, images.image_bytes()],
            bytes: images.bytes().into(),
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
        tensors.push(Encoded {
            name: labels_name,
            dtype,
            shape: vec![count],
            bytes: bytes.into(),
        });
    }
    let [height, width, channels] = shape;
    let mut metadata = json!({
        "name": set.name,
        "shape": format!("{height},{width},{channels}"),
        "depth": match depth {
            Depth::Bit => "bit",
            Depth::Byte => "byte",
        },
        "origin": provenance.origin,
        "licence": provenance.licence,
        "sources": json!(provenance.sources).to_string(),
    });
    if !set.classes.is_empty() {
        metadata["classes"] = json!(set.classes).to_string().into();
    }
    let bytes = tensors::encode(metadata, &tensors, MAX_HEADER);
    bytes.ok_or_else(|| "its name, provenance and classes are too long".into())
}
