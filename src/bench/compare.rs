//! Compares a report with an earlier one.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use crate::files::regular;

/// Keys that must be equal for a fair comparison, the most important first.
const CONTEXT: [&str; 5] = ["adapter", "backend", "driver", "batch", "variant"];
/// Keys of the figures of a whole report.
const FIGURES: [&str; 8] = [
    "ms_per_step",
    "ms_min",
    "ms_max",
    "images_per_second",
    "gflops",
    "peak_gflops",
    "peak_gbps",
    "first_step_seconds",
];

/// Why a file cannot be compared with.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// The file cannot be read.
    #[error("cannot read {}: {reason}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        reason: io::Error,
    },
    /// The file is not JSON.
    #[error("{} is not JSON ({reason})", .path.display())]
    NoJson {
        /// The file.
        path: PathBuf,
        /// The parser's error, with its position.
        reason: serde_json::Error,
    },
    /// The file is not a benchmark report.
    #[error("{} is not a benchmark report: it has no valid `{key}`", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The key whose value is missing or not valid.
        key: &'static str,
    },
}

/// An earlier report.
#[derive(Clone, Debug)]
pub struct Past {
    path: PathBuf,
    report: Value,
}

/// The comparison of two reports.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// File of the earlier report.
    pub file: PathBuf,
    /// Differing keys that make the ratios less meaningful: `adapter: A before, B now`.
    pub differs: Vec<String>,
    /// Every figure that both reports have.
    pub ratios: Vec<Ratio>,
}

/// A figure in two reports.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ratio {
    /// Its key; for a batch of a sweep or a kernel, its key with the name of the batch or kernel.
    pub figure: String,
    /// Value in the earlier report.
    pub before: f64,
    /// Value in this report.
    pub now: f64,
    /// `now` / `before`.
    pub ratio: f64,
}

impl Past {
    /// Reads a report.
    ///
    /// # Errors
    ///
    /// [`CompareError`] if the file is not a report.
    pub fn read(path: &Path) -> Result<Past, CompareError> {
        let path = path.to_owned();
        let bytes = match regular::read(&path) {
            Ok(bytes) => bytes,
            Err(reason) => return Err(CompareError::Unreadable { path, reason }),
        };
        let report: Value = match serde_json::from_slice(&bytes) {
            Ok(report) => report,
            Err(reason) => return Err(CompareError::NoJson { path, reason }),
        };
        let has = |key: &str| match key {
            "adapter" => report[key].is_string(),
            _ => positive(&report[key]).is_some(),
        };
        let required = ["adapter", "batch", "ms_per_step"];
        match required.into_iter().find(|key| !has(key)) {
            Some(key) => Err(CompareError::Foreign { path, key }),
            None => Ok(Past { path, report }),
        }
    }

    /// Compares `now` with the earlier report.
    ///
    /// # Errors
    ///
    /// [`serde_json::Error`] if `now` cannot be serialized; a [`Report`](super::Report) always can.
    pub fn compare(&self, now: &impl Serialize) -> Result<Comparison, serde_json::Error> {
        let now = serde_json::to_value(now)?;
        let differs = CONTEXT
            .into_iter()
            .filter(|key| self.report[*key] != now[*key]);
        let differs = differs.map(|key| {
            let [before, now] = [&self.report[key], &now[key]].map(shown);
            format!("{key}: {before} before, {now} now")
        });
        let before = figures(&self.report);
        let ratio = |(figure, now): (String, f64)| {
            let (_, before) = *before.iter().find(|(name, _)| *name == figure)?;
            Some(Ratio {
                figure,
                before,
                now,
                ratio: now / before,
            })
        };
        Ok(Comparison {
            file: self.path.clone(),
            differs: differs.collect(),
            ratios: figures(&now).into_iter().filter_map(ratio).collect(),
        })
    }
}

/// A value as text, without quotes.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "nothing".into(),
        other => other.to_string(),
    }
}

fn positive(value: &Value) -> Option<f64> {
    value.as_f64().filter(|v| v.is_finite() && *v > 0.0)
}

/// Every figure of a report with a unique name.
fn figures(report: &Value) -> Vec<(String, f64)> {
    let named = |name: String, value: &Value| Some((name, positive(value)?));
    let list = |key: &str| report[key].as_array().map_or(&[][..], Vec::as_slice);
    let whole = FIGURES
        .iter()
        .filter_map(|key| named((*key).into(), &report[*key]));
    let sweep = list("sweep").iter().filter_map(|row| {
        let name = format!("ms_per_step, batch {}", row["batch"]);
        named(name, &row["ms_per_step"])
    });
    let kernels = list("kernels").iter().filter_map(|row| {
        let name = format!("ms, {}", row["name"].as_str()?);
        named(name, &row["ms"])
    });
    whole.chain(sweep).chain(kernels).collect()
}
