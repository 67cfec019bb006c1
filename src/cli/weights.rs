//! Finds the newest weights in a run folder, for `--model`.

use std::path::{Path, PathBuf};

use cvae_gpu::files::tensors::TensorFile;
use cvae_gpu::run::{CHECKPOINT, MODEL};
use cvae_gpu::saved::checkpoint;

/// A file with weights.
pub struct Weights {
    pub path: PathBuf,
    /// The chosen file and the reason, if a folder was given.
    pub note: Option<String>,
}

impl Weights {
    /// The file `given`, or the file with the newest weights in a run folder.
    ///
    /// A run writes its model last, with the weights of its last checkpoint. If the two differ, the run
    /// was resumed since, and the checkpoint is newer, whatever the times of the files.
    pub fn find(given: &Path) -> Weights {
        let [model, last] = [MODEL, CHECKPOINT].map(|name| given.join(name));
        let (path, why) = match (model.exists(), last.exists()) {
            (false, false) => {
                let (path, note) = (given.to_owned(), None);
                return Weights { path, note };
            }
            (true, false) => (model, String::new()),
            (false, true) => {
                let step = TensorFile::read(&last).ok().and_then(|file| at(&file));
                (last, parenthesis(step.as_deref(), None))
            }
            (true, true) => match (TensorFile::read(&model), TensorFile::read(&last)) {
                (Ok(old), Ok(new)) if checkpoint::has_weights_of(&new, &old) => {
                    (model, parenthesis(at(&new).as_deref(), None))
                }
                (Ok(_), Ok(new)) => {
                    let newer = Some("newer than model.safetensors");
                    (last, parenthesis(at(&new).as_deref(), newer))
                }
                (Ok(_), Err(e)) => (model, format!("; the checkpoint is ignored: {e}")),
                (Err(e), Ok(_)) => (last, format!("; the model is ignored: {e}")),
                // Opening the model reports the error.
                (Err(_), Err(_)) => (model, String::new()),
            },
        };
        let note = Some(format!("Weights: {}{why}", path.display()));
        Weights { path, note }
    }
}

/// The step of a checkpoint, in words.
fn at(file: &TensorFile) -> Option<String> {
    checkpoint::step_of(file).map(|step| format!("step {step}"))
}

fn parenthesis(step: Option<&str>, newer: Option<&str>) -> String {
    let parts: Vec<&str> = step.into_iter().chain(newer).collect();
    match parts[..] {
        [] => String::new(),
        _ => format!(" ({})", parts.join(", ")),
    }
}
