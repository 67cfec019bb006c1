//! Finds the newest weights in a run folder, for `--model`.

use std::path::{Path, PathBuf};

use anyhow::bail;
use cvae_gpu::files::tensors::TensorFile;
use cvae_gpu::run::{CHECKPOINT, MODEL};
use cvae_gpu::saved::{Stored, checkpoint};

use super::common::Common;

/// A file with weights.
pub struct Weights {
    pub path: PathBuf,
    /// The chosen file and the reason, if a folder was given.
    pub note: Option<String>,
    /// The other file of the folder is damaged, so that the note is a warning.
    pub is_doubtful: bool,
}

impl Weights {
    /// Reads the file.
    pub fn read(&self) -> anyhow::Result<Stored> {
        let path = &self.path;
        if path.is_dir() {
            bail!(
                "{} holds no weights, neither {MODEL} nor {CHECKPOINT}: give a run folder or a file",
                path.display()
            );
        }
        Ok(Stored::read(path)?)
    }

    /// Prints the note.
    pub fn say(&self, common: &Common) {
        match &self.note {
            Some(note) if self.is_doubtful => common.warn(note),
            Some(note) => common.say(note),
            None => {}
        }
    }

    /// The file `given`, or the file with the newest weights in a run folder.
    ///
    /// A run writes its model last, with the weights of its last checkpoint. If the two differ, the run
    /// was resumed since, and the checkpoint is newer, whatever the times of the files.
    pub fn find(given: &Path) -> Weights {
        let [model, last] = [MODEL, CHECKPOINT].map(|name| given.join(name));
        let read = |path: &Path| path.exists().then(|| TensorFile::read(path));
        let both = (read(&model), read(&last));
        let is_doubtful = matches!(
            both,
            (Some(Ok(_)), Some(Err(_))) | (Some(Err(_)), Some(Ok(_)))
        );
        let (path, why) = match both {
            (None, None) => {
                return Weights {
                    path: given.to_owned(),
                    note: None,
                    is_doubtful: false,
                };
            }
            (Some(Ok(old)), Some(Ok(new))) if checkpoint::has_weights_of(&new, &old) => {
                (model, parenthesis(&new, &[]))
            }
            (Some(Ok(_)), Some(Ok(new))) => {
                (last, parenthesis(&new, &["newer than model.safetensors"]))
            }
            (Some(Ok(_)), Some(Err(e))) => (model, format!("; the checkpoint is ignored: {e}")),
            (Some(Err(e)), Some(Ok(_))) => (last, format!("; the model is ignored: {e}")),
            (None, Some(Ok(new))) => (last, parenthesis(&new, &[])),
            // Opening the file reports the error, if any.
            (None, Some(Err(_))) => (last, String::new()),
            (Some(_), _) => (model, String::new()),
        };
        let note = Some(format!("Weights: {}{why}", path.display()));
        Weights {
            path,
            note,
            is_doubtful,
        }
    }
}

/// The step of a checkpoint and `more`, in parentheses.
fn parenthesis(file: &TensorFile, more: &[&str]) -> String {
    let step = checkpoint::step_of(file).map(|step| format!("step {step}"));
    let parts: Vec<&str> = step
        .as_deref()
        .into_iter()
        .chain(more.iter().copied())
        .collect();
    if parts.is_empty() {
        return String::new();
    }
    format!(" ({})", parts.join(", "))
}
