//! What a run folder says of its run, read without touching it.

use std::fs;
use std::io::Read;
use std::path::Path;

use serde::Serialize;

use super::config::RunConfig;
use super::error::ReportError;
use super::folder::{CHECKPOINT, CONFIG, METRICS, MODEL};
use super::lock;
use crate::files::regular;
use crate::train::event::EpochReport;

/// Most bytes of metrics that are read.
const MOST: u64 = 64 << 20;

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum State {
    /// A process trains it.
    Running,
    /// It has reached its end.
    Finished,
    /// It has stopped before its end and can be resumed.
    Interrupted,
    /// It has no checkpoint yet.
    Begun,
}

impl State {
    /// The name in tables and files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            State::Running => "running",
            State::Finished => "finished",
            State::Interrupted => "interrupted",
            State::Begun => "begun",
        }
    }
}

/// A run.
#[derive(Clone, Debug, Serialize)]
pub struct Overview {
    /// Its folder, as text.
    pub folder: String,
    /// Where it stands.
    pub state: State,
    /// The image set.
    pub data: String,
    /// Height, width and channels of the images.
    pub image: [usize; 3],
    /// Latent dimensions.
    pub latent_dim: usize,
    /// The last evaluated epoch.
    pub epoch: Option<usize>,
    /// Epochs to train.
    pub epochs: usize,
    /// The last test ELBO.
    pub elbo: Option<f64>,
    /// The best test ELBO of a trained epoch.
    pub best_elbo: Option<f64>,
    /// That epoch.
    pub best_epoch: Option<usize>,
}

/// The run in a folder; `None` where there is none.
///
/// # Errors
///
/// That its files cannot be read.
pub fn of(folder: &Path) -> Result<Option<Overview>, ReportError> {
    let config = folder.join(CONFIG);
    if !config.is_file() {
        return Ok(None);
    }
    let run = RunConfig::read(&config)?;
    let mut metrics = String::new();
    // A run that has not been evaluated has no metrics.
    if let Ok(file) = regular::open(&folder.join(METRICS)) {
        let _ = file.take(MOST).read_to_string(&mut metrics);
    }
    let reports = metrics.lines().map(serde_json::from_str::<EpochReport>);
    let reports: Vec<EpochReport> = reports.filter_map(Result::ok).collect();
    let trained = reports.iter().filter(|report| report.epoch > 0);
    let best = trained.max_by(|a, b| a.test_elbo.total_cmp(&b.test_elbo));
    let last = reports.last();
    let time = |name| fs::metadata(folder.join(name)).and_then(|about| about.modified());
    let state = match (time(MODEL), time(CHECKPOINT)) {
        _ if lock::is_taken(folder) => State::Running,
        (Ok(model), Ok(checkpoint)) if model >= checkpoint => State::Finished,
        (Ok(_), Err(_)) => State::Finished,
        (_, Ok(_)) => State::Interrupted,
        (Err(_), Err(_)) => State::Begun,
    };
    Ok(Some(Overview {
        folder: folder.display().to_string(),
        state,
        data: run.data,
        image: run.model.image,
        latent_dim: run.model.latent_dim,
        epoch: last.map(|report| report.epoch),
        epochs: run.epochs,
        elbo: last.map(|report| report.test_elbo),
        best_elbo: best.map(|report| report.test_elbo),
        best_epoch: best.map(|report| report.epoch),
    }))
}
