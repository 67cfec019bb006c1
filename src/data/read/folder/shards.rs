//! Shards of WebDataset: tape archives, compressed with gzip or not, of images and of the files that belong to
//! them.
//!
//! The key of a member is its path up to the first dot of the file name. `a/12.jpg` and `a/12.cls` share a
//! key, so the one is the label of the other: a number, or the name of a class. Shards of a folder come in
//! order, and images in the order of their archive. An archive is read twice, first for labels; a batch of
//! encoded images is in memory at a time.

use std::collections::HashMap;
use std::fs;
use std::io::{self, BufRead, Cursor, Read, Seek};
use std::path::{Path, PathBuf};

use image::ImageFormat;

use super::decode::{self, Encoded, Failed};
use super::stack::Stack;
use super::{is_debris, notes};
use crate::data::read::{labels, pixels, tape};
use crate::data::{DataError, Listener, Prepare, Progress, Split};

/// Most bytes of an encoded image.
const MOST_MEMBER: u64 = 256 << 20;
/// A batch ends at so many members, or bytes.
const BATCH: usize = 128;
const BATCH_BYTES: usize = 32 << 20;
/// Most bytes of a label.
const MOST_LABEL: u64 = 1 << 10;
const NO_IMAGES: &str =
    "there are no images in it; shards hold images and their labels, `12.jpg` and `12.cls`";

/// The ends of the names of shards in a folder.
const ENDINGS: [&str; 3] = [".tar", ".tar.gz", ".tgz"];

/// The number of the shard, and the path up to the first dot.
type Key = (usize, String);

/// An encoded image.
struct Member {
    key: Key,
    /// Its path below that of the archive.
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Encoded for Member {
    fn path(&self) -> &Path {
        &self.path
    }

    fn open(&self) -> io::Result<impl BufRead + Seek> {
        Ok(Cursor::new(self.bytes.as_slice()))
    }
}

/// A shard itself, or the shards of a folder that has shards, but neither images nor folders.
pub fn files(place: &Path) -> Vec<PathBuf> {
    if place.is_file() {
        return vec![place.into()];
    }
    let mut shards = Vec::new();
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        let path = entry.path();
        if is_debris(&entry.file_name()) {
            continue;
        }
        let name = entry.file_name().to_string_lossy().to_lowercase();
        let is_shard = ENDINGS.iter().any(|ending| name.ends_with(ending));
        if path.is_dir() || ImageFormat::from_path(&path).is_ok() {
            return Vec::new();
        }
        shards.extend(is_shard.then_some(path));
    }
    shards
}

/// Reads and prepares the images of a shard, or of a folder of shards, and the names of their classes.
pub fn read(
    place: &Path,
    prepare: &Prepare,
    listener: &mut Listener<'_>,
) -> Result<(Split, Vec<String>), DataError> {
    let mut shards = files(place);
    prepare.order.sort(&mut shards);
    let (mut texts, mut of) = (HashMap::new(), 0);
    for (number, shard) in shards.iter().enumerate() {
        tape::visit(shard, &mut |name, size, member| {
            match parts(name) {
                _ if is_hidden(name) => {}
                (key, "cls") => {
                    let Some(bytes) = content(size, MOST_LABEL, member)? else {
                        return Ok(Err(DataError::at(&shard.join(name))(format!(
                            "a label of {size} bytes; a label is a number or the name of a class, \
                             of at most {MOST_LABEL} bytes"
                        ))));
                    };
                    let text = String::from_utf8_lossy(&bytes).trim().to_owned();
                    texts.insert((number, key.to_owned()), text);
                }
                _ => of += 1,
            }
            Ok(Ok(()))
        })?;
    }
    let mut found = Found {
        place,
        stack: Stack::new(prepare),
        images: Vec::new(),
        others: Vec::new(),
        broken: Vec::new(),
        done: 0,
        of,
    };
    listener(Progress::Decode { done: 0, of });
    let (mut batch, mut held) = (Vec::new(), 0);
    for (number, shard) in shards.iter().enumerate() {
        tape::visit(shard, &mut |name, size, member| {
            let (key, extension) = parts(name);
            if extension == "cls" || is_hidden(name) {
                return Ok(Ok(()));
            }
            let path = shard.join(name);
            let Some(bytes) = content(size, MOST_MEMBER, member)? else {
                found.broken.push((path, "it is too large".into()));
                return Ok(Ok(()));
            };
            held += bytes.len();
            let key = (number, key.to_owned());
            batch.push(Member { key, path, bytes });
            if batch.len() < BATCH && held < BATCH_BYTES {
                return Ok(Ok(()));
            }
            held = 0;
            Ok(found.add(std::mem::take(&mut batch), prepare, listener))
        })?;
    }
    found.add(batch, prepare, listener)?;
    found.finish(texts, prepare, listener)
}

/// The images so far.
struct Found<'a> {
    place: &'a Path,
    stack: Stack<'a>,
    /// The key and the path of each image.
    images: Vec<(Key, PathBuf)>,
    others: Vec<PathBuf>,
    broken: Vec<(PathBuf, String)>,
    done: usize,
    of: usize,
}

impl Found<'_> {
    fn add(
        &mut self,
        batch: Vec<Member>,
        prepare: &Prepare,
        listener: &mut Listener<'_>,
    ) -> Result<(), DataError> {
        decode::all(&batch, prepare, &mut |i, outcome| {
            let Member { key, path, .. } = &batch[i];
            match outcome? {
                Ok(image) => {
                    self.stack.push(path, image)?;
                    self.images.push((key.clone(), path.clone()));
                }
                Err(Failed::NoImage) => self.others.push(path.clone()),
                Err(Failed::Broken(reason)) => self.broken.push((path.clone(), reason)),
            }
            self.done += 1;
            let (done, of) = (self.done, self.of);
            listener(Progress::Decode { done, of });
            Ok(())
        })
    }

    fn finish(
        self,
        texts: HashMap<Key, String>,
        prepare: &Prepare,
        listener: &mut Listener<'_>,
    ) -> Result<(Split, Vec<String>), DataError> {
        let place = self.place;
        if !self.broken.is_empty() && !prepare.skip_broken {
            return Err(DataError::Broken(place.into(), self.broken));
        }
        if self.images.is_empty() {
            return Err(DataError::at(place)(NO_IMAGES));
        }
        for note in notes(&self.others, &self.broken, &self.stack) {
            listener(Progress::Note(&note));
        }
        let unlabelled = self.images.iter().find(|(key, _)| !texts.contains_key(key));
        let (labels, classes) = match unlabelled {
            None => {
                let texts = self.images.iter().map(|(key, _)| texts[key].clone());
                let named = labels::numbered(texts.collect(), prepare.order);
                let (labels, classes) = named.map_err(DataError::at(place))?;
                (Some(labels), classes)
            }
            Some((_, path)) => {
                if !texts.is_empty() {
                    listener(Progress::Note(&format!(
                        "the images get no labels: {} has none",
                        path.display()
                    )));
                }
                (None, Vec::new())
            }
        };
        let name = |(_, path): &(Key, PathBuf)| {
            let below = path.strip_prefix(place).unwrap_or(path);
            below.to_string_lossy().into_owned()
        };
        let split = Split {
            names: Some(self.images.iter().map(name).collect()),
            ..pixels::split(self.stack.shape, self.stack.values.finish()?, labels)
        };
        Ok((split, classes))
    }
}

/// The bytes of a member, unless it is longer.
fn content(size: u64, most: u64, member: &mut dyn Read) -> io::Result<Option<Vec<u8>>> {
    if size > most {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    member.take(size).read_to_end(&mut bytes)?;
    match bytes.len() as u64 == size {
        true => Ok(Some(bytes)),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Whether a file of an archive is hidden, or one of a file manager.
fn is_hidden(name: &str) -> bool {
    Path::new(name).file_name().is_none_or(is_debris)
}

/// A path up to the first dot of its file name, and what follows the dot.
fn parts(name: &str) -> (&str, &str) {
    let base = name.rfind('/').map_or(0, |slash| slash + 1);
    match name[base..].find('.') {
        Some(dot) => (&name[..base + dot], &name[base + dot + 1..]),
        None => (name, ""),
    }
}
