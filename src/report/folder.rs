//! The run folder: configuration, metrics, pictures, model and checkpoint.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use image::RgbImage;
use serde::Serialize;

use crate::checkpoint::{self, ModelConfig};
use crate::event::Event;
use crate::render::{self, GridStyle, RenderError};
use crate::tensor_file::{self, TensorFileError};

/// Why a run could not be recorded.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The folder holds a run already.
    #[error("{0} already holds a run: choose another --out, or remove it first")]
    Occupied(PathBuf),
    /// The operating system refused.
    #[error("cannot write {path}: {reason}; check the path, its permissions and the free space")]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// A tensor file could not be written.
    #[error(transparent)]
    Tensors(#[from] TensorFileError),
    /// A picture could not be drawn.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// Something could not be put into JSON.
    #[error("cannot encode as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Writes a run's files as its events come.
pub struct RunFolder {
    path: PathBuf,
    metrics: File,
    config: ModelConfig,
    run: serde_json::Value,
    frames: Vec<RgbImage>,
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> ReportError + use<> {
    let path = path.to_owned();
    move |reason| ReportError::Io { path, reason }
}

impl RunFolder {
    /// Makes the folder and writes `config.json`; refuses a folder that holds a run.
    pub fn create(
        path: &Path,
        config: ModelConfig,
        run: &impl Serialize,
    ) -> Result<Self, ReportError> {
        fs::create_dir_all(path).map_err(io_error(path))?;
        let taken = [
            "config.json",
            "metrics.jsonl",
            "checkpoint.safetensors",
            "model.safetensors",
        ];
        if taken.iter().any(|name| path.join(name).exists()) {
            return Err(ReportError::Occupied(path.to_owned()));
        }
        let run = serde_json::to_value(run)?;
        let text = serde_json::to_string_pretty(&run)? + "\n";
        tensor_file::write_atomically(path.join("config.json"), text.as_bytes())?;
        let metrics_path = path.join("metrics.jsonl");
        let metrics = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&metrics_path);
        Ok(RunFolder {
            path: path.to_owned(),
            metrics: metrics.map_err(io_error(&metrics_path))?,
            config,
            run,
            frames: Vec::new(),
        })
    }

    /// Takes back what [`RunFolder::create`] made, for a run that did not begin.
    pub fn abandon(&mut self) {
        for name in ["config.json", "metrics.jsonl"] {
            // What cannot be removed stays, and is named by the next attempt.
            let _ = fs::remove_file(self.path.join(name));
        }
        // Fails, as it should, where the folder was there before and holds something else.
        let _ = fs::remove_dir(&self.path);
    }

    /// A folder that is not there yet: `<parent>/<name>-1`, `-2`, …
    pub fn fresh(parent: &Path, name: &str) -> PathBuf {
        let numbered = (1u32..).map(|i| parent.join(format!("{name}-{i}")));
        let free = numbered.into_iter().find(|path| !path.exists());
        free.unwrap_or_else(|| parent.join(name))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), ReportError> {
        Ok(tensor_file::write_atomically(self.path.join(name), bytes)?)
    }

    /// Records an event.
    pub fn on(&mut self, event: &Event) -> Result<(), ReportError> {
        let shape = self.config.model.image;
        match event {
            Event::Epoch(report) => {
                let line = serde_json::to_string(report)? + "\n";
                let path = self.path.join("metrics.jsonl");
                let written = self.metrics.write_all(line.as_bytes());
                written
                    .and_then(|()| self.metrics.flush())
                    .map_err(io_error(&path))?;
            }
            Event::Pictures { epoch, images } => {
                let picture = render::grid(images, shape, 4, GridStyle::default())?;
                let name = format!("image_at_epoch_{epoch:04}.png");
                self.write(&name, &render::png_bytes(&picture)?)?;
                self.frames.push(picture);
            }
            Event::Manifold { n, images } => {
                let picture = render::manifold(images, shape, *n)?;
                self.write("manifold.png", &render::png_bytes(&picture)?)?;
            }
            Event::Checkpoint(snapshot) => {
                let path = self.path.join("checkpoint.safetensors");
                checkpoint::write_checkpoint(&path, snapshot, &self.config, &self.run)?;
            }
            Event::Done { snapshot, .. } => {
                let path = self.path.join("model.safetensors");
                checkpoint::write_model(&path, snapshot, &self.config)?;
                if !self.frames.is_empty() {
                    let mut gif = Vec::new();
                    render::write_gif(self.frames.drain(..), true, &mut gif)?;
                    self.write("cvae.gif", &gif)?;
                }
            }
            Event::Started { .. } | Event::FirstStep { .. } | Event::Progress { .. } => {}
        }
        Ok(())
    }
}
