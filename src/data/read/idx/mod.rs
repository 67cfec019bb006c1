//! The four IDX files of MNIST and similar sets.
//!
//! A folder is searched for `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`,
//! `t10k-images-idx3-ubyte` and `t10k-labels-idx1-ubyte`, each also with a dot before
//! `idx` (an older spelling) and with `.gz` at the end. The content decides whether a file is gzip.
//! Labels are optional.

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::gzip::Source;
use super::pixels::Pixels;
use crate::data::{Binarize, DataError, ImageSet};
use crate::files::hash::hex;
use crate::files::regular;

/// The content of an IDX file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Images,
    Labels,
}

impl Kind {
    /// The first four bytes: unsigned bytes (08) in 3 dimensions, or in 1.
    fn magic(self) -> u32 {
        match self {
            Kind::Images => 0x0000_0803,
            Kind::Labels => 0x0000_0801,
        }
    }

    /// The magic and one 32-bit length per dimension.
    fn header_bytes(self) -> usize {
        match self {
            Kind::Images => 16,
            Kind::Labels => 8,
        }
    }

    fn files(self) -> &'static str {
        match self {
            Kind::Images => "image files",
            Kind::Labels => "label files",
        }
    }

    /// The file names to search for, the usual one first.
    fn names(self, split: &str) -> [String; 4] {
        let (stem, end) = match self {
            Kind::Images => (format!("{split}-images"), "idx3-ubyte"),
            Kind::Labels => (format!("{split}-labels"), "idx1-ubyte"),
        };
        [
            format!("{stem}-{end}"),
            format!("{stem}-{end}.gz"),
            format!("{stem}.{end}"),
            format!("{stem}.{end}.gz"),
        ]
    }
}

/// One IDX file: read whole, decompressed, and checked against its header.
#[derive(Debug)]
pub(crate) struct IdxFile {
    path: PathBuf,
    is_gzip: bool,
    header: Vec<u8>,
    body: Vec<u8>,
}

impl IdxFile {
    fn open(path: &Path, kind: Kind) -> Result<IdxFile, DataError> {
        IdxFile::read(Source::open(path)?, kind)
    }

    fn read(mut source: Source<'_>, kind: Kind) -> Result<IdxFile, DataError> {
        let needed = kind.header_bytes();
        let header = source.read_up_to(needed as u64)?;
        let path = source.path.clone();
        // A file of the wrong kind is reported as such even where it is truncated.
        if let Some(found) = big_endian(&header, 0).filter(|&found| found != kind.magic()) {
            return Err(DataError::WrongMagic {
                path,
                found,
                wanted: kind.magic(),
                kind: kind.files(),
            });
        }
        if header.len() < needed {
            let held = header.len();
            return Err(DataError::HeaderTruncated { path, held, needed });
        }
        // The header is whole, so every length is there.
        let length = |at| big_endian(&header, at).unwrap_or(0);
        let count = u128::from(length(4));
        let (announced, total) = match kind {
            Kind::Labels => (format!("{count} labels"), count),
            Kind::Images => {
                let (rows, columns) = (length(8), length(12));
                // Three 32-bit factors always fit.
                let total = count * u128::from(rows) * u128::from(columns);
                (format!("{count} images of {rows}x{columns}"), total)
            }
        };
        if kind == Kind::Images && total == 0 {
            return Err(DataError::Empty { path, announced });
        }
        let body = source.read_rest(needed, total, &announced)?;
        Ok(IdxFile {
            path,
            is_gzip: source.is_gzip,
            header,
            body,
        })
    }

    /// Rows and columns of each image.
    fn size(&self) -> [usize; 2] {
        // The size divides the number of bytes read, so it fits.
        [8, 12].map(|at| big_endian(&self.header, at).unwrap_or(0) as usize)
    }

    fn image_count(&self) -> usize {
        let [rows, columns] = self.size();
        self.body.len() / (rows * columns)
    }

    /// The SHA-256 of the content by the name without `.gz`, and for gzip that of the file by the
    /// name with `.gz`.
    pub(crate) fn hashes(&self) -> Result<Vec<(String, String)>, DataError> {
        let found = self.path.file_name().unwrap_or_default();
        let found = found.to_string_lossy().into_owned();
        let plain = found.strip_suffix(".gz").unwrap_or(&found).to_owned();
        let content = hex(Sha256::new()
            .chain_update(&self.header)
            .chain_update(&self.body));
        if !self.is_gzip {
            return Ok(vec![(plain, content)]);
        }
        Ok(vec![
            (format!("{plain}.gz"), hash_file(&self.path)?),
            (plain, content),
        ])
    }
}

/// The four files of a folder, read whole and consistent with each other.
#[derive(Debug)]
pub struct IdxFolder {
    train: (IdxFile, Option<IdxFile>),
    test: (IdxFile, Option<IdxFile>),
}

impl IdxFolder {
    /// Reads and checks the files of `folder`.
    pub fn read(folder: &Path) -> Result<IdxFolder, DataError> {
        match fs::metadata(folder) {
            Ok(about) if about.is_dir() => {}
            Ok(_) => {
                return Err(DataError::NotAFolder {
                    path: folder.into(),
                });
            }
            Err(reason) if reason.kind() == ErrorKind::NotFound => {
                return Err(DataError::SourceMissing {
                    path: folder.into(),
                });
            }
            Err(reason) => return Err(DataError::io(folder)(reason)),
        }
        let train = read_split(folder, "train", "train")?;
        let test = read_split(folder, "t10k", "test")?;
        let sizes = [&train, &test].map(|(images, _)| images.size());
        if sizes[0] != sizes[1] {
            let [train_size, test_size] = sizes.map(|[rows, columns]| format!("{rows}x{columns}"));
            return Err(DataError::SizeMismatch {
                train_path: train.0.path,
                train: train_size,
                test_path: test.0.path,
                test: test_size,
            });
        }
        Ok(IdxFolder { train, test })
    }

    /// The files in the folder.
    pub(crate) fn files(&self) -> impl Iterator<Item = &IdxFile> {
        [&self.train, &self.test]
            .into_iter()
            .flat_map(|(images, labels)| std::iter::once(images).chain(labels))
    }

    /// The training and the test images.
    pub(crate) fn into_pixels(self) -> [Pixels; 2] {
        [self.train, self.test].map(|(images, labels)| {
            let [rows, columns] = images.size();
            Pixels {
                shape: [rows, columns, 1],
                values: images.body,
                labels: labels.map(|file| file.body.into_iter().map(u32::from).collect()),
            }
        })
    }

    /// Packs the images.
    pub fn into_set(self, name: String, binarize: Binarize) -> ImageSet {
        let [train, test] = self.into_pixels().map(|part| part.pack(binarize));
        ImageSet {
            black_and_white: true,
            ..ImageSet::new(&name, train, test)
        }
    }
}

/// True if any of the four files is in `folder`.
pub(crate) fn is_in(folder: &Path) -> bool {
    let names = [Kind::Images, Kind::Labels].map(|kind| ["train", "t10k"].map(|s| kind.names(s)));
    let mut names = names.iter().flatten().flatten();
    names.any(|name| folder.join(name).is_file())
}

fn read_split(
    folder: &Path,
    split: &str,
    called: &str,
) -> Result<(IdxFile, Option<IdxFile>), DataError> {
    let Some(path) = find(folder, split, Kind::Images)? else {
        return Err(DataError::FileMissing {
            folder: folder.into(),
            what: format!("{called} images"),
            looked_for: Kind::Images.names(split).join(", "),
        });
    };
    let images = IdxFile::open(&path, Kind::Images)?;
    let labels = match find(folder, split, Kind::Labels)? {
        Some(path) => Some(IdxFile::open(&path, Kind::Labels)?),
        None => None,
    };
    if let Some(labels) = &labels
        && labels.body.len() != images.image_count()
    {
        return Err(DataError::CountMismatch {
            images: images.image_count(),
            images_path: images.path,
            labels: labels.body.len(),
            labels_path: labels.path.clone(),
        });
    }
    Ok((images, labels))
}

/// The first of the names that exists.
fn find(folder: &Path, split: &str, kind: Kind) -> Result<Option<PathBuf>, DataError> {
    for name in kind.names(split) {
        let path = folder.join(name);
        match fs::metadata(&path) {
            // Some archives unpack each file into a folder with its name.
            Ok(about) if about.is_dir() => {}
            Ok(_) => return Ok(Some(path)),
            Err(reason) if reason.kind() == ErrorKind::NotFound => {}
            Err(reason) => return Err(DataError::Io { path, reason }),
        }
    }
    Ok(None)
}

/// The big-endian 32-bit number at `at`, if all its bytes are there.
fn big_endian(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_be_bytes(*four))
}

/// The SHA-256 of a file on disk.
pub(crate) fn hash_file(path: &Path) -> Result<String, DataError> {
    let error = DataError::io(path);
    let mut file = regular::open(path).map_err(&error)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hex(hasher)),
            Ok(n) => hasher.update(&buffer[..n]),
            Err(reason) if reason.kind() == ErrorKind::Interrupted => {}
            Err(reason) => return Err(error(reason)),
        }
    }
}

#[cfg(test)]
mod tests;
