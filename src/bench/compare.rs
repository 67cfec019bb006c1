//! Compares a report with an earlier one.

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

/// Why a file cannot be compared with: the whole message.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CompareError(String);

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
    pub fn read(path: &Path) -> Result<Past, CompareError> {
        let shown = path.display();
        let bytes = regular::read(path)
            .map_err(|reason| CompareError(format!("cannot read {shown}: {reason}")))?;
        let report: Value = serde_json::from_slice(&bytes)
            .map_err(|reason| CompareError(format!("{shown} is not JSON ({reason})")))?;
        let has = |key: &str| match key {
            "adapter" => report[key].is_string(),
            _ => positive(&report[key]).is_some(),
        };
        let required = ["adapter", "batch", "ms_per_step"];
        if let Some(key) = required.into_iter().find(|key| !has(key)) {
            return Err(CompareError(format!(
                "{shown} is not a benchmark report: it has no valid `{key}`"
            )));
        }
        let path = path.to_owned();
        Ok(Past { path, report })
    }

    /// Compares `now` with the earlier report.
    ///
    /// # Errors
    ///
    /// [`serde_json::Error`] if `now` cannot be serialized; a [`Report`](super::Report) always can.
    pub fn compare(&self, now: &impl Serialize) -> Result<Comparison, serde_json::Error> {
        let now = serde_json::to_value(now)?;
        let differs = CONTEXT.into_iter().filter_map(|key| {
            let [before, now] = [&self.report[key], &now[key]].map(shown);
            (before != now).then(|| format!("{key}: {before} before, {now} now"))
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
