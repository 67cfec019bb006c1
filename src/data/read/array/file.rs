//! An array in a file.

use std::io::BufReader;
use std::path::Path;

use super::contents::{Array, PIECE, Take};
use super::levels::Levels;
use crate::data::set::{Bytes, Collector};
use crate::data::{DataError, Listener, Prepare, Split};
use crate::files::extent::Extent;
use crate::files::regular;

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
    let bytes = match is_as_stored(&array) && size > Collector::MOST {
        true => {
            let extent = Extent::open(path, array.header.start);
            Bytes::File(extent.map_err(DataError::io(path))?)
        }
        false => array.images(&mut visit, path)?,
    };
    Ok(array.split(bytes))
}

/// Whether the file holds the bytes of the images in order.
fn is_as_stored(array: &Array) -> bool {
    let Array { header, form, .. } = array;
    let as_stored = match array.levels {
        Levels::Bytes => header.dtype.is_byte(),
        Levels::Real => header.dtype.is_little_f32(),
        Levels::BlackAndWhite | Levels::Unit => false,
    };
    as_stored && !header.fortran_order && form.strides.is_sorted_by(|a, b| a >= b)
}
