//! The files of a tape archive, compressed with gzip or not.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use tar::{Archive, Entries};

use super::gzip;
use crate::data::DataError;
use crate::files::metered::{Budget, Metered};
use crate::files::regular;

/// Most bytes of the headers of a file, with a long name.
const MOST_HEADER: u64 = 1 << 20;

/// What happens to a file: an error of reading it, else one of the set.
pub type Outcome = io::Result<Result<(), DataError>>;

/// Receives the path of a file, its size and its bytes.
pub type Take<'t> = dyn FnMut(&str, u64, &mut dyn Read) -> Outcome + 't;

/// Shows the regular files of an archive. It keeps none of them in memory.
pub fn visit(path: &Path, take: &mut Take<'_>) -> Result<(), DataError> {
    let failed = DataError::io(path);
    let file = regular::open(path).map_err(&failed)?;
    let length = file.limit();
    let mut file = BufReader::new(file);
    let is_gzip = gzip::begins(file.fill_buf().map_err(&failed)?);
    let budget = Budget::default();
    budget.set(MOST_HEADER);
    let mut walk = Walk {
        path,
        budget: budget.clone(),
        length: None,
        last: None,
    };
    if !is_gzip {
        walk.length = Some(length);
        let mut archive = Archive::new(Metered::new(file, &budget));
        return walk.run(archive.entries_with_seek(), take);
    }
    let mut archive = Archive::new(Metered::new(MultiGzDecoder::new(file), &budget));
    walk.run(archive.entries(), take)?;
    // The end has a checksum.
    budget.set(u64::MAX);
    let rest = io::copy(&mut archive.into_inner(), &mut io::sink());
    rest.map(drop).map_err(|reason| walk.damaged(&reason))
}

/// The way through an archive.
struct Walk<'a> {
    path: &'a Path,
    budget: Budget,
    /// Bytes of the archive; unknown where it is compressed.
    length: Option<u64>,
    /// The file before.
    last: Option<String>,
}

impl Walk<'_> {
    fn run<R: Read>(
        &mut self,
        entries: io::Result<Entries<'_, R>>,
        take: &mut Take<'_>,
    ) -> Result<(), DataError> {
        let mut entries = entries.map_err(|reason| self.damaged(&reason))?;
        loop {
            // Names of any length would be kept.
            self.budget.set(MOST_HEADER);
            let Some(entry) = entries.next() else {
                return Ok(());
            };
            let mut entry = entry.map_err(|reason| match self.budget.left() {
                0 => self.damaged("a name of more than 1 MiB"),
                _ => self.damaged(&reason),
            })?;
            self.budget.set(u64::MAX);
            let path = entry.path().map_err(|reason| self.damaged(&reason))?;
            let (name, size) = (path.to_string_lossy().into_owned(), entry.size());
            let is_file = entry.header().entry_type().is_file();
            if is_file {
                if let Some(length) = self.length {
                    let follow = length.saturating_sub(entry.raw_file_position());
                    self.check(&name, size, follow)?;
                }
                let taken = take(&name, size, &mut entry);
                taken.map_err(|reason| self.damaged_in(&name, reason))??;
            }
            // Of a compressed archive, what is skipped is read: not as a header, and to its end.
            if self.length.is_none() {
                let skipped = io::copy(&mut entry, &mut io::sink());
                skipped.map_err(|reason| self.damaged_in(&name, reason))?;
                let read = u64::MAX - self.budget.left();
                self.check(&name, if is_file { size } else { 0 }, read)?;
            }
            self.last = Some(name);
        }
    }

    /// Refuses a file of which fewer bytes follow than its header says.
    fn check(&self, name: &str, size: u64, follow: u64) -> Result<(), DataError> {
        match follow < size {
            true => Err(self.damaged_in(
                name,
                format_args!("its header says {size} bytes, but {follow} follow"),
            )),
            false => Ok(()),
        }
    }

    fn damaged_in(&self, name: &str, reason: impl std::fmt::Display) -> DataError {
        self.error(&format!("in `{name}`"), &reason)
    }

    /// Damage between two files.
    fn damaged(&self, reason: impl std::fmt::Display) -> DataError {
        match &self.last {
            Some(last) => self.error(&format!("after `{last}`"), &reason),
            None => self.error("at its beginning", &reason),
        }
    }

    fn error(&self, place: &str, reason: &dyn std::fmt::Display) -> DataError {
        DataError::at(self.path)(format!(
            "the archive is damaged or incomplete {place} ({reason}); download or copy it again"
        ))
    }
}
