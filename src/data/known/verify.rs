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
use crate::files::{atomic, hash};

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
    /// [`DataError::Unusable`] where a file cannot be read.
    pub fn verify(&self, places: &Places) -> Result<Vec<Checked>, DataError> {
        self.check(places, |_, _| false)
    }

    /// Checks the files of the set in the cache that were touched since the last check.
    ///
    /// # Errors
    ///
    /// [`DataError::Changed`] for the first file that differs from the published one.
    pub fn verify_touched(&self, places: &Places) -> Result<(), DataError> {
        let files = self.check(places, |before, now| before.is_some() && before == now)?;
        match files.into_iter().find(|file| file.state == State::Changed) {
            Some(file) => Err(DataError::Changed(file.path, self.name)),
            None => Ok(()),
        }
    }

    /// Checks the files in the cache, except those that `trusts` accepts by the last stamp and the
    /// present one, and stores the stamps of those that are as published.
    fn check(
        &self,
        places: &Places,
        trusts: impl Fn(Option<&Stamp>, Option<&Stamp>) -> bool,
    ) -> Result<Vec<Checked>, DataError> {
        let Some(cache) = &places.cache else {
            return Ok(Vec::new());
        };
        let folder = cache.join(self.name);
        let (before, mut stamps, mut files) = (recall(&folder), Stamps::new(), Vec::new());
        for remote in self.files {
            let Some(path) = remote.find(&folder) else {
                continue;
            };
            // Taken first, so that a change during the check leads to another check.
            let now = stamp(&path, remote);
            let state = if path != folder.join(remote.name) {
                State::Unpacked
            } else if trusts(before.get(remote.name), now.as_ref())
                || hash::of_file(&path).map_err(DataError::io(&path))? == remote.sha256
            {
                State::Published
            } else {
                State::Changed
            };
            if state == State::Published {
                stamps.extend(now.map(|now| (remote.name.to_owned(), now)));
            }
            files.push(Checked { path, state });
        }
        if stamps != before {
            // A cache that cannot be written is checked each time.
            let _ = atomic::write_with(&folder.join(STAMPS), |file| {
                Ok(serde_json::to_writer_pretty(file, &stamps)?)
            });
        }
        Ok(files)
    }
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
