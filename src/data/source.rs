//! Finds the kind of a source and reads it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::known::{self, Known, Place, Places};
use super::prepare::TEST_FRACTION;
use super::read::folder::Parts;
use super::read::packed::Provenance;
use super::read::pixels::{Pixels, check_channels};
use super::read::{array, cifar, folder, idx, packed};
use super::{Binarize, DataError, Depth, ImageSet, Listener, Prepare, mnist};
use crate::files::{npy, regular};

/// A source whose kind is known.
pub(super) struct Source {
    /// Name of the set.
    name: String,
    known: Option<&'static Known>,
    kind: Kind,
}

enum Kind {
    BuiltIn,
    Idx(PathBuf),
    Cifar(PathBuf),
    Folder(PathBuf),
    Array(PathBuf),
    Packed(PathBuf),
}

impl Source {
    /// Finds the set with this name, or the set at this path.
    pub(super) fn find(
        source: &str,
        places: &Places,
        listener: &mut Listener<'_>,
    ) -> Result<Source, DataError> {
        if let Some(known) = known::by_name(source) {
            let kind = match known.fetch(places, listener)? {
                Place::BuiltIn => Kind::BuiltIn,
                Place::Found(path) | Place::Missing { folder: path, .. } => Kind::at(&path)?,
            };
            return Ok(Source {
                name: source.into(),
                known: Some(known),
                kind,
            });
        }
        let path = Path::new(source);
        let kind = Kind::at(path)?;
        let name = match kind {
            // `waves.npy` holds the set `waves`.
            Kind::Array(_) | Kind::Cifar(_) if path.is_file() => stem(path),
            // `.` and `/` have no last component.
            _ => path
                .file_name()
                .unwrap_or(path.as_os_str())
                .to_string_lossy()
                .into_owned(),
        };
        Ok(Source {
            name,
            known: None,
            kind,
        })
    }

    /// Reads and prepares the set; it is not binarized.
    pub(super) fn read(
        &self,
        prepare: &Prepare,
        listener: &mut Listener<'_>,
    ) -> Result<ImageSet, DataError> {
        let whole = |[train, test]: [Pixels; 2]| {
            if prepare.test_fraction.is_some() {
                return Err(DataError::HasTestImages {
                    name: self.name.clone(),
                });
            }
            Ok([train, test].map(|part| part.prepared(prepare).pack(Binarize::None)))
        };
        let part = |all: Pixels, path: &Path| {
            let fraction = prepare.test_fraction.unwrap_or(TEST_FRACTION);
            let parts = all.cut(fraction).ok_or_else(|| DataError::TooFew {
                path: path.into(),
                fraction,
            })?;
            Ok(parts.map(|part| part.prepared(prepare).pack(Binarize::None)))
        };
        let mut classes = Vec::new();
        let [train, test] = match &self.kind {
            Kind::BuiltIn => return self.stored(mnist::load()?, prepare),
            Kind::Packed(path) => {
                let (set, _) = packed::read_file(path)?;
                check_channels(path, set.shape())?;
                return self.stored(set, prepare);
            }
            Kind::Idx(path) => whole(idx::IdxFolder::read(path)?.into_pixels()),
            Kind::Cifar(path) => whole(cifar::read(path)?),
            Kind::Folder(path) => {
                let found = folder::read(path, prepare, listener)?;
                classes = found.classes;
                match found.parts {
                    Parts::Two(parts) => whole(parts),
                    Parts::One(all) => part(all, path),
                }
            }
            Kind::Array(path) => part(array::read(path)?, path),
        }?;
        Ok(self.named(ImageSet {
            classes,
            black_and_white: matches!(self.kind, Kind::Idx(_)),
            ..ImageSet::new(&self.name, train, test)
        }))
    }

    /// Adds the known names of its classes to a set without any.
    fn named(&self, mut set: ImageSet) -> ImageSet {
        let names = match (self.known, &self.kind) {
            (Some(known), _) => known.classes,
            (None, Kind::Cifar(_)) => &cifar::CLASSES,
            _ => &[],
        };
        let labels = [&set.train, &set.test].map(|part| part.labels.iter().flatten());
        let most = labels.into_iter().flatten().max();
        // A user's own files in place of a known set may have other classes.
        if set.classes.is_empty() && most.is_some_and(|most| (*most as usize) < names.len()) {
            set.classes = names.iter().map(|name| (*name).to_owned()).collect();
        }
        set
    }

    /// Prepares a packed set.
    fn stored(&self, mut set: ImageSet, prepare: &Prepare) -> Result<ImageSet, DataError> {
        if prepare.test_fraction.is_some() {
            return Err(DataError::HasTestImages { name: set.name });
        }
        set.black_and_white = set.train.images.depth() == Depth::Bit;
        let [height, width, channels] = set.shape();
        let size = prepare.size.map_or([height, width], |n| [n, n]);
        let wanted = [size[0], size[1], prepare.channels.unwrap_or(channels)];
        for part in [&mut set.train, &mut set.test] {
            if part.images.shape() != wanted {
                let pixels = Pixels::unpack(part.clone());
                *part = pixels.prepared(prepare).pack(Binarize::None);
            }
        }
        Ok(self.named(set))
    }

    /// The provenance of the set.
    pub(super) fn provenance(
        &self,
        binarize: Binarize,
        prepare: &Prepare,
    ) -> Result<Provenance, DataError> {
        let mut sources = BTreeMap::new();
        let origin = match &self.kind {
            Kind::BuiltIn => return Ok(changed(mnist::load_with_provenance()?, binarize, prepare)),
            Kind::Packed(path) => return Ok(changed(packed::read_file(path)?, binarize, prepare)),
            Kind::Idx(path) => {
                for file in idx::IdxFolder::read(path)?.files() {
                    sources.extend(file.hashes()?);
                }
                if mnist::is_made_of(&sources) {
                    mnist::ORIGIN
                } else {
                    "a folder of IDX files"
                }
            }
            Kind::Cifar(path) => {
                sources = hashes(cifar::files(path))?;
                "CIFAR-10's binary files"
            }
            Kind::Folder(_) => "a folder of images",
            Kind::Array(path) => {
                sources = hashes(vec![path.clone()])?;
                "an array of images"
            }
        };
        let origin = self.known.map_or(origin, |known| known.origin);
        let licence = self.known.map(|known| known.licence);
        let is_mnist = origin == mnist::ORIGIN;
        let licence = licence.or(is_mnist.then_some(mnist::LICENCE));
        Ok(Provenance {
            origin: format!("{origin}{}", changes(binarize, prepare)),
            licence: licence.unwrap_or("not stated").into(),
            sources,
        })
    }
}

impl Kind {
    /// The kind of source at a path, by its content.
    fn at(path: &Path) -> Result<Kind, DataError> {
        let failed = DataError::io(path);
        let about = fs::metadata(path).map_err(|reason| match reason.kind() {
            ErrorKind::NotFound => DataError::SourceMissing { path: path.into() },
            _ => failed(reason),
        })?;
        let owned = || path.to_owned();
        if about.is_dir() {
            if idx::is_in(path) {
                return Ok(Kind::Idx(owned()));
            }
            return Ok(cifar::find(path).map_or_else(|| Kind::Folder(owned()), Kind::Cifar));
        }
        let mut start = Vec::new();
        let file = regular::open(path).map_err(&failed)?;
        let read = file.take(npy::MAGIC.len() as u64).read_to_end(&mut start);
        read.map_err(failed)?;
        if start == npy::MAGIC {
            return Ok(Kind::Array(owned()));
        }
        if cifar::is_archive(path)? {
            return Ok(Kind::Cifar(owned()));
        }
        Ok(Kind::Packed(owned()))
    }
}

/// The provenance of a packed set that is prepared again.
fn changed(
    (set, mut provenance): (ImageSet, Provenance),
    binarize: Binarize,
    prepare: &Prepare,
) -> Provenance {
    // Bits are not binarized again, unless resizing made grey levels of them.
    let is_same = set.train.images.depth() == Depth::Bit && *prepare == Prepare::default();
    let binarize = if is_same { Binarize::None } else { binarize };
    provenance.origin += &changes(binarize, prepare);
    provenance
}

/// Describes the changes to the images.
fn changes(binarize: Binarize, prepare: &Prepare) -> String {
    let mut changes = String::new();
    if let Some(size) = prepare.size {
        changes += &format!("; resized to {size}×{size}");
    }
    match prepare.channels {
        Some(1) => changes += "; made grey",
        Some(_) => changes += "; in three channels",
        None => {}
    }
    if binarize == Binarize::Threshold {
        changes += "; binarized: 1 where the byte is 128 or more, else 0";
    }
    changes
}

/// The name of a file up to its first dot.
fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.split('.')
        .find(|part| !part.is_empty())
        .unwrap_or("images")
        .to_owned()
}

/// The SHA-256 of each file by name.
fn hashes(files: Vec<PathBuf>) -> Result<BTreeMap<String, String>, DataError> {
    let hash = |path: PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Ok((name.into_owned(), idx::hash_file(&path)?))
    };
    files.into_iter().map(hash).collect()
}
