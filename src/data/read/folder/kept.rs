//! Decoded folders, kept in the cache.
//!
//! A file is a safetensors file of the decoded images. Its metadata have the key: a sum over the options
//! and over name, size and time of each file of the folder. Where any of them has changed, the folder is
//! decoded again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use safetensors::tensor::Metadata;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::data::Prepare;
use crate::data::set::{Bytes, Collector};
use crate::files::extent::Extent;
use crate::files::hash::hex;
use crate::files::tensors::{self, About};
use crate::files::{atomic, cache};

/// Folders of fewer bytes are decoded quickly enough.
const LEAST: u64 = 4 << 20;
/// Most bytes of all kept folders; the oldest go.
const MOST: u64 = 8 << 30;
/// Longest header.
const MOST_HEADER: u64 = 1 << 20;

/// The decoded images of a folder.
pub struct Found {
    pub shape: [usize; 3],
    pub bytes: Bytes,
    /// Which files of the folder are among them.
    pub taken: Vec<bool>,
    /// What is worth saying.
    pub notes: Vec<String>,
}

/// The place of a decoded folder in the cache.
pub struct Kept {
    path: PathBuf,
    key: String,
    files: usize,
}

impl Kept {
    /// The place of a folder of these files; `None` where it is small or there is no cache.
    pub fn of(folder: &Path, prepare: &Prepare, files: &[PathBuf]) -> Option<Kept> {
        let folder = fs::canonicalize(folder).ok()?;
        let Prepare {
            size,
            fit,
            background,
            skip_broken,
            channels,
            ..
        } = prepare;
        let options = json!([1, size, fit, background, skip_broken, channels]).to_string();
        let mut place = Sha256::new_with_prefix(folder.as_os_str().as_encoded_bytes());
        place.update(options);
        let (mut key, mut total) = (place.clone(), 0);
        for file in files {
            let about = fs::metadata(file).ok()?;
            let time = about.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
            let name = file.as_os_str().as_encoded_bytes();
            let text = format!("{} {} {time:?}", name.len(), about.len());
            key.update(text);
            key.update(name);
            total += about.len();
        }
        if total < LEAST {
            return None;
        }
        let name = format!("{}.safetensors", &hex(place)[..24]);
        Some(Kept {
            path: cache::folder()?.join("folders").join(name),
            key: hex(key),
            files: files.len(),
        })
    }

    /// The images, if they were kept and nothing has changed since.
    pub fn read(&self) -> Option<Found> {
        let file = Extent::open(&self.path, 0).ok()?;
        let mut length = [0; 8];
        file.read_at(0, &mut length).ok()?;
        let length = Some(u64::from_le_bytes(length)).filter(|n| *n <= MOST_HEADER)?;
        let mut header = vec![0; length as usize];
        file.read_at(8, &mut header).ok()?;
        let header: Metadata = serde_json::from_slice(&header).ok()?;
        let texts = header.metadata().as_ref()?;
        if *texts.get("key")? != self.key {
            return None;
        }
        let shape: [usize; 3] = serde_json::from_str(texts.get("shape")?).ok()?;
        let notes = serde_json::from_str(texts.get("notes")?).ok()?;
        let part = |name: &str| {
            let (start, end) = header.info(name)?.data_offsets;
            let (at, long) = (8 + length + start as u64, (end - start) as u64);
            let part = file.part(at, long);
            (part.length() == long).then_some(part)
        };
        let taken = Bytes::File(part("taken")?).to_vec().ok()?;
        let taken: Vec<bool> = taken.into_iter().map(|taken| taken == 1).collect();
        let (images, count) = (part("images")?, taken.iter().filter(|t| **t).count());
        let size = shape
            .iter()
            .try_fold(count, |n, side| n.checked_mul(*side))?;
        if taken.len() != self.files || images.length() != size as u64 {
            return None;
        }
        let bytes = match size <= Collector::MOST {
            true => Bytes::File(images).to_vec().ok()?.into(),
            false => Bytes::File(images),
        };
        Some(Found {
            shape,
            bytes,
            taken,
            notes,
        })
    }

    /// Keeps the images.
    pub fn write(&self, found: &Found) -> io::Result<()> {
        let length = found.bytes.length();
        let about = [("images", length as usize), ("taken", found.taken.len())];
        let about = about.map(|(name, length)| About {
            name,
            dtype: "U8",
            shape: vec![length],
            length,
        });
        let text = |value: serde_json::Value| value.to_string();
        let metadata = json!({
            "key": self.key,
            "shape": text(json!(found.shape)),
            "notes": text(json!(found.notes)),
        });
        let header = tensors::header(metadata, about, MOST_HEADER);
        let header = header.ok_or_else(|| io::Error::other("its notes are too long"))?;
        let folder = self.path.parent().unwrap_or(Path::new(""));
        fs::create_dir_all(folder)?;
        let taken: Vec<u8> = found.taken.iter().map(|taken| u8::from(*taken)).collect();
        atomic::write_with(&self.path, |file| {
            file.write_all(&header)?;
            let mut piece = vec![0; 1 << 20];
            for start in (0..length).step_by(piece.len()) {
                let size = (length - start).min(piece.len() as u64) as usize;
                let read = found.bytes.read_at(start, &mut piece[..size]);
                read.map_err(io::Error::other)?;
                file.write_all(&piece[..size])?;
            }
            file.write_all(&taken)
        })?;
        make_room(folder, &self.path)
    }
}

/// Removes the oldest files but for `own` until the rest is small enough.
fn make_room(folder: &Path, own: &Path) -> io::Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let about = entry.metadata()?;
        files.push((about.modified()?, about.len(), entry.path()));
    }
    files.sort();
    let mut total: u64 = files.iter().map(|(_, size, _)| size).sum();
    for (_, size, path) in files.iter().filter(|(_, _, path)| path != own) {
        if total <= MOST {
            break;
        }
        fs::remove_file(path)?;
        total -= size;
    }
    Ok(())
}
