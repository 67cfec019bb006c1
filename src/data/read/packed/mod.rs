//! The packed set file: a whole set in one small file.
//!
//! It is a safetensors file, compressed with gzip, of the tensors `train/images` and
//! `test/images` (`U8`, images by bytes an image, packed as [`crate::data::PackedImages`] says)
//! and, where the set has labels, `train/labels` and `test/labels` (one an image, `U8`, or `U32`
//! where a label of the set is above 255).
//! Its metadata are `name`, `shape` (such as `28,28,1`), `depth` (`bit` or `byte`), the
//! free texts `origin` and `licence`, `sources`, a JSON object from the name of each
//! file that the set was made of to its SHA-256, and, where classes have names, `classes`, a JSON
//! array of these.
//!
//! One set has one file: the order of everything is fixed and no time is stored. (The
//! compressed bytes could change with a new version of the compressor, the content not.)

mod read;

pub use read::{read, read_file};

use std::collections::BTreeMap;
use std::io::{self, Write};

use flate2::{Compression, GzBuilder};
use serde_json::Value;

use crate::data::{DataError, Depth, ImageSet};

/// More than any header of the format needs, and little enough to read on trust.
const MAX_HEADER: u64 = 1 << 20;

/// The two splits' tensors, images and labels.
const TRAIN: [&str; 2] = ["train/images", "train/labels"];
const TEST: [&str; 2] = ["test/images", "test/labels"];

/// Where a set comes from and under what terms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Provenance {
    /// Who made the set, and what was done to it since.
    pub origin: String,
    /// The licence it may be used under.
    pub licence: String,
    /// The SHA-256, in lower-case hexadecimal, of each file it was made of, by name.
    pub sources: BTreeMap<String, String>,
}

/// The bytes of the packed set file of `set`: the same for the same set and provenance.
pub fn write(set: &ImageSet, provenance: &Provenance) -> Result<Vec<u8>, DataError> {
    let plain = safetensors_bytes(set, provenance)?;
    let compress = || -> io::Result<Vec<u8>> {
        let builder = GzBuilder::new().mtime(0).operating_system(255);
        let mut encoder = builder.write(Vec::new(), Compression::new(9));
        encoder.write_all(&plain)?;
        encoder.finish()
    };
    compress().map_err(|reason| unpackable(set, reason.to_string()))
}

/// The file before compression. The header is written here and not by the safetensors
/// crate, which leaves the order of the metadata to chance.
fn safetensors_bytes(set: &ImageSet, provenance: &Provenance) -> Result<Vec<u8>, DataError> {
    let (shape, depth) = (set.shape(), set.train.images.depth());
    let mut header = String::new();
    let mut body: Vec<u8> = Vec::new();
    let parts = [&set.test, &set.train];
    let labels = || parts.iter().filter_map(|part| part.labels.as_ref());
    let most = labels().flatten().copied().max().unwrap_or(0);
    if !set.classes.is_empty() && set.classes.len() <= most as usize {
        let reason = format!("it has {} classes and the label {most}", set.classes.len());
        return Err(unpackable(set, reason));
    }
    // The order that safetensors asks for: by name, where all are of one type.
    for (split, [images_name, labels_name]) in [(&set.test, TEST), (&set.train, TRAIN)] {
        let images = &split.images;
        let count = images.count();
        if images.shape() != shape || images.depth() != depth {
            let reason = "its train and test images differ in shape or depth";
            return Err(unpackable(set, reason.into()));
        }
        if count == 0 {
            return Err(unpackable(set, "a split has no images".into()));
        }
        let size = format!("{count},{}", images.image_bytes());
        let mut add = |name, dtype, size: &str, bytes: &[u8]| {
            let start = body.len();
            body.extend(bytes);
            header.push_str(&format!(
                ",\"{name}\":{{\"dtype\":\"{dtype}\",\"shape\":[{size}],\"data_offsets\":[{start},{}]}}",
                body.len()
            ));
        };
        add(images_name, "U8", &size, images.bytes());
        if let Some(labels) = &split.labels {
            if labels.len() != count {
                let reason = format!("a split has {count} images but {} labels", labels.len());
                return Err(unpackable(set, reason));
            }
            let size = count.to_string();
            if most < 256 {
                let bytes: Vec<u8> = labels.iter().map(|label| *label as u8).collect();
                add(labels_name, "U8", &size, &bytes);
            } else {
                let bytes: Vec<u8> = labels.iter().flat_map(|l| l.to_le_bytes()).collect();
                add(labels_name, "U32", &size, &bytes);
            }
        }
    }
    let text = |text: &str| Value::from(text).to_string();
    let sources: Vec<String> = (provenance.sources.iter())
        .map(|(name, hash)| format!("{}:{}", text(name), text(hash)))
        .collect();
    let classes = match set.classes.as_slice() {
        [] => String::new(),
        names => {
            let names = text(&Value::from(names).to_string());
            format!(",\"classes\":{names}")
        }
    };
    let [height, width, channels] = shape;
    let depth = match depth {
        Depth::Bit => "bit",
        Depth::Byte => "byte",
    };
    let mut header = format!(
        "{{\"__metadata__\":{{\"name\":{},\"shape\":\"{height},{width},{channels}\",\
         \"depth\":\"{depth}\",\"origin\":{},\"licence\":{},\"sources\":{}{classes}}}{header}}}",
        text(&set.name),
        text(&provenance.origin),
        text(&provenance.licence),
        text(&format!("{{{}}}", sources.join(","))),
    );
    while header.len() % 8 != 0 {
        header.push(' ');
    }
    if header.len() as u64 > MAX_HEADER {
        return Err(unpackable(
            set,
            "its name, provenance and classes are too long".into(),
        ));
    }
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(body);
    Ok(bytes)
}

fn unpackable(set: &ImageSet, reason: String) -> DataError {
    let name = set.name.clone();
    DataError::Unpackable { name, reason }
}

#[cfg(test)]
mod tests;
