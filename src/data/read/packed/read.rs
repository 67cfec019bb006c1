//! Reading and checking a packed set file.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use safetensors::tensor::{Dtype, Metadata};

use super::{MAX_HEADER, Provenance, TEST, TRAIN};
use crate::data::read::gzip::Source;
use crate::data::{DataError, Depth, ImageSet, PackedImages, Split};

/// Reads the packed set file at `path`.
#[cfg(feature = "cli")]
pub fn read_file(path: &Path) -> Result<(ImageSet, Provenance), DataError> {
    read_source(Source::open(path)?)
}

/// Reads a packed set file from memory; errors name it `path`.
pub fn read(bytes: &[u8], path: &Path) -> Result<(ImageSet, Provenance), DataError> {
    read_source(Source::new(path, bytes)?)
}

fn read_source(mut source: Source<'_>) -> Result<(ImageSet, Provenance), DataError> {
    let path = source.path.clone();
    let not_packed = || DataError::NotPacked { path: path.clone() };
    if !source.is_gzip {
        return Err(not_packed());
    }
    let length = source.read_up_to(8)?;
    let length = <[u8; 8]>::try_from(length).map_err(|_| not_packed())?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER {
        return Err(not_packed());
    }
    let needed = 8 + length as usize;
    let header = source.read_up_to(length)?;
    if header.len() as u64 != length {
        let held = 8 + header.len();
        return Err(DataError::HeaderTruncated { path, held, needed });
    }
    // This also checks that the tensors are contiguous.
    let header: Metadata = serde_json::from_slice(&header).map_err(|reason| {
        let (path, reason) = (path.clone(), reason.to_string());
        DataError::InvalidHeader { path, reason }
    })?;
    // Checks the header before reading the content it announces.
    let reader = Reader {
        path: &path,
        header: &header,
    };
    let (about, shape, depth, provenance) = reader.metadata()?;
    if let Some(tensor) = (header.offset_keys().into_iter())
        .find(|name| !TRAIN.contains(&name.as_str()) && !TEST.contains(&name.as_str()))
    {
        return Err(reader.tensor_error(&tensor, "the format has no such tensor".into()));
    }
    let plans = [
        reader.plan(TRAIN, shape, depth)?,
        reader.plan(TEST, shape, depth)?,
    ];
    let total = header.data_len() as u128;
    let body = source.read_rest(needed, total, "tensors")?;
    let [train, test] = plans.map(|plan| reader.split(plan, shape, depth, &body));
    let set = ImageSet {
        classes: about.classes,
        ..ImageSet::new(&about.name, train?, test?)
    };
    let labels = [&set.train, &set.test].map(|part| part.labels.iter().flatten());
    let most = labels.into_iter().flatten().max();
    if let Some(most) =
        most.filter(|most| !set.classes.is_empty() && set.classes.len() <= **most as usize)
    {
        let reason = format!(
            "it names {} classes, and there is the label {most}",
            set.classes.len()
        );
        return Err(reader.metadata_error("classes", reason));
    }
    Ok((set, provenance))
}

/// The name of a set and of its classes.
struct Names {
    name: String,
    classes: Vec<String>,
}

/// A split in the header.
struct Plan {
    names: [&'static str; 2],
    count: usize,
}

/// Checks a header and splits the body.
struct Reader<'a> {
    path: &'a Path,
    header: &'a Metadata,
}

impl Reader<'_> {
    fn metadata(&self) -> Result<(Names, [usize; 3], Depth, Provenance), DataError> {
        let none = HashMap::new();
        let metadata = self.header.metadata().as_ref().unwrap_or(&none);
        let error = |key, reason: String| self.metadata_error(key, reason);
        let get = |key| {
            let value = metadata.get(key).cloned();
            value.ok_or_else(|| error(key, "it is missing".into()))
        };
        let text = get("shape")?;
        let shape = parse_shape(&text).ok_or_else(|| {
            let wanted = "it should be height, width and channels, such as 28,28,1";
            error("shape", format!("it is {text:?}; {wanted}"))
        })?;
        let depth = match get("depth")?.as_str() {
            "bit" => Depth::Bit,
            "byte" => Depth::Byte,
            other => {
                let reason = format!("it is {other:?}; it should be bit or byte");
                return Err(error("depth", reason));
            }
        };
        let sources = parse_sources(&get("sources")?).ok_or_else(|| {
            let wanted = "it should be a JSON object from file names to SHA-256 sums";
            error("sources", wanted.into())
        })?;
        let provenance = Provenance {
            origin: get("origin")?,
            licence: get("licence")?,
            sources,
        };
        // Optional; earlier versions do not write it.
        let classes = metadata
            .get("classes")
            .map_or(Some(Vec::new()), |text| parse_classes(text));
        let classes =
            classes.ok_or_else(|| error("classes", "it should be a JSON array of names".into()))?;
        let name = get("name")?;
        Ok((Names { name, classes }, shape, depth, provenance))
    }

    /// Checks the tensors of one split in the header.
    fn plan(
        &self,
        names: [&'static str; 2],
        shape: [usize; 3],
        depth: Depth,
    ) -> Result<Plan, DataError> {
        let [images, labels] = names;
        let Some(info) = self.header.info(images) else {
            return Err(DataError::MissingTensor {
                path: self.path.into(),
                tensor: images,
            });
        };
        let image_bytes = depth.image_bytes(shape.iter().product());
        let describe = |dtype: Dtype, shape: &[usize]| format!("{dtype:?} {shape:?}");
        let count = match (info.dtype, info.shape.as_slice()) {
            (Dtype::U8, &[count, bytes]) if count > 0 && bytes == image_bytes => count,
            (dtype, shape) => {
                let found = describe(dtype, shape);
                let reason = format!("it is {found}; it should be U8 [images, {image_bytes}]");
                return Err(self.tensor_error(images, reason));
            }
        };
        if let Some(info) = self.header.info(labels)
            && (!matches!(info.dtype, Dtype::U8 | Dtype::U32) || info.shape != [count])
        {
            let found = describe(info.dtype, &info.shape);
            let reason = format!("it is {found}; it should be U8 or U32 [{count}]");
            return Err(self.tensor_error(labels, reason));
        }
        Ok(Plan { names, count })
    }

    fn split(
        &self,
        plan: Plan,
        shape: [usize; 3],
        depth: Depth,
        body: &[u8],
    ) -> Result<Split, DataError> {
        let [images, labels] = plan.names;
        let cut = |name| {
            let info = self.header.info(name)?;
            let (start, end) = info.data_offsets;
            Some((body.get(start..end)?, info.dtype))
        };
        let bytes = cut(images).map_or(Vec::new(), |(bytes, _)| bytes.to_vec());
        let images = PackedImages::from_packed(shape, depth, plan.count, bytes)
            .map_err(|reason| self.tensor_error(images, reason))?;
        let labels = cut(labels).map(|(bytes, dtype)| match dtype {
            Dtype::U32 => (bytes.as_chunks().0.iter())
                .map(|label| u32::from_le_bytes(*label))
                .collect(),
            _ => bytes.iter().map(|label| u32::from(*label)).collect(),
        });
        Ok(Split { images, labels })
    }

    fn metadata_error(&self, key: &'static str, reason: String) -> DataError {
        DataError::InvalidMetadata {
            path: self.path.into(),
            key,
            reason,
        }
    }

    fn tensor_error(&self, tensor: &str, reason: String) -> DataError {
        DataError::InvalidTensor {
            path: self.path.into(),
            tensor: tensor.into(),
            reason,
        }
    }
}

/// Three positive numbers whose product does not overflow.
fn parse_shape(text: &str) -> Option<[usize; 3]> {
    let sides: Option<Vec<usize>> = text.split(',').map(|side| side.parse().ok()).collect();
    let shape = <[usize; 3]>::try_from(sides?).ok()?;
    let values = (shape.iter()).try_fold(1usize, |product, &side| product.checked_mul(side))?;
    (values > 0).then_some(shape)
}

fn parse_classes(text: &str) -> Option<Vec<String>> {
    serde_json::from_str(text).ok()
}

fn parse_sources(text: &str) -> Option<BTreeMap<String, String>> {
    let sources: BTreeMap<String, String> = serde_json::from_str(text).ok()?;
    let is_hash = |hash: &String| {
        let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        hash.len() == 64 && hash.bytes().all(digit)
    };
    sources.values().all(is_hash).then_some(sources)
}
