//! What was compared, and the verdict.

use serde::Serialize;

use super::compare::Row;

/// A case, or the kernels of a model.
#[derive(Clone, Debug, Serialize)]
pub struct Section {
    /// What was checked.
    pub name: String,
    /// More about it, for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// The limits it was judged by: `limit`, `strict_limit`, or `twin` for kernels.
    pub judged_by: &'static str,
    /// One row per tensor.
    pub rows: Vec<Row>,
    /// Expected tensors which this program does not compute, and which were not compared.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_compared: Vec<String>,
}

impl Section {
    /// Kernels, judged by their twins.
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
    /// In the order in which they were checked.
    pub sections: Vec<Section>,
}

impl Report {
    /// Tensors compared.
    pub fn compared(&self) -> usize {
        self.sections.iter().map(|s| s.rows.len()).sum()
    }

    /// Tensors beyond their limits, with their sections.
    pub fn failures(&self) -> impl Iterator<Item = (&Section, &Row)> {
        let sections = self.sections.iter();
        sections.flat_map(|s| s.failures().map(move |row| (s, row)))
    }

    /// True where something was compared and all of it is within its limits.
    pub fn passed(&self) -> bool {
        self.compared() > 0 && self.failures().next().is_none()
    }
}
