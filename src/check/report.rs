//! The result of a check.

use serde::Serialize;

use super::compare::Row;

/// The comparisons of a case, or of the kernels of a model.
#[derive(Clone, Debug, Serialize)]
pub struct Section {
    /// What was checked.
    pub name: String,
    /// A description for the user.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// The limits used: `limit`, `strict_limit`, or `twin` for kernels.
    pub judged_by: &'static str,
    /// One row per tensor.
    pub rows: Vec<Row>,
    /// Names of expected tensors that this program does not compute.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_compared: Vec<String>,
}

impl Section {
    /// A section of kernels compared with their twins.
    pub fn kernels(name: String, rows: Vec<Row>) -> Self {
        Section {
            name,
            about: String::new(),
            judged_by: "twin",
            rows,
            not_compared: Vec::new(),
        }
    }

    /// Tensors beyond their limits.
    pub fn failures(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| !row.ok())
    }
}

/// All sections of a check.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// The sections in the order of the check.
    pub sections: Vec<Section>,
}

impl Report {
    /// Number of tensors compared.
    pub fn compared(&self) -> usize {
        self.sections.iter().map(|s| s.rows.len()).sum()
    }

    /// Tensors beyond their limits, with their sections.
    pub fn failures(&self) -> impl Iterator<Item = (&Section, &Row)> {
        let sections = self.sections.iter();
        sections.flat_map(|s| s.failures().map(move |row| (s, row)))
    }

    /// Whether at least one tensor was compared and all are within their limits.
    pub fn passed(&self) -> bool {
        self.compared() > 0 && self.failures().next().is_none()
    }
}
