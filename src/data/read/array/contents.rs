//! The contents of an array: its axes and its numbers.

use std::io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
use std::io::{self, Read};
use std::path::Path;

use super::form::Form;
use super::levels::{Levels, Range};
use crate::data::error::damaged;
use crate::data::set::{Bytes, Collector};
use crate::data::{DataError, Listener, PackedImages, Progress, Split};
use crate::files::npy::{Header, Places};

/// Bytes that are read at a time; a multiple of the width of any number.
pub const PIECE: usize = 1 << 20;

/// Most bytes of images that are gathered from a file in Fortran order at a time.
const BLOCK: usize = 128 << 20;

/// Receives a file from its beginning, and its length.
pub type Take<'t> = dyn FnMut(&mut dyn Read, u64) -> Result<(), DataError> + 't;

/// The images of an array that `visit` hands over, each time from its beginning.
pub fn images(
    visit: &mut dyn FnMut(&mut Take<'_>) -> Result<(), DataError>,
    size: Option<[usize; 3]>,
    path: &Path,
    listener: &mut Listener<'_>,
) -> Result<Split, DataError> {
    let array = Array::read(visit, size, path, listener)?;
    let bytes = array.images(visit, path)?;
    Ok(array.split(bytes))
}

/// An array of images, without its numbers.
pub struct Array {
    pub header: Header,
    pub form: Form,
    pub levels: Levels,
}

impl Array {
    /// Finds what the axes and the numbers of an array mean.
    pub fn read(
        visit: &mut dyn FnMut(&mut Take<'_>) -> Result<(), DataError>,
        size: Option<[usize; 3]>,
        path: &Path,
        listener: &mut Listener<'_>,
    ) -> Result<Array, DataError> {
        let refused =
            |reason: String| DataError::at(path)(format!("cannot be used as images: {reason}"));
        let (mut read, mut range) = (None, Range::default());
        visit(&mut |file, length| {
            let header = Header::read(file, length).map_err(refused)?;
            let form = Form::of(&header.shape, size, path)?;
            pieces(file, path, &mut |piece| {
                range.take(header.dtype, piece);
                Ok(())
            })?;
            read = Some((header, form));
            Ok(())
        })?;
        let (header, form) = read.ok_or_else(|| refused("it is empty".into()))?;
        if range.count != header.shape.iter().product::<usize>() {
            return Err(refused(
                "it ends before its last number: copy or make it again".into(),
            ));
        }
        let levels = Levels::of(&range, &header).map_err(refused)?;
        let notes = [form.note.as_deref(), levels.note(header.dtype)];
        for note in notes.into_iter().flatten() {
            listener(Progress::Note(&format!("{}: {note}", path.display())));
        }
        Ok(Array {
            header,
            form,
            levels,
        })
    }

    /// Numbers in the array.
    pub fn count(&self) -> usize {
        self.header.shape.iter().product()
    }

    /// The images without labels.
    pub fn split(&self, bytes: Bytes) -> Split {
        Split {
            images: PackedImages::of_bytes(self.form.shape, self.levels.depth(), bytes),
            labels: None,
            names: None,
        }
    }

    /// The images.
    pub fn images(
        &self,
        visit: &mut dyn FnMut(&mut Take<'_>) -> Result<(), DataError>,
        path: &Path,
    ) -> Result<Bytes, DataError> {
        let mut made = Collector::default();
        match self.header.fortran_order {
            false => self.in_order(visit, path, &mut made)?,
            true => self.gathered(visit, path, &mut made)?,
        }
        made.finish()
    }

    /// Images of an array in C order: the numbers of an image follow each other.
    fn in_order(
        &self,
        visit: &mut dyn FnMut(&mut Take<'_>) -> Result<(), DataError>,
        path: &Path,
        made: &mut Collector,
    ) -> Result<(), DataError> {
        let size = self.form.shape.iter().product::<usize>();
        let (mut image, mut taken) = (vec![0; size * self.levels.width()], 0);
        self.numbers(visit, path, &mut |place, number| {
            self.levels.store(number, place % size, &mut image);
            taken += 1;
            match taken % size {
                0 => made.push(&image),
                _ => Ok(()),
            }
        })
    }

    /// Images of an array in Fortran order: their numbers are spread over the file, which is read again
    /// for each block of images.
    fn gathered(
        &self,
        visit: &mut dyn FnMut(&mut Take<'_>) -> Result<(), DataError>,
        path: &Path,
        made: &mut Collector,
    ) -> Result<(), DataError> {
        let (size, width) = (
            self.form.shape.iter().product::<usize>(),
            self.levels.width(),
        );
        let block = (BLOCK / (size * width)).max(1) * size;
        for first in (0..self.count()).step_by(block) {
            let held = block.min(self.count() - first);
            let mut images = vec![0; held * width];
            self.numbers(visit, path, &mut |place, number| {
                if let Some(place) = place.checked_sub(first).filter(|place| *place < held) {
                    self.levels.store(number, place, &mut images);
                }
                Ok(())
            })?;
            made.push(&images)?;
        }
        Ok(())
    }

    /// Hands on all numbers in the order of the file, each after its place in the images.
    fn numbers(
        &self,
        visit: &mut dyn FnMut(&mut Take<'_>) -> Result<(), DataError>,
        path: &Path,
        take: &mut dyn FnMut(usize, f64) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let mut places = Places::new(&self.header, &self.form.strides);
        visit(&mut |file, length| {
            let refused = |reason: String| DataError::at(path)(reason);
            if Header::read(file, length).map_err(refused)? != self.header {
                return Err(refused("the file has changed while it was read".into()));
            }
            pieces(file, path, &mut |piece| {
                let mut numbers = self.header.dtype.numbers(piece).zip(&mut places);
                numbers.try_for_each(|(number, place)| take(place, number))
            })
        })
    }
}

/// The numbers of an array, as labels.
#[cfg(feature = "cli")]
pub fn labels(file: &mut dyn Read, header: &Header, path: &Path) -> Result<Vec<u32>, DataError> {
    let refused = |reason: String| DataError::at(path)(format!("the labels {reason}"));
    match *header.shape {
        [_] | [_, 1] => {}
        _ => {
            return Err(refused(format!(
                "have the shape {:?}, but there should be one for each image",
                header.shape
            )));
        }
    }
    let (mut labels, mut wrong) = (Vec::new(), None);
    pieces(file, path, &mut |piece| {
        for number in header.dtype.numbers(piece) {
            let is_label = number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number);
            if !is_label {
                wrong.get_or_insert((number, labels.len()));
            }
            labels.push(number as u32);
        }
        Ok(())
    })?;
    match wrong {
        Some((number, at)) => Err(refused(format!(
            "must be whole numbers from 0 up, but number {at} is {number}"
        ))),
        None => Ok(labels),
    }
}

/// Hands on the bytes of the numbers of a file, whole numbers at a time.
fn pieces(
    mut file: &mut dyn Read,
    path: &Path,
    take: &mut dyn FnMut(&[u8]) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let mut piece = Vec::with_capacity(PIECE);
    loop {
        piece.clear();
        let read = (&mut file).take(PIECE as u64).read_to_end(&mut piece);
        // Reading an entry of an archive also decompresses and checks it.
        let damaged = |reason: io::Error| match reason.kind() {
            InvalidInput | InvalidData | UnexpectedEof => DataError::at(path)(damaged(&reason)),
            _ => DataError::io(path)(reason),
        };
        if read.map_err(damaged)? == 0 {
            return Ok(());
        }
        take(&piece)?;
    }
}
