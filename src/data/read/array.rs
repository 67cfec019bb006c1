//! Images in a `.npy` file of NumPy: `[N, H, W]`, `[N, H, W, C]`, `[N, C, H, W]`, or `[N, H·W·C]` where
//! the size is known; booleans, integers or floats of any width, in C or Fortran order.
//!
//! Brightness is a number from 0 to 1 or a whole number from 0 to 255. Numbers that are all 0 or 1 are
//! black and white. The file is read twice, a piece at a time: first for the range of its numbers, then
//! for its images.

use std::io::{BufReader, Read};
use std::path::Path;

use super::pixels::Pixels;
use crate::data::{DataError, Listener, Prepare, Progress};
use crate::files::npy::{Dtype, Header, Places};
use crate::files::regular;
use crate::files::tensors::coordinates;

/// Bytes that are read at a time; a multiple of the width of any number.
const PIECE: usize = 1 << 20;

/// Receives a file from its beginning, and its length.
pub type Take<'t> = dyn FnMut(&mut dyn Read, u64) -> Result<(), DataError> + 't;

/// Reads the images of a file.
pub fn read(
    path: &Path,
    prepare: &Prepare,
    listener: &mut Listener<'_>,
) -> Result<Pixels, DataError> {
    let mut visit = |take: &mut Take<'_>| {
        let file = regular::open(path).map_err(DataError::io(path))?;
        let length = file.limit();
        take(&mut BufReader::with_capacity(PIECE, file), length)
    };
    pixels(&mut visit, prepare.image_size, path, listener)
}

/// The images of an array that `visit` hands over, each time from its beginning.
pub fn pixels(
    visit: &mut dyn FnMut(&mut Take<'_>) -> Result<(), DataError>,
    size: Option<[usize; 3]>,
    path: &Path,
    listener: &mut Listener<'_>,
) -> Result<Pixels, DataError> {
    let refused =
        |reason: String| DataError::at(path)(format!("cannot be used as images: {reason}"));
    let (mut read, mut range) = (None, Range::default());
    visit(&mut |file, length| {
        let header = Header::read(file, length).map_err(refused)?;
        let form = Form::of(&header.shape, size, path)?;
        pieces(file, header.dtype, path, &mut |numbers| {
            range.take(numbers);
        })?;
        read = Some((header, form));
        Ok(())
    })?;
    let (header, form) = read.ok_or_else(|| refused("it is empty".into()))?;
    let count: usize = header.shape.iter().product();
    if range.count != count {
        return Err(refused(
            "it ends before its last number: copy or make it again".into(),
        ));
    }
    let levels = Levels::of(&range, &header).map_err(refused)?;
    let notes = [form.note.as_deref(), levels.note(header.dtype)];
    for note in notes.into_iter().flatten() {
        listener(Progress::Note(&format!("{}: {note}", path.display())));
    }
    let mut values = Vec::new();
    if values.try_reserve_exact(count).is_err() {
        return Err(refused(format!(
            "its {count} values do not fit into memory"
        )));
    }
    values.resize(count, 0);
    let mut places = Places::new(&header, &form.strides);
    visit(&mut |file, length| {
        let header = Header::read(file, length).map_err(refused)?;
        pieces(file, header.dtype, path, &mut |numbers| {
            for (number, place) in numbers.zip(&mut places) {
                values[place] = levels.of_number(number);
            }
        })
    })?;
    Ok(Pixels {
        shape: form.shape,
        values,
        labels: None,
    })
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
    pieces(file, header.dtype, path, &mut |numbers| {
        for number in numbers {
            let is_label = number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number);
            if !is_label {
                wrong.get_or_insert((number, labels.len()));
            }
            labels.push(number as u32);
        }
    })?;
    match wrong {
        Some((number, at)) => Err(refused(format!(
            "must be whole numbers from 0 up, but number {at} is {number}"
        ))),
        None => Ok(labels),
    }
}

/// Hands on the numbers of a file, a piece at a time.
fn pieces(
    mut file: &mut dyn Read,
    dtype: Dtype,
    path: &Path,
    take: &mut dyn FnMut(&mut dyn Iterator<Item = f64>),
) -> Result<(), DataError> {
    let mut piece = Vec::with_capacity(PIECE);
    loop {
        piece.clear();
        let read = (&mut file).take(PIECE as u64).read_to_end(&mut piece);
        if read.map_err(DataError::io(path))? == 0 {
            return Ok(());
        }
        take(&mut dtype.numbers(&piece));
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
    fn take(&mut self, numbers: &mut dyn Iterator<Item = f64>) {
        for number in numbers {
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
#[derive(Clone, Copy, PartialEq)]
enum Levels {
    /// All are 0 or 1.
    BlackAndWhite,
    /// From 0 to 1.
    Unit,
    /// Whole, from 0 to 255.
    Bytes,
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
            return Err(format!(
                "{}: {WANTED}; save the images as they were before they were centred or standardized",
                shown(range.least)
            ));
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
            Levels::BlackAndWhite if !dtype.is_bool() => {
                Some("its numbers are all 0 or 1: they are black and white")
            }
            Levels::Bytes if !dtype.is_byte() => {
                Some("its numbers are whole, up to 255: they are divided by 255")
            }
            _ => None,
        }
    }

    fn of_number(self, number: f64) -> u8 {
        match self {
            Levels::BlackAndWhite | Levels::Unit => (255.0 * number).round() as u8,
            Levels::Bytes => number as u8,
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
