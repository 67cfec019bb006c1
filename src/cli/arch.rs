//! `--arch`: a model by name, or described in a file.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, bail};
use cvae_gpu::data::Binarize;
use cvae_gpu::files::regular;
use cvae_gpu::model::{Arch, Model};
use cvae_gpu::train::preset::{self, PRESETS, Preset};

/// Most bytes of a description.
const MAX_BYTES: u64 = 1 << 20;

/// A chosen model.
pub enum Choice {
    Known(&'static Preset),
    File(Box<Arch>),
    /// The model of a file with weights, and how its images were binarized.
    Trained(Box<Model>, Binarize),
}

impl Choice {
    /// From the name of a model or the path of a description.
    pub fn of(text: &str) -> anyhow::Result<Choice> {
        if let Some(known) = preset::by_name(text) {
            return Ok(Choice::Known(known));
        }
        let path = Path::new(text);
        if !path.exists() {
            let names: Vec<&str> = PRESETS.iter().map(|preset| preset.name).collect();
            bail!(
                "--arch {text}: no such file; give a .toml file, or one of {}",
                names.join(", ")
            );
        }
        let mut description = String::new();
        let mut file = regular::open(path)
            .with_context(|| format!("--arch {text}"))?
            .take(MAX_BYTES);
        file.read_to_string(&mut description)
            .with_context(|| format!("--arch {text}"))?;
        let arch = toml::from_str(&description).with_context(|| format!("--arch {text}"))?;
        Ok(Choice::File(Box::new(arch)))
    }

    /// The model for images of this shape.
    pub fn model(&self, image: [usize; 3]) -> Model {
        match self {
            Choice::Known(known) => (known.model)(image),
            Choice::File(arch) => arch.as_ref().clone().model(image),
            Choice::Trained(model, _) => model.as_ref().clone(),
        }
    }

    /// Its usual binarization of grey levels.
    pub fn binarize(&self) -> Option<Binarize> {
        match self {
            Choice::Trained(_, binarize) => Some(*binarize),
            _ => self.preset().binarize,
        }
    }

    /// Its preset; a file has the run's options of the first.
    pub fn preset(&self) -> &'static Preset {
        match self {
            Choice::Known(known) => known,
            Choice::File(_) | Choice::Trained(..) => &PRESETS[0],
        }
    }
}
