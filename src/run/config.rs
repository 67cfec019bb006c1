//! The run's `config.json` as a file, and where its images are.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::data::known;
use crate::files::regular;
use crate::run::ReportError;
use crate::saved::config::MAX_BYTES;
pub use crate::saved::config::RunConfig;

impl RunConfig {
    /// Reads `config.json`.
    pub fn read(path: &Path) -> Result<Self, ReportError> {
        let read = || {
            let mut bytes = Vec::new();
            let limited = &mut regular::open(path)?.take(MAX_BYTES + 1);
            limited.read_to_end(&mut bytes).map(|_| bytes)
        };
        let bytes = read().map_err(|e| ReportError::Unreadable(path.into(), e))?;
        Self::from_bytes(&bytes).map_err(|e| ReportError::Config(path.into(), e))
    }

    /// Stores the path of the data `source` relative to the run folder.
    pub fn locate(&mut self, source: &str, folder: &Path) {
        self.data_path = match (Path::new(source).canonicalize(), folder.canonicalize()) {
            (Ok(data), Ok(folder)) if known::by_name(source).is_none() => {
                Some(from(&folder, &data))
            }
            _ => None,
        };
    }

    /// The places to search for the data, the likeliest first.
    pub fn sources(&self, folder: &Path) -> Vec<String> {
        let near = self.data_path.as_ref().map(|path| folder.join(path));
        let near = near.map(|path| path.to_string_lossy().into_owned());
        near.into_iter().chain([self.data.clone()]).collect()
    }
}

/// The relative path from a folder to `target`; both are absolute.
fn from(folder: &Path, target: &Path) -> PathBuf {
    let shared = (folder.components().zip(target.components()))
        .take_while(|(a, b)| a == b)
        .count();
    if shared == 0 {
        // On another drive.
        return target.to_owned();
    }
    let up = folder.components().skip(shared).map(|_| "..".as_ref());
    let down = target.components().skip(shared).map(|c| c.as_os_str());
    up.chain(down).collect()
}
