//! Bytes that stay in a file and are read by position, and files for bytes that do not fit into memory.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{cache, regular};

/// A range of a file. A clone shares the file.
#[derive(Clone, Debug)]
pub struct Extent {
    file: Arc<File>,
    path: PathBuf,
    start: u64,
    length: u64,
}

impl Extent {
    /// The bytes of a file from `start` on.
    ///
    /// # Errors
    ///
    /// Those of [`regular::open`].
    pub fn open(path: &Path, start: u64) -> io::Result<Extent> {
        let file = regular::open(path)?;
        Ok(Extent {
            length: file.limit().saturating_sub(start),
            file: Arc::new(file.into_inner()),
            path: path.to_owned(),
            start,
        })
    }

    /// A range of the range.
    #[must_use]
    pub fn part(&self, start: u64, length: u64) -> Extent {
        Extent {
            start: self.start + start,
            length: length.min(self.length.saturating_sub(start)),
            ..self.clone()
        }
    }

    /// The file, for messages.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Number of bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Fills `bytes` from this position of the range.
    ///
    /// # Errors
    ///
    /// The error of the operating system; [`io::ErrorKind::UnexpectedEof`] where the file has become
    /// shorter.
    pub fn read_at(&self, position: u64, bytes: &mut [u8]) -> io::Result<()> {
        exactly_at(&self.file, self.start + position, bytes)
    }
}

#[cfg(unix)]
fn exactly_at(file: &File, position: u64, bytes: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, position)
}

#[cfg(windows)]
fn exactly_at(file: &File, mut position: u64, mut bytes: &mut [u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, bytes, position)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                bytes = &mut bytes[read..];
                position += read as u64;
            }
        }
    }
    Ok(())
}

/// A file without a name, which the system removes when it is closed. It lies in the [cache](cache::folder),
/// or where that cannot be written in the folder for temporary files.
#[derive(Debug)]
pub struct Scratch {
    file: BufWriter<File>,
    folder: PathBuf,
    length: u64,
}

impl Scratch {
    /// An empty file.
    ///
    /// # Errors
    ///
    /// The error of the operating system.
    pub fn new() -> io::Result<Scratch> {
        let in_cache = cache::folder().and_then(|folder| {
            fs::create_dir_all(&folder).ok()?;
            let file = tempfile::tempfile_in(&folder).ok()?;
            Some((file, folder))
        });
        let (file, folder) = match in_cache {
            Some(found) => found,
            None => (tempfile::tempfile()?, std::env::temp_dir()),
        };
        Ok(Scratch {
            file: BufWriter::new(file),
            folder,
            length: 0,
        })
    }

    /// The folder of the file, for messages.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Adds bytes at the end.
    ///
    /// # Errors
    ///
    /// The error of the operating system, such as that there is no space left.
    pub fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// The written bytes.
    ///
    /// # Errors
    ///
    /// Those of [`Scratch::push`].
    pub fn finish(self) -> io::Result<Extent> {
        let file = self.file.into_inner().map_err(|e| e.into_error())?;
        Ok(Extent {
            file: Arc::new(file),
            path: self.folder,
            start: 0,
            length: self.length,
        })
    }
}
