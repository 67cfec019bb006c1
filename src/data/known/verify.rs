//! Checks downloaded files against their published SHA-256: on request, and before use where size
//! or time differ from those of the last check.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use super::{Known, Places, Remote};
use crate::data::DataError;
use crate::data::read::{cifar, idx};
use crate::files::atomic;

/// The file of stamps, in the folder of the set.
const STAMPS: &str = ".verified.json";
/// Most bytes of the file of stamps.
const MOST_BYTES: u64 = 1 << 16;

/// Size and time of a file when it had the published content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    bytes: u64,
    /// Seconds and nanoseconds since 1970.
    modified: (u64, u32),
    sha256: String,
}

type Stamps = BTreeMap<String, Stamp>;

/// The result of checking a file of a known set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum State {
    /// The published file.
    Published,
    /// Another file.
    Changed,
    /// An unpacked file; only packed files have a published SHA-256.
    Unpacked,
}

/// A file of a known set in the cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Where it is.
    pub path: PathBuf,
    /// What it is.
    pub state: State,
}

impl Known {
    /// Checks every file of the set in the cache. The list is empty where the set is not there.
    ///
    /// # Errors
    ///
    /// [`DataError::Io`] where a file cannot be read.
    pub fn verify(&self, places: &Places) -> Result<Vec<Checked>, DataError> {
        let Some(folder) = self.cached(places) else {
            return Ok(Vec::new());
        };
        let mut stamps = Stamps::new();
        let mut all = Vec::new();
        for (path, remote) in self.present(&folder) {
            let state = match remote {
                None => State::Unpacked,
                Some(remote) => match check(&path, remote)? {
                    None => State::Changed,
                    Some(stamp) => {
                        stamps.insert(remote.name.into(), stamp);
                        State::Published
                    }
                },
            };
            all.push(Checked { path, state });
        }
        if !all.is_empty() {
            keep(&folder, &stamps);
        }
        Ok(all)
    }

    /// Checks the files of the set in the cache that were touched since the last check.
    ///
    /// # Errors
    ///
    /// [`DataError::Changed`] for the first file that differs from the published one.
    pub fn verify_touched(&self, places: &Places) -> Result<(), DataError> {
        let Some(folder) = self.cached(places) else {
            return Ok(());
        };
        let known = recall(&folder);
        let mut stamps = known.clone();
        for (path, remote) in self.present(&folder) {
            let Some(remote) = remote else { continue };
            let before = known.get(remote.name);
            if before.is_some_and(|b| {
                b.sha256 == remote.sha256 && Some(b) == stamp(&path, remote).as_ref()
            }) {
                continue;
            }
            let Some(now) = check(&path, remote)? else {
                return Err(DataError::Changed {
                    name: self.name,
                    path,
                    folder,
                });
            };
            stamps.insert(remote.name.into(), now);
        }
        if stamps != known {
            keep(&folder, &stamps);
        }
        Ok(())
    }

    fn cached(&self, places: &Places) -> Option<PathBuf> {
        places.cache.as_ref().map(|cache| cache.join(self.name))
    }

    /// The files in a folder that loading reads, each with its published version; `None` for an
    /// unpacked file.
    fn present(&self, folder: &Path) -> Vec<(PathBuf, Option<&'static Remote>)> {
        let of = |file: &'static Remote| {
            let path = folder.join(file.name);
            if self.is_cifar() {
                let found = cifar::find(folder)?;
                let remote = (found == path).then_some(file);
                return Some((found, remote));
            }
            let plain = folder.join(file.name.strip_suffix(".gz").unwrap_or(file.name));
            if plain != path && plain.is_file() {
                return Some((plain, None));
            }
            path.is_file().then_some((path, Some(file)))
        };
        self.files.iter().filter_map(of).collect()
    }
}

/// The stamp of a file, if it has the published content.
fn check(path: &Path, remote: &Remote) -> Result<Option<Stamp>, DataError> {
    // Taken first, so that a change during the check leads to another check.
    let stamp = stamp(path, remote);
    let same = idx::hash_file(path)? == remote.sha256;
    Ok(stamp.filter(|_| same))
}

/// The stamp of a file; `None` if it has another size or no time.
fn stamp(path: &Path, remote: &Remote) -> Option<Stamp> {
    let about = fs::metadata(path).ok()?;
    let since = about.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    let stamp = Stamp {
        bytes: about.len(),
        modified: (since.as_secs(), since.subsec_nanos()),
        sha256: remote.sha256.into(),
    };
    (stamp.bytes == remote.bytes).then_some(stamp)
}

/// The stamps of the last check; none where they cannot be read.
fn recall(folder: &Path) -> Stamps {
    let file = File::open(folder.join(STAMPS)).ok();
    let stamps = file.and_then(|file| serde_json::from_reader(file.take(MOST_BYTES)).ok());
    stamps.unwrap_or_default()
}

/// Stores the stamps. A cache that cannot be written is checked each time.
fn keep(folder: &Path, stamps: &Stamps) {
    let _ = atomic::write_with(&folder.join(STAMPS), |file| {
        Ok(serde_json::to_writer_pretty(file, stamps)?)
    });
}
