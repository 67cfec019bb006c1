//! `--class`: the class of images that a conditioned model draws.

use anyhow::bail;
use clap::Args;
use cvae_gpu::saved::Trained;

/// The class of a conditioned model.
#[derive(Args)]
pub struct ClassArgs {
    /// Class to draw, by its name or number, if the model is conditioned on labels
    #[arg(long, value_name = "NAME|INDEX")]
    pub class: Option<String>,
}

impl ClassArgs {
    /// The label of the class, if one is given.
    pub fn label(&self, trained: &Trained) -> anyhow::Result<Option<u32>> {
        let Some(given) = &self.class else {
            return Ok(None);
        };
        let classes = trained.model.labels;
        if classes == 0 {
            bail!("--class {given}: the model is not conditioned on labels");
        }
        let named = trained.classes.iter().position(|name| name == given);
        let numbered = || given.parse().ok().filter(|label| *label < classes);
        match named.or_else(numbered) {
            Some(label) => Ok(Some(label as u32)),
            None if trained.classes.is_empty() => {
                bail!("--class {given}: give a number from 0 to {}", classes - 1)
            }
            None => bail!(
                "--class {given}: the model knows {}; give one, or a number from 0 to {}",
                trained.classes.join(", "),
                classes - 1
            ),
        }
    }
}
