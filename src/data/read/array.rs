//! Images in a `.npy` file of NumPy: `[N, H, W]`, `[N, H, W, C]`, `[N, C, H, W]`, or `[N, H·W·C]` where
//! the size is known; booleans, integers or floats of any width, in C or Fortran order.
//!
//! Brightness is a number from 0 to 1 or a whole number from 0 to 255. Numbers that are all 0 or 1 are
//! black and white. Where some are below 0, all are kept as they are, as floats. The file is read a piece at a time: first for the range of its numbers, then for its
//! images.

use std::io::{BufReader, Read};
use std::path::Path;

use crate::data::set::{Bytes, Collector};
use crate::data::{DataError, Depth, Listener, PackedImages, Prepare, Progress, Split};
use crate::files::extent::Extent;
use crate::files::npy::{Dtype, Header, Places};
use crate::files::regular;
use crate::files::tensors::coordinates;

/// Bytes that are read at a time; a multiple of the width of any number.
const PIECE: usize = 1 << 20;

/// Most bytes of images that are gathered from a file in Fortran order at a time.
const BLOCK: usize = 128 << 20;

/// Receives a file from its beginning, and its length.
pub type Take<'t> = dyn FnMut(&mut dyn Read, u64) -> Result<(), DataError> + 't;

/// Reads the images of a file. Those of a large file of bytes in order stay in it.
pub fn read(
    path: &Path,
    prepare: &Prepare,
    listener: &mut Listener<'_>,
) -> Result<Split, DataError> {
    let mut visit = |take: &mut Take<'_>| {
        let file = regular::open(path).map_err(DataError::io(path))?;
        let length = file.limit();
        take(&mut BufReader::with_capacity(PIECE, file), length)
    };
    let array = Array::read(&mut visit, prepare.image_size, path, listener)?;
    let size = array.count() * array.levels.width();
    let bytes = match array.is_as_stored() && size > Collector::MOST {
        true => {
            let extent = Extent::open(path, array.header.start);
            Bytes::File(extent.map_err(DataError::io(path))?)
        }
        false => array.images(&mut visit, path)?,
    };
    Ok(array.split(bytes))
}

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
struct Array {
    header: Header,
    form: Form,
    levels: Levels,
}

impl Array {
    /// Finds what the axes and the numbers of an array mean.
    fn read(
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
    fn count(&self) -> usize {
        self.header.shape.iter().product()
    }

    /// The images without labels.
    fn split(&self, bytes: Bytes) -> Split {
        Split {
            images: PackedImages::of_bytes(self.form.shape, self.levels.depth(), bytes),
            labels: None,
            names: None,
        }
    }

    /// Whether the file holds the bytes of the images in order.
    fn is_as_stored(&self) -> bool {
        let Array { header, form, .. } = self;
        let as_stored = match self.levels {
            Levels::Bytes => header.dtype.is_byte(),
            Levels::Real => header.dtype.is_little_f32(),
            Levels::BlackAndWhite | Levels::Unit => false,
        };
        as_stored && !header.fortran_order && form.strides.is_sorted_by(|a, b| a >= b)
    }

    /// The images.
    fn images(
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
        if read.map_err(DataError::io(path))? == 0 {
            return Ok(());
        }
        take(&piece)?;
    }
}

/// What the axes of an array mean.
struct Form {
    /// Height, width and channels.
    shape: [usize; 3],
    /// Distance in the images of two neighbours along each axis.
    strides: Vec<usize>,
    note: Option<String>,
}

impl Form {
    fn of(axes: &[usize], size: Option<[usize; 3]>, path: &Path) -> Result<Form, DataError> {
        let its_shape = format!("its shape {axes:?}");
        let refused =
            |reason: String| DataError::at(path)(format!("cannot be used as images: {reason}"));
        if axes.contains(&0) {
            return Err(refused(format!("{its_shape} holds no image")));
        }
        let images = |h, w, c| [h * w * c, w * c, c, 1];
        let (shape, strides, note) = match *axes {
            [_, height, width] => {
                let [n, y, x, _] = images(height, width, 1);
                ([height, width, 1], vec![n, y, x], None)
            }
            [_, height, width, channels @ (1 | 3)] => {
                let strides = images(height, width, channels).to_vec();
                ([height, width, channels], strides, None)
            }
            [_, channels @ (1 | 3), height, width] => {
                let [n, y, x, c] = images(height, width, channels);
                let note = format!("{its_shape} has the channels first: they are moved to the end");
                ([height, width, channels], vec![n, c, y, x], Some(note))
            }
            [_, values] => {
                let size = size.ok_or_else(|| DataError::Flat(path.into(), values))?;
                let [height, width, channels] = size;
                if height * width * channels != values {
                    return Err(refused(format!(
                        "each row has {values} numbers, but an image of \
                         {height}×{width}×{channels} has {}",
                        height * width * channels
                    )));
                }
                (size, vec![values, 1], None)
            }
            _ => {
                return Err(refused(format!(
                    "{its_shape} is not that of images: give [N, H, W], or [N, H, W, C] with 1 or 3 \
                     channels"
                )));
            }
        };
        match size.filter(|size| *size != shape) {
            Some([h, w, c]) => Err(refused(format!(
                "its images are {}×{}×{}, not {h}×{w}×{c}",
                shape[0], shape[1], shape[2]
            ))),
            None => Ok(Form {
                shape,
                strides,
                note,
            }),
        }
    }
}

/// The range of numbers, each end with the place of its first number.
struct Range {
    count: usize,
    least: (f64, usize),
    most: (f64, usize),
    /// The first that is not finite.
    strange: Option<(f64, usize)>,
    are_whole: bool,
}

impl Default for Range {
    fn default() -> Self {
        Range {
            count: 0,
            least: (f64::INFINITY, 0),
            most: (f64::NEG_INFINITY, 0),
            strange: None,
            are_whole: true,
        }
    }
}

impl Range {
    fn take(&mut self, dtype: Dtype, piece: &[u8]) {
        if dtype.is_byte() {
            // Bytes are always in range, so the places of the least and the largest are not shown.
            let most = piece.iter().copied().max().map_or(0.0, f64::from);
            (self.least.0, self.most.0) = (0.0, self.most.0.max(most));
            self.count += piece.len();
            return;
        }
        for number in dtype.numbers(piece) {
            let at = self.count;
            self.count += 1;
            if !number.is_finite() {
                self.strange.get_or_insert((number, at));
                continue;
            }
            if number < self.least.0 {
                self.least = (number, at);
            }
            if number > self.most.0 {
                self.most = (number, at);
            }
            self.are_whole &= number.fract() == 0.0;
        }
    }
}

/// What numbers mean.
#[derive(Clone, Copy)]
enum Levels {
    /// All are 0 or 1.
    BlackAndWhite,
    /// From 0 to 1.
    Unit,
    /// Whole, from 0 to 255.
    Bytes,
    /// Some are below 0: they are no brightness.
    Real,
}

impl Levels {
    fn of(range: &Range, header: &Header) -> Result<Levels, String> {
        let shown = |(number, at): (f64, usize)| {
            format!("the value at {:?} is {number}", place(header, at))
        };
        if let Some(strange) = range.strange {
            return Err(format!("{}: repair or remove its image", shown(strange)));
        }
        const WANTED: &str = "brightness is a number from 0 to 1, or a whole number from 0 to 255";
        if range.least.0 < 0.0 {
            let mut ends = [range.least, range.most].into_iter();
            let beyond = ends.find(|(number, _)| !(*number as f32).is_finite());
            return match beyond {
                Some(beyond) => Err(format!(
                    "{}: that is beyond single precision",
                    shown(beyond)
                )),
                None => Ok(Levels::Real),
            };
        }
        match range.most.0 {
            most if most <= 1.0 && range.are_whole => Ok(Levels::BlackAndWhite),
            most if most <= 1.0 => Ok(Levels::Unit),
            most if most <= 255.0 && range.are_whole => Ok(Levels::Bytes),
            _ => Err(format!(
                "{}: {WANTED}; divide by the largest",
                shown(range.most)
            )),
        }
    }

    /// What is worth saying about numbers of this type.
    fn note(self, dtype: Dtype) -> Option<&'static str> {
        match self {
            Levels::Real => Some(
                "some of its numbers are below 0: all are kept as they are, which needs a Gaussian \
                 likelihood",
            ),
            Levels::BlackAndWhite if !dtype.is_bool() => {
                Some("its numbers are all 0 or 1: they are black and white")
            }
            Levels::Bytes if !dtype.is_byte() => {
                Some("its numbers are whole, up to 255: they are divided by 255")
            }
            _ => None,
        }
    }

    fn depth(self) -> Depth {
        match self {
            Levels::BlackAndWhite | Levels::Unit | Levels::Bytes => Depth::Byte,
            Levels::Real => Depth::Float,
        }
    }

    /// Bytes of a stored value.
    fn width(self) -> usize {
        self.depth().image_bytes(1)
    }

    /// Stores a number as the value of this index.
    fn store(self, number: f64, index: usize, into: &mut [u8]) {
        match self {
            Levels::BlackAndWhite | Levels::Unit => into[index] = (255.0 * number).round() as u8,
            Levels::Bytes => into[index] = number as u8,
            Levels::Real => {
                into[4 * index..][..4].copy_from_slice(&(number as f32).to_le_bytes());
            }
        }
    }
}

/// The index of a number of the file, one number per axis.
fn place(header: &Header, at: usize) -> Vec<usize> {
    if !header.fortran_order {
        return coordinates(at, &header.shape);
    }
    let turned: Vec<usize> = header.shape.iter().rev().copied().collect();
    let mut index = coordinates(at, &turned);
    index.reverse();
    index
}
