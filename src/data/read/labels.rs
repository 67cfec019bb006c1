//! Labels in a file of their own: an array of NumPy, or a table with commas.
//!
//! A table has a label per image in the order of the images, or a file and its label per line, in any
//! order; a first line may name the columns. Labels are whole numbers, or else names of classes.

use std::collections::{HashMap, HashSet};
use std::io::{BufReader, Read};
use std::path::Path;

use super::array;
use crate::data::{DataError, Order, Split};
use crate::files::npy::{self, Header};
use crate::files::regular;

/// Names of the column of files, and of that of labels.
const FILES: [&str; 6] = ["file", "filename", "file_name", "image", "path", "name"];
const LABELS: [&str; 6] = ["label", "labels", "class", "target", "category", "y"];

/// Gives images the labels of a file; returns the names of their classes, if they have names.
pub fn attach(images: &mut Split, path: &Path, order: Order) -> Result<Vec<String>, DataError> {
    let refused = |reason: String| DataError::at(path)(reason);
    let count = images.images.count();
    let file = regular::open(path).map_err(DataError::io(path))?;
    let length = file.limit();
    let mut file = BufReader::new(file);
    let mut start = Vec::new();
    let read = (&mut file)
        .take(npy::MAGIC.len() as u64)
        .read_to_end(&mut start);
    read.map_err(DataError::io(path))?;
    let mut whole = start.chain(file);
    let (labels, classes) = if start == npy::MAGIC {
        let header = Header::read(&mut whole, length).map_err(refused)?;
        (array::labels(&mut whole, &header, path)?, Vec::new())
    } else {
        let cells = cells(whole, images.names.as_deref()).map_err(refused)?;
        numbered(cells, order).map_err(refused)?
    };
    if labels.len() != count {
        let labels = labels.len();
        return Err(refused(format!(
            "it holds {labels} labels, but there are {count} images; give one for each image, in order"
        )));
    }
    images.labels = Some(labels);
    Ok(classes)
}

/// The text of the label of each image.
fn cells(table: impl Read, names: Option<&[String]>) -> Result<Vec<String>, String> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .trim(csv::Trim::All)
        .from_reader(table);
    let lines: Result<Vec<csv::StringRecord>, csv::Error> = reader.records().collect();
    let mut lines = lines.map_err(|e| format!("it is no table of labels: {e}"))?;
    let find = |all: &[&str]| {
        let known = |cell: &str| all.contains(&cell.to_lowercase().as_str());
        lines.first().and_then(|line| line.iter().position(known))
    };
    let (file, label) = (find(&FILES), find(&LABELS));
    let width = lines.first().map_or(0, |line| line.len());
    let (file, label) = match (file, label, width) {
        (file, Some(label), _) => {
            lines.remove(0);
            (file, label)
        }
        (_, None, 0 | 1) => (None, 0),
        (_, None, 2) => (Some(0), 1),
        (_, None, _) => {
            return Err(format!(
                "it has {width} columns and none is named `label`: give a first line that names them"
            ));
        }
    };
    let cell = |line: &csv::StringRecord, at: usize| line.get(at).unwrap_or_default().to_owned();
    let Some(file) = file else {
        return Ok(lines.iter().map(|line| cell(line, label)).collect());
    };
    let Some(names) = names else {
        return Err(
            "it names files, but the images are not files: give a label per image, in order".into(),
        );
    };
    let by_file: HashMap<String, String> = lines
        .iter()
        .map(|line| (cell(line, file).replace('\\', "/"), cell(line, label)))
        .collect();
    // A table may name files by their path below the folder, or without it.
    let find = |name: &String| {
        let name = name.replace('\\', "/");
        let last = name.rsplit('/').next().unwrap_or_default();
        by_file.get(&name).or_else(|| by_file.get(last)).cloned()
    };
    let found: Vec<Option<String>> = names.iter().map(find).collect();
    let missing = names
        .iter()
        .zip(&found)
        .filter(|(_, found)| found.is_none());
    let missing: Vec<&String> = missing.map(|(name, _)| name).collect();
    match missing[..] {
        [] => Ok(found.into_iter().flatten().collect()),
        [first, ..] => Err(format!(
            "it has no label for {} of {} images, the first: {first}",
            missing.len(),
            names.len()
        )),
    }
}

/// Labels from their texts, with the names of the classes unless all texts are numbers.
pub fn numbered(cells: Vec<String>, order: Order) -> Result<(Vec<u32>, Vec<String>), String> {
    if let Some(at) = cells.iter().position(String::is_empty) {
        return Err(format!("the label of image {at} is empty"));
    }
    let numbers: Option<Vec<u32>> = cells.iter().map(|cell| cell.parse().ok()).collect();
    if let Some(numbers) = numbers {
        return Ok((numbers, Vec::new()));
    }
    let distinct: HashSet<&String> = cells.iter().collect();
    let mut classes: Vec<String> = distinct.into_iter().cloned().collect();
    order.sort(&mut classes);
    let places: HashMap<&String, u32> = classes.iter().zip(0..).collect();
    let labels = cells.iter().map(|cell| places[cell]).collect();
    Ok((labels, classes))
}
