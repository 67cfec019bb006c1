//! TensorBoard's event file: the scalars and the picture of each evaluated epoch, by optimizer step.
//!
//! The file is a TFRecord file: records of a length (u64), the masked CRC32C of those eight bytes,
//! the data, and the masked CRC32C of the data, all little-endian
//! (<https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details>). Each record
//! holds a protocol buffer `tensorflow.Event`. The messages below declare the fields in use, with the
//! numbers of TensorFlow's `event.proto` and `summary.proto`.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use crc::{CRC_32_ISCSI, Crc};
use prost::Message;

use super::error::ReportError;
use super::journal::Journal;
use crate::train::event::EpochReport;

/// Name of the file. TensorFlow's has time and host; a constant name lets a resumed run find it.
pub const NAME: &str = "events.out.tfevents.0.cvae-gpu";

/// The content of the first record.
const VERSION: &str = "brain.Event:2";

/// An entry of the file, `tensorflow.Event`: a version (the first entry) or values.
#[derive(Clone, PartialEq, Message)]
pub struct Entry {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    pub wall_time: f64,
    /// Optimizer steps since the start of the run.
    #[prost(int64, tag = "2")]
    pub step: i64,
    /// The version of the format.
    #[prost(string, optional, tag = "3")]
    pub file_version: Option<String>,
    /// Values of the step.
    #[prost(message, optional, tag = "5")]
    pub summary: Option<Summary>,
}

/// Values of one step.
#[derive(Clone, PartialEq, Message)]
pub struct Summary {
    /// The values.
    #[prost(message, repeated, tag = "1")]
    pub values: Vec<Value>,
}

/// A number or a picture.
#[derive(Clone, PartialEq, Message)]
pub struct Value {
    /// The name; the part before a slash is the section of the page.
    #[prost(string, tag = "1")]
    pub tag: String,
    /// A number.
    #[prost(float, optional, tag = "2")]
    pub number: Option<f32>,
    /// A picture.
    #[prost(message, optional, tag = "4")]
    pub picture: Option<Picture>,
}

/// An encoded picture.
#[derive(Clone, PartialEq, Message)]
pub struct Picture {
    /// Pixels from top to bottom.
    #[prost(int32, tag = "1")]
    pub height: i32,
    /// Pixels from left to right.
    #[prost(int32, tag = "2")]
    pub width: i32,
    /// Channels: 3 for red, green, blue.
    #[prost(int32, tag = "3")]
    pub colorspace: i32,
    /// The bytes of the PNG.
    #[prost(bytes = "vec", tag = "4")]
    pub encoded: Vec<u8>,
}

impl Entry {
    fn now(step: u64) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Entry {
            // A wrong clock must not stop training.
            wall_time: since.map_or(0.0, |time| time.as_secs_f64()),
            step: step as i64,
            ..Entry::default()
        }
    }

    /// True for the entry of a line of `metrics.jsonl`.
    fn is_report(&self) -> bool {
        let mut values = self.summary.iter().flat_map(|summary| &summary.values);
        values.any(|value| value.number.is_some())
    }

    /// The entry as a record of the file.
    fn record(&self) -> Vec<u8> {
        let data = self.encode_to_vec();
        let length = (data.len() as u64).to_le_bytes();
        let check = |bytes: &[u8]| masked_crc(bytes).to_le_bytes();
        [&length[..], &check(&length), &data, &check(&data)].concat()
    }
}

/// The CRC32C of `bytes`, rotated and offset as TFRecord requires.
fn masked_crc(bytes: &[u8]) -> u32 {
    const CRC32C: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);
    CRC32C
        .checksum(bytes)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

/// The entries of an event file, each with the offset of the end of its record, up to the first
/// damaged record.
pub fn entries(content: &[u8]) -> impl Iterator<Item = (Entry, usize)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let (data, rest) = record(content.get(at..)?)?;
        at = content.len() - rest.len();
        Some((Entry::decode(data).ok()?, at))
    })
}

/// The data of the first record in `bytes`, and the rest.
fn record(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = checked(bytes, 8)?;
    let length = u64::from_le_bytes(length.try_into().ok()?);
    checked(rest, usize::try_from(length).ok()?)
}

/// The first `count` bytes if the checksum after them is right, and the rest.
fn checked(bytes: &[u8], count: usize) -> Option<(&[u8], &[u8])> {
    let (data, rest) = bytes.split_at_checked(count)?;
    let (crc, rest) = rest.split_first_chunk()?;
    (u32::from_le_bytes(*crc) == masked_crc(data)).then_some((data, rest))
}

/// The length of the valid part for a run resumed after `lines` lines of its metrics: up to the
/// report of the next line. 0 where the first record is missing.
fn kept(content: &[u8], lines: usize) -> usize {
    let (mut reports, mut end) = (0, 0);
    for (i, (entry, behind)) in entries(content).enumerate() {
        let is_version = entry.file_version.as_deref() == Some(VERSION);
        reports += usize::from(entry.is_report());
        if (i == 0) != is_version || reports > lines {
            break;
        }
        end = behind;
    }
    end
}

/// The file, open at its end.
pub(super) struct Events(pub(super) Journal);

impl Events {
    /// Opens the file, keeps the entries of the first `lines` lines of the metrics and truncates the
    /// rest.
    pub(super) fn open(path: PathBuf, lines: usize) -> Result<Self, ReportError> {
        let mut is_new = false;
        let mut journal = Journal::open(path, |content| {
            let kept = kept(content, lines);
            is_new = kept == 0;
            kept
        })?;
        if is_new {
            let version = Entry {
                file_version: Some(VERSION.into()),
                ..Entry::now(0)
            };
            journal.append(&version.record())?;
        }
        Ok(Events(journal))
    }

    fn append(&mut self, step: u64, values: Vec<Value>) -> Result<(), ReportError> {
        let entry = Entry {
            summary: Some(Summary { values }),
            ..Entry::now(step)
        };
        self.0.append(&entry.record())
    }

    /// Appends the scalars of an epoch.
    pub(super) fn report(&mut self, report: &EpochReport) -> Result<(), ReportError> {
        let figures = [
            ("test/elbo", Some(report.test_elbo)),
            ("test/reconstruction", Some(report.reconstruction)),
            ("test/kl", Some(report.kl)),
            ("validation/elbo", report.validation_elbo),
            ("train/loss", report.train_loss),
            ("train/learning_rate", Some(report.learning_rate)),
            ("train/beta", Some(report.beta)),
            ("train/sigma", report.sigma),
            ("train/gradient_norm", report.gradient_norm),
            ("train/images_per_second", report.images_per_second),
        ];
        let number = |(tag, figure): (&str, Option<f64>)| Value {
            tag: tag.into(),
            number: figure.map(|figure| figure as f32),
            picture: None,
        };
        let there = figures.into_iter().filter(|(_, figure)| figure.is_some());
        self.append(report.step, there.map(number).collect())
    }

    /// Appends the picture of an epoch, as the bytes of a PNG.
    pub(super) fn picture(
        &mut self,
        step: u64,
        (width, height): (u32, u32),
        png: &[u8],
    ) -> Result<(), ReportError> {
        let picture = Picture {
            height: height as i32,
            width: width as i32,
            colorspace: 3,
            encoded: png.to_vec(),
        };
        let value = Value {
            tag: "reconstructions".into(),
            number: None,
            picture: Some(picture),
        };
        self.append(step, vec![value])
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn records_are_those_that_tensorflow_writes() {
        let version = Entry {
            wall_time: 1.5,
            step: 0,
            file_version: Some(VERSION.into()),
            summary: None,
        };
        let record = version.record();
        // Every event file of TensorFlow begins with these twelve bytes: a length of 24.
        assert_eq!(
            record[..12],
            [24, 0, 0, 0, 0, 0, 0, 0, 0xa3, 0x7f, 0x4b, 0x22]
        );
        // Field 1 is a double, and field 3 a text of 13 bytes.
        let fields = [
            &[0x09][..],
            &1.5f64.to_le_bytes(),
            b"\x1a\x0d",
            b"brain.Event:2",
        ];
        assert_eq!(record[12..36], fields.concat());
        // The check value of CRC32C, from RFC 3720's polynomial, is 0xe3069283.
        let rotated = 0xe306_9283u32.rotate_right(15);
        assert_eq!(masked_crc(b"123456789"), rotated.wrapping_add(0xa282_ead8));
    }

    fn report(epoch: usize) -> EpochReport {
        EpochReport {
            epoch,
            step: 10 * epoch as u64,
            test_elbo: -150.5,
            reconstruction: -145.25,
            kl: 5.25,
            learning_rate: 1e-4,
            beta: 2.0,
            train_loss: (epoch > 0).then_some(151.0),
            ..EpochReport::default()
        }
    }

    /// A file of three epochs with pictures.
    fn three(path: &Path) -> Vec<u8> {
        let mut events = Events::open(path.into(), 0).unwrap();
        for epoch in 0..3 {
            events.report(&report(epoch)).unwrap();
            events
                .picture(10 * epoch as u64, (400, 300), b"png")
                .unwrap();
        }
        fs::read(path).unwrap()
    }

    #[test]
    fn entries_are_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let content = three(&folder.path().join(NAME));
        let all: Vec<(Entry, usize)> = entries(&content).collect();
        assert_eq!(all.last().map(|(_, end)| *end), Some(content.len()));
        let steps: Vec<i64> = all.iter().map(|(entry, _)| entry.step).collect();
        assert_eq!(steps, [0, 0, 0, 10, 10, 20, 20]);
        assert!(all.iter().all(|(entry, _)| entry.wall_time > 1.7e9));
        let values = |i: usize| all[i].0.summary.clone().unwrap().values;
        let number = |tag: &str, number| Value {
            tag: tag.into(),
            number: Some(number),
            picture: None,
        };
        let test = [
            number("test/elbo", -150.5),
            number("test/reconstruction", -145.25),
            number("test/kl", 5.25),
        ];
        let optimizer = [
            number("train/learning_rate", 1e-4),
            number("train/beta", 2.0),
        ];
        assert_eq!(values(1), [&test[..], &optimizer].concat());
        let loss = [number("train/loss", 151.0)];
        assert_eq!(values(3), [&test[..], &loss, &optimizer].concat());
        let picture = Picture {
            height: 300,
            width: 400,
            colorspace: 3,
            encoded: b"png".into(),
        };
        assert_eq!(values(4)[0].picture, Some(picture));
    }

    #[test]
    fn a_run_that_goes_on_keeps_what_its_metrics_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        let whole = three(&path);
        let ends: Vec<usize> = entries(&whole).map(|(_, end)| end).collect();
        for (lines, entries) in [(0, 1), (1, 3), (2, 5), (3, 7), (4, 7)] {
            fs::write(&path, &whole).unwrap();
            Events::open(path.clone(), lines).unwrap();
            let content = fs::read(&path).unwrap();
            assert!(content == whole[..ends[entries - 1]], "after {lines} lines");
        }
        // A torn record, and a damaged one in the middle.
        fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        Events::open(path.clone(), 3).unwrap();
        assert_eq!(fs::read(&path).unwrap(), whole[..ends[5]]);
        let mut damaged = whole.clone();
        damaged[ends[2] + 20] ^= 1;
        fs::write(&path, &damaged).unwrap();
        Events::open(path.clone(), 3).unwrap();
        assert_eq!(fs::read(&path).unwrap(), whole[..ends[2]]);
        // No event file at all: a new one.
        for content in [&b""[..], b"nonsense", &whole[ends[0]..]] {
            fs::write(&path, content).unwrap();
            Events::open(path.clone(), 3).unwrap();
            let content = fs::read(&path).unwrap();
            let found: Vec<Entry> = entries(&content).map(|(entry, _)| entry).collect();
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].file_version.as_deref(), Some(VERSION));
        }
    }

    #[test]
    fn no_length_is_believed() {
        for length in [0, 1, 1 << 40, u64::MAX] {
            let length = u64::to_le_bytes(length);
            let bytes = [&length[..], &masked_crc(&length).to_le_bytes()].concat();
            assert_eq!(entries(&bytes).count(), 0);
        }
    }
}
