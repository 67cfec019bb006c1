//! What the numbers of an array mean.

use crate::data::Depth;
use crate::files::npy::{Dtype, Header};
use crate::files::tensors::coordinates;

/// The range of numbers, each end with the place of its first number.
pub struct Range {
    pub count: usize,
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
    /// Takes the next numbers.
    pub fn take(&mut self, dtype: Dtype, piece: &[u8]) {
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
pub enum Levels {
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
    /// Finds the meaning of numbers in this range.
    pub fn of(range: &Range, header: &Header) -> Result<Levels, String> {
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
    pub fn note(self, dtype: Dtype) -> Option<&'static str> {
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

    /// How images are stored.
    pub fn depth(self) -> Depth {
        match self {
            Levels::BlackAndWhite | Levels::Unit | Levels::Bytes => Depth::Byte,
            Levels::Real => Depth::Float,
        }
    }

    /// Bytes of a stored value.
    pub fn width(self) -> usize {
        self.depth().image_bytes(1)
    }

    /// Stores a number as the value of this index.
    pub fn store(self, number: f64, index: usize, into: &mut [u8]) {
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
