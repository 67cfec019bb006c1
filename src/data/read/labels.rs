//! Labels in a file of their own: an array of NumPy, or a table with commas.
//!
//! A table has a label per image in the order of the images, or a file and its label per line, in any
//! order; a first line may name the columns. Labels are whole numbers, or else names of classes.

use std::collections::{HashMap, HashSet};
use std::io::{BufReader, Read};
use std::path::Path;

use csv::StringRecord;

use super::array;
use crate::data::{DataError, Order, Split};
use crate::files::metered::{Budget, Metered};
use crate::files::npy::{self, Header};
use crate::files::regular;

/// Most bytes of a line.
const MOST_LINE: u64 = 1 << 20;
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
    let (labels, classes, held) = if start == npy::MAGIC {
        let header = Header::read(&mut whole, length).map_err(refused)?;
        let labels = array::labels(&mut whole, &header, path)?;
        let held = labels.len();
        (labels, Vec::new(), held)
    } else {
        let (cells, held) = cells(whole, images.names.as_deref(), count).map_err(refused)?;
        let (labels, classes) = numbered(cells, order).map_err(refused)?;
        (labels, classes, held)
    };
    if held != count {
        return Err(refused(format!(
            "it holds {held} labels, but there are {count} images; give one for each image, in order"
        )));
    }
    images.labels = Some(labels);
    Ok(classes)
}

/// The lines of a table, each of a bounded length.
struct Lines<R> {
    reader: csv::Reader<Metered<R>>,
    budget: Budget,
    line: StringRecord,
}

impl<R: Read> Lines<R> {
    fn new(table: R) -> Self {
        let budget = Budget::default();
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .trim(csv::Trim::All)
            .from_reader(Metered::new(table, &budget));
        Lines {
            reader,
            budget,
            line: StringRecord::new(),
        }
    }

    /// The next line; `None` at the end.
    fn next(&mut self) -> Result<Option<&StringRecord>, String> {
        self.budget.set(MOST_LINE);
        let number = self.reader.position().line();
        let read = self.reader.read_record(&mut self.line);
        let read = read.map_err(|e| match self.budget.left() {
            0 => format!(
                "line {number} is longer than 1 MiB, perhaps since a quote is not closed: give a \
                 table of a label, or of a file and its label, per image"
            ),
            _ => format!("it is no table of labels: {e}"),
        })?;
        Ok(read.then_some(&self.line))
    }
}

/// The text of the label of each image, and how many labels there are. Of a table without files, texts
/// beyond the images are only counted.
fn cells(
    table: impl Read,
    names: Option<&[String]>,
    count: usize,
) -> Result<(Vec<String>, usize), String> {
    let mut lines = Lines::new(table);
    let first = lines.next()?.cloned().unwrap_or_default();
    let find = |all: &[&str]| {
        let known = |cell: &str| all.contains(&cell.to_lowercase().as_str());
        first.iter().position(known)
    };
    let (file, label, is_head) = match (find(&FILES), find(&LABELS), first.len()) {
        (file, Some(label), _) => (file, label, true),
        (_, None, 0 | 1) => (None, 0, false),
        (_, None, 2) => (Some(0), 1, false),
        (_, None, width) => {
            return Err(format!(
                "it has {width} columns and none is named `label`: give a first line that names them"
            ));
        }
    };
    let cell = |line: &StringRecord, at: usize| line.get(at).unwrap_or_default().to_owned();
    let mut own = Some(first).filter(|first| !is_head && !first.is_empty());
    let mut each = |take: &mut dyn FnMut(&StringRecord)| -> Result<(), String> {
        if let Some(first) = own.take() {
            take(&first);
        }
        while let Some(line) = lines.next()? {
            take(line);
        }
        Ok(())
    };
    let Some(file) = file else {
        let (mut cells, mut held) = (Vec::new(), 0);
        each(&mut |line| {
            held += 1;
            if held <= count {
                cells.push(cell(line, label));
            }
        })?;
        return Ok((cells, held));
    };
    let Some(names) = names else {
        // What is no table at all is refused as such.
        each(&mut |_| ())?;
        return Err(
            "it names files, but the images are not files: give a label per image, in order".into(),
        );
    };
    // A table may name files by their path below the folder, or without it.
    let names: Vec<String> = names.iter().map(|name| name.replace('\\', "/")).collect();
    let last = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
    let mut by_file: HashMap<String, Option<String>> = names
        .iter()
        .flat_map(|name| [(name.clone(), None), (last(name), None)])
        .collect();
    each(&mut |line| {
        let file = cell(line, file).replace('\\', "/");
        if let Some(text) = by_file.get_mut(&file) {
            *text = Some(cell(line, label));
        }
    })?;
    let of = |name: &str| by_file.get(name).cloned().flatten();
    let found: Vec<Option<String>> = names
        .iter()
        .map(|name| of(name).or_else(|| of(&last(name))))
        .collect();
    let missing = names
        .iter()
        .zip(&found)
        .filter(|(_, found)| found.is_none());
    let missing: Vec<&String> = missing.map(|(name, _)| name).collect();
    match missing[..] {
        [] => Ok((found.into_iter().flatten().collect(), names.len())),
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
