//! Reading and checking a packed set file.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::{Dtype, Metadata, TensorInfo};

use super::{MAX_HEADER, Provenance, TEST, TRAIN};
use crate::data::read::gzip::{Content, short_header};
use crate::data::set::Bytes;
use crate::data::{DataError, Depth, ImageSet, PackedImages, Split};
use crate::files::tensors::numbers;

/// Reads the packed set file at `path`.
#[cfg(feature = "cli")]
pub fn read_file(path: &Path) -> Result<(ImageSet, Provenance), DataError> {
    read_content(Content::open(path), path)
}

/// Reads a packed set file from memory; errors name it `path`.
pub fn read(bytes: &[u8], path: &Path) -> Result<(ImageSet, Provenance), DataError> {
    read_content(Content::new(bytes), path)
}

fn read_content(
    content: Result<Content<'_>, String>,
    path: &Path,
) -> Result<(ImageSet, Provenance), DataError> {
    let unusable = DataError::at(path);
    let unknown = || DataError::UnknownFormat(path.into());
    let invalid = |reason| DataError::InvalidPacked(path.into(), reason);
    let mut content = content.map_err(&unusable)?;
    if !content.is_gzip {
        return Err(unknown());
    }
    let length = content.read_up_to(8).map_err(&unusable)?;
    let length = <[u8; 8]>::try_from(length).map_err(|_| unknown())?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER {
        return Err(unknown());
    }
    let needed = 8 + length as usize;
    let header = content.read_up_to(length).map_err(&unusable)?;
    let held = 8 + header.len();
    if held < needed {
        return Err(unusable(short_header(held, needed)));
    }
    // This also checks that the tensors are contiguous.
    let header: Metadata = serde_json::from_slice(&header)
        .map_err(|e| invalid(format!("header of the packed set is invalid ({e})")))?;
    let about = About::new(&header).map_err(invalid)?;
    let total = header.data_len() as u128;
    let body = content
        .read_rest(needed, total, "tensors")
        .map_err(unusable)?;
    let split = |names| about.split(names, &header, &body).map_err(invalid);
    let set = ImageSet {
        classes: about.classes.clone(),
        ..ImageSet::new(&about.name, split(TRAIN)?, split(TEST)?)
    };
    if set.lacks_class_names() {
        let (names, most) = (set.classes.len(), set.largest_label().unwrap_or(0));
        let reason = format!("it names {names} classes, and there is the label {most}");
        return Err(invalid(invalid_metadata("classes", &reason)));
    }
    Ok((set, about.provenance))
}

/// What the metadata say about a set.
struct About {
    name: String,
    classes: Vec<String>,
    shape: [usize; 3],
    depth: Depth,
    provenance: Provenance,
}

impl About {
    /// Checks the header, but for the types and shapes of the tensors.
    fn new(header: &Metadata) -> Result<About, String> {
        let text = |key| {
            let text = header.metadata().as_ref().and_then(|texts| texts.get(key));
            text.ok_or_else(|| invalid_metadata(key, "it is missing"))
        };
        let shape = text("shape")?;
        let shape = parse_shape(shape).ok_or_else(|| {
            let wanted = "it should be height, width and channels, such as 28,28,1";
            invalid_metadata("shape", &format!("it is {shape:?}; {wanted}"))
        })?;
        let depth = match text("depth")?.as_str() {
            "bit" => Depth::Bit,
            "byte" => Depth::Byte,
            "float" => Depth::Float,
            other => {
                let reason = format!("it is {other:?}; it should be bit, byte or float");
                return Err(invalid_metadata("depth", &reason));
            }
        };
        let sources = parse_sources(text("sources")?).ok_or_else(|| {
            let wanted = "it should be a JSON object from file names to SHA-256 sums";
            invalid_metadata("sources", wanted)
        })?;
        // Optional; earlier versions do not write it.
        let classes = text("classes").map_or("[]", String::as_str);
        let about = About {
            shape,
            depth,
            provenance: Provenance {
                origin: text("origin")?.clone(),
                licence: text("licence")?.clone(),
                sources,
            },
            classes: serde_json::from_str(classes)
                .map_err(|_| invalid_metadata("classes", "it should be a JSON array of names"))?,
            name: text("name")?.clone(),
        };
        let is_known = |name: &str| TRAIN.contains(&name) || TEST.contains(&name);
        match header.offset_keys().iter().find(|name| !is_known(name)) {
            Some(name) => Err(invalid_tensor(name, "the format has no such tensor")),
            None => Ok(about),
        }
    }

    /// The split whose images and labels have these names.
    fn split(
        &self,
        [images, labels]: [&str; 2],
        header: &Metadata,
        body: &Bytes,
    ) -> Result<Split, String> {
        let found = |info: &TensorInfo| format!("it is {:?} {:?}", info.dtype, info.shape);
        // The header was checked: the body has the bytes of all tensors.
        let bytes = |info: &TensorInfo| {
            let (start, end) = info.data_offsets;
            body.part(start as u64, (end - start) as u64)
        };
        let values = |info: &TensorInfo| bytes(info).to_vec().map_err(|e| e.to_string());
        let info = header.info(images);
        let info = info.ok_or_else(|| format!("packed set has no tensor `{images}`"))?;
        let image_bytes = self.depth.image_bytes(self.shape.iter().product());
        let count = match info.shape[..] {
            [count, bytes] if count > 0 && bytes == image_bytes && info.dtype == Dtype::U8 => count,
            _ => {
                let reason = found(info) + &format!("; it should be U8 [images, {image_bytes}]");
                return Err(invalid_tensor(images, &reason));
            }
        };
        let images = PackedImages::from_packed(self.shape, self.depth, bytes(info))
            .map_err(|reason| invalid_tensor(images, &reason))?;
        let labels = match header.info(labels) {
            None => None,
            Some(info) if info.shape == [count] && info.dtype == Dtype::U8 => {
                Some(values(info)?.into_iter().map(u32::from).collect())
            }
            Some(info) if info.shape == [count] && info.dtype == Dtype::U32 => {
                Some(numbers(&values(info)?, u32::from_le_bytes))
            }
            Some(info) => {
                let reason = found(info) + &format!("; it should be U8 or U32 [{count}]");
                return Err(invalid_tensor(labels, &reason));
            }
        };
        Ok(Split {
            images,
            labels,
            names: None,
        })
    }
}

fn invalid_metadata(key: &str, reason: &str) -> String {
    format!("packed set's metadata `{key}` is invalid ({reason})")
}

fn invalid_tensor(name: &str, reason: &str) -> String {
    format!("packed set's tensor `{name}` is invalid ({reason})")
}

/// Three positive numbers whose product does not overflow.
fn parse_shape(text: &str) -> Option<[usize; 3]> {
    let sides: Option<Vec<usize>> = text.split(',').map(|side| side.parse().ok()).collect();
    let shape = <[usize; 3]>::try_from(sides?).ok()?;
    let values = (shape.iter()).try_fold(1usize, |product, &side| product.checked_mul(side))?;
    (values > 0).then_some(shape)
}

fn parse_sources(text: &str) -> Option<BTreeMap<String, String>> {
    let sources: BTreeMap<String, String> = serde_json::from_str(text).ok()?;
    let is_hash = |hash: &String| {
        let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        hash.len() == 64 && hash.bytes().all(digit)
    };
    sources.values().all(is_hash).then_some(sources)
}
