//! Sets from files in memory, as a page gets them. Where there are no test images, a part is held out.

use std::path::Path;

use super::read::{array, idx, pixels};
use super::{DataError, ImageSet, Listener, Prepare, Split};

/// The images in the bytes of a `.npy` file of this name.
///
/// # Errors
///
/// What is wrong with the file, or that it has too few images.
pub fn from_npy(
    bytes: &[u8],
    name: &str,
    prepare: &Prepare,
    listener: &mut Listener<'_>,
) -> Result<ImageSet, DataError> {
    let mut visit = |take: &mut array::Take<'_>| take(&mut &bytes[..], bytes.len() as u64);
    let all = array::images(&mut visit, prepare.image_size, Path::new(name), listener)?;
    cut(all, name, prepare, listener)
}

/// Images and labels of a split, each the bytes of an IDX file, raw or gzip.
pub type IdxFiles<'a> = (&'a [u8], Option<&'a [u8]>);

/// The images in IDX files; errors name the set.
///
/// # Errors
///
/// What is wrong with a file, or that there are too few images.
pub fn from_idx(
    train: IdxFiles<'_>,
    test: Option<IdxFiles<'_>>,
    name: &str,
    prepare: &Prepare,
    listener: &mut Listener<'_>,
) -> Result<ImageSet, DataError> {
    let read = |(images, labels)| idx::in_memory(images, labels, Path::new(name));
    let train = read(train)?;
    let mut set = match test.map(read).transpose()? {
        Some(test) if test.images.shape() != train.images.shape() => {
            return Err(DataError::at(Path::new(name))(
                "training and test images differ in size: the files are of two sets",
            ));
        }
        Some(test) => prepared([train, test], name, prepare)?,
        None => cut(train, name, prepare, listener)?,
    };
    set.black_and_white = true;
    Ok(set)
}

/// Images at one byte per value, `[N, H, W, C]`, that were decoded elsewhere.
///
/// # Errors
///
/// That the bytes are not whole images, that labels are missing, or that there are too few images.
pub fn from_pixels(
    shape: [usize; 3],
    pixels: Vec<u8>,
    labels: Option<Vec<u32>>,
    name: &str,
    prepare: &Prepare,
    listener: &mut Listener<'_>,
) -> Result<ImageSet, DataError> {
    let refused = DataError::at(Path::new(name));
    let size = shape.iter().product::<usize>().max(1);
    let count = pixels.len() / size;
    if count == 0 || !pixels.len().is_multiple_of(size) {
        return Err(refused("its bytes are not one or more whole images"));
    }
    if labels.as_ref().is_some_and(|labels| labels.len() != count) {
        return Err(refused("there is not one label for each image"));
    }
    cut(
        pixels::split(shape, pixels, labels),
        name,
        prepare,
        listener,
    )
}

fn cut(
    all: Split,
    name: &str,
    prepare: &Prepare,
    listener: &mut Listener<'_>,
) -> Result<ImageSet, DataError> {
    let parts = pixels::cut(all, prepare.test_fraction, Path::new(name), listener)?;
    prepared(parts, name, prepare)
}

fn prepared(parts: [Split; 2], name: &str, prepare: &Prepare) -> Result<ImageSet, DataError> {
    let [train, test] = parts.map(|part| pixels::prepared(part, prepare));
    Ok(ImageSet::new(stem(name), train?, test?))
}

/// The name of a set in a file.
fn stem(file: &str) -> &str {
    let stem = file.split('.').find(|part| !part.is_empty());
    stem.unwrap_or("images")
}
