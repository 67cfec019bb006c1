//! Finds the format of a source and reads it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::known::{self, Known, Place, Places};
use super::read::folder::shards;
use super::read::packed::Provenance;
use super::read::pixels::{self, Parts};
use super::read::{array, cifar, folder, idx, labels, npz, packed};
use super::{Binarize, DataError, Depth, Fit, ImageSet, Listener, Prepare, Progress, mnist};
use crate::files::{hash, npy, regular};

/// A source whose format is known.
pub(super) struct Source {
    /// Name of the set.
    name: String,
    known: Option<&'static Known>,
    /// The folder or file; empty for the built-in set.
    path: PathBuf,
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    BuiltIn,
    Idx,
    Cifar,
    Folder,
    Shards,
    Array,
    Arrays,
    Packed,
}

impl Source {
    /// Finds the set with this name, or the set at this path.
    pub(super) fn find(
        source: &str,
        places: &Places,
        listener: &mut Listener<'_>,
    ) -> Result<Source, DataError> {
        let known = known::by_name(source);
        let place = known.map(|known| known.fetch(places, listener));
        let (format, path) = match place.transpose()? {
            None => Format::at(Path::new(source))?,
            Some(Place::BuiltIn) => (Format::BuiltIn, PathBuf::new()),
            Some(Place::Found(path) | Place::Missing { folder: path, .. }) => Format::at(&path)?,
        };
        let given = Path::new(source);
        let name = match given.file_name() {
            Some(name) if known.is_none() => name.to_string_lossy(),
            // `.` and `/` have no last component.
            _ => source.into(),
        };
        let mut parts = name.split('.').filter(|part| !part.is_empty());
        let name = match format {
            // `waves.npy` holds the set `waves`.
            Format::Array | Format::Arrays | Format::Cifar | Format::Shards if given.is_file() => {
                parts.next().unwrap_or("images")
            }
            _ => &name,
        };
        Ok(Source {
            name: name.to_owned(),
            known,
            path,
            format,
        })
    }

    /// Reads and prepares the set, and reports options without an effect; it is not binarized.
    pub(super) fn read(
        &self,
        prepare: &Prepare,
        listener: &mut Listener<'_>,
    ) -> Result<ImageSet, DataError> {
        let set = self.prepared(prepare, listener)?;
        for (option, source) in self.format.unused(prepare, set.train.images.depth()) {
            listener(Progress::Unused { option, source });
        }
        Ok(set)
    }

    fn prepared(
        &self,
        prepare: &Prepare,
        listener: &mut Listener<'_>,
    ) -> Result<ImageSet, DataError> {
        let path = &self.path;
        let mut classes = Vec::new();
        let parts = match self.format {
            Format::BuiltIn | Format::Packed => return self.stored(prepare),
            Format::Idx => Parts::Two(idx::read(path)?),
            Format::Cifar => Parts::Two(cifar::read(path)?),
            Format::Arrays => npz::read(path, prepare, listener)?,
            Format::Array => Parts::One(array::read(path, prepare, listener)?),
            Format::Shards => {
                let (all, found) = shards::read(path, prepare, listener)?;
                classes = found;
                Parts::One(all)
            }
            Format::Folder => {
                let (parts, found) = folder::read(path, prepare, listener)?;
                classes = found;
                parts
            }
        };
        let parts = match (parts, &prepare.labels) {
            (parts, None) => parts,
            (Parts::One(mut all), Some(path)) => {
                if all.labels.is_some() {
                    let (path, source) = (path.display(), self.format.name());
                    listener(Progress::Note(&format!(
                        "{path}: these labels replace those of {source}"
                    )));
                }
                classes = labels::attach(&mut all, path, prepare.order)?;
                Parts::One(all)
            }
            (Parts::Two(_), Some(path)) => {
                return Err(DataError::at(path)(
                    "a set with test images of its own takes no file of labels: it is not clear whose \
                     labels come first",
                ));
            }
        };
        let parts = match parts {
            Parts::Two(_) if prepare.test_fraction.is_some() => {
                return Err(DataError::HasTestImages(self.name.clone()));
            }
            Parts::Two(parts) => parts,
            Parts::One(all) => pixels::cut(all, prepare.test_fraction, path, listener)?,
        };
        let [train, test] = parts.map(|part| pixels::prepared(part, prepare));
        let (train, test) = (train?, test?);
        Ok(self.named(ImageSet {
            classes,
            black_and_white: self.format == Format::Idx,
            ..ImageSet::new(&self.name, train, test)
        }))
    }

    /// Reads and prepares a set that was packed, or is built in.
    fn stored(&self, prepare: &Prepare) -> Result<ImageSet, DataError> {
        let (mut set, _) = self.unpack()?;
        let [_, _, channels] = set.shape();
        if ![1, 3].contains(&channels) {
            return Err(DataError::at(&self.path)(format!(
                "the images have {channels} channels; give images of 1 (grey) or 3 (colour)"
            )));
        }
        if prepare.test_fraction.is_some() {
            return Err(DataError::HasTestImages(set.name));
        }
        if let Some(path) = &prepare.labels {
            return Err(DataError::at(path)(
                "a packed or built-in set takes no file of labels: give it to `cvae-gpu data pack` with the \
                 images",
            ));
        }
        set.black_and_white = set.train.images.depth() == Depth::Bit;
        set.train = pixels::prepared(set.train, prepare)?;
        set.test = pixels::prepared(set.test, prepare)?;
        Ok(self.named(set))
    }

    fn unpack(&self) -> Result<(ImageSet, Provenance), DataError> {
        match self.format {
            Format::BuiltIn => mnist::load_with_provenance(),
            _ => packed::read_file(&self.path),
        }
    }

    /// Adds the known names of its classes to a set without any.
    fn named(&self, mut set: ImageSet) -> ImageSet {
        let names = match (self.known, self.format) {
            (Some(known), _) => known.classes,
            (None, Format::Cifar) => cifar::CLASSES,
            _ => "",
        };
        let names: Vec<String> = names.split_terminator(", ").map(str::to_owned).collect();
        // A user's own files in place of a known set may have other classes.
        let fits = |label| (label as usize) < names.len();
        if set.classes.is_empty() && set.largest_label().is_some_and(fits) {
            set.classes = names;
        }
        set
    }

    /// The provenance of the set.
    pub(super) fn provenance(
        &self,
        binarize: Binarize,
        prepare: &Prepare,
    ) -> Result<Provenance, DataError> {
        let path = &self.path;
        let hash = |path: PathBuf| {
            let hash = hash::of_file(&path).map_err(DataError::io(&path))?;
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            Ok((name.into_owned(), hash))
        };
        let (origin, sources): (_, BTreeMap<_, _>) = match self.format {
            Format::BuiltIn | Format::Packed => {
                let (set, mut provenance) = self.unpack()?;
                // Bits are not binarized again, unless resizing made grey levels of them.
                let is_same =
                    set.train.images.depth() == Depth::Bit && *prepare == Prepare::default();
                let binarize = if is_same { Binarize::None } else { binarize };
                provenance.origin += &changes(binarize, prepare);
                return Ok(provenance);
            }
            Format::Folder => ("a folder of images", BTreeMap::new()),
            Format::Shards => {
                let files = shards::files(path).into_iter();
                (
                    "shards of images",
                    files.map(hash).collect::<Result<_, _>>()?,
                )
            }
            Format::Array | Format::Arrays => {
                ("an array of images", BTreeMap::from([hash(path.clone())?]))
            }
            Format::Cifar => {
                let files = cifar::files(path).into_iter();
                (
                    "CIFAR-10's binary files",
                    files.map(hash).collect::<Result<_, _>>()?,
                )
            }
            Format::Idx => ("a folder of IDX files", idx::hashes(path)?),
        };
        let (origin, licence) = match self.known {
            Some(known) => (known.origin, known.licence),
            None if mnist::is_made_of(&sources) => (mnist::ORIGIN, mnist::LICENCE),
            None => (origin, "not stated"),
        };
        Ok(Provenance {
            origin: format!("{origin}{}", changes(binarize, prepare)),
            licence: licence.into(),
            sources,
        })
    }
}

impl Format {
    /// The format of a source by its content, and the folder or file to read.
    fn at(path: &Path) -> Result<(Format, PathBuf), DataError> {
        let failed = DataError::io(path);
        let about = fs::metadata(path).map_err(|reason| match reason.kind() {
            ErrorKind::NotFound => DataError::SourceMissing(path.into()),
            _ => failed(reason),
        })?;
        if about.is_dir() {
            let cifar = cifar::find(path).map(|found| (Format::Cifar, found));
            return Ok(match cifar {
                _ if idx::is_in(path) => (Format::Idx, path.into()),
                Some(cifar) => cifar,
                None if !shards::files(path).is_empty() => (Format::Shards, path.into()),
                None => (Format::Folder, path.into()),
            });
        }
        let mut start = Vec::new();
        let file = regular::open(path).map_err(&failed)?;
        let read = file.take(npy::MAGIC.len() as u64).read_to_end(&mut start);
        read.map_err(failed)?;
        let format = if start == npy::MAGIC {
            Format::Array
        } else if start.starts_with(npz::MAGIC) {
            Format::Arrays
        } else if cifar::is_archive(path)? {
            match cifar::is_own(path) {
                true => Format::Cifar,
                false => Format::Shards,
            }
        } else {
            Format::Packed
        };
        Ok((format, path.into()))
    }
}

impl Format {
    /// The kind of source in messages.
    fn name(self) -> &'static str {
        match self {
            Format::BuiltIn => "the built-in set",
            Format::Idx => "IDX files",
            Format::Cifar => "CIFAR-10's files",
            Format::Folder => "a folder of images",
            Format::Shards => "shards",
            Format::Array => "a .npy file",
            Format::Arrays => "a .npz file",
            Format::Packed => "a packed set",
        }
    }

    /// The options that change nothing of such a source, and what it is; `depth` is that of the images.
    fn unused(self, prepare: &Prepare, depth: Depth) -> Vec<(&'static str, &'static str)> {
        let is_decoded = matches!(self, Format::Folder | Format::Shards);
        let is_array = matches!(self, Format::Array | Format::Arrays);
        let is_padded = prepare.size.is_some() && prepare.fit == Fit::Pad;
        // Padding of real values adds zeros.
        let is_real = is_padded && depth == Depth::Float;
        let kind = self.name();
        let options = [
            (
                "fit",
                kind,
                prepare.fit != Fit::Stretch && prepare.size.is_none(),
            ),
            (
                "background",
                if is_real {
                    "images of real values"
                } else {
                    kind
                },
                prepare.background.is_some() && !is_decoded && (is_real || !is_padded),
            ),
            ("skip-broken", kind, prepare.skip_broken && !is_decoded),
            (
                "array",
                kind,
                prepare.array.is_some() && self != Format::Arrays,
            ),
            (
                "image-size",
                kind,
                prepare.image_size.is_some() && !is_array,
            ),
        ];
        let unused = options.into_iter().filter(|(.., is_unused)| *is_unused);
        unused.map(|(option, source, _)| (option, source)).collect()
    }
}

/// Describes the changes to the images.
fn changes(binarize: Binarize, prepare: &Prepare) -> String {
    let mut changes = String::new();
    if let Some(size) = prepare.size {
        let [height, width] = size.sides();
        changes += &format!("; resized to {height}×{width}");
        match prepare.fit {
            Fit::Stretch => {}
            Fit::Crop => changes += ", cropped to its aspect ratio",
            Fit::Pad => changes += ", padded to its aspect ratio",
        }
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
