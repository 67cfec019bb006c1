//! The images of a folder, added one by one.

use std::mem;
use std::path::{Path, PathBuf};

use super::decode::Decoded;
use crate::data::read::pixels;
use crate::data::set::Collector;
use crate::data::{DataError, Depth, PackedImages, Prepare};

/// Images that are grey until one of them has a colour, unless the channels are given.
pub struct Stack<'a> {
    prepare: &'a Prepare,
    /// The first image; the others must have the same size.
    first: PathBuf,
    /// Images that have colours.
    coloured: Vec<PathBuf>,
    count: usize,
    /// Height, width and channels.
    pub shape: [usize; 3],
    /// The bytes of the images.
    pub values: Collector,
}

impl<'a> Stack<'a> {
    pub fn new(prepare: &'a Prepare) -> Self {
        Stack {
            prepare,
            first: PathBuf::new(),
            coloured: Vec::new(),
            count: 0,
            shape: [0, 0, prepare.channels.unwrap_or(1)],
            values: Collector::default(),
        }
    }

    pub fn push(&mut self, path: &Path, image: Decoded) -> Result<(), DataError> {
        let Decoded {
            size,
            is_coloured,
            bytes,
        } = image;
        let Stack { shape, values, .. } = self;
        if self.count == 0 {
            shape[..2].copy_from_slice(&size);
            path.clone_into(&mut self.first);
        } else if shape[..2] != size {
            let [size, first] = [&size, &shape[..2]].map(|s| format!("{}×{}", s[0], s[1]));
            let (path, other) = (path.to_owned(), self.first.clone());
            return Err(DataError::MixedSizes(path, size, other, first));
        }
        if self.prepare.channels.is_none() && is_coloured {
            if shape[2] == 1 {
                let grey = mem::take(values).finish()?;
                let grey = PackedImages::of_bytes(*shape, Depth::Byte, grey);
                for i in 0..grey.count() {
                    let colours: Vec<u8> = pixels::repeated(&grey.image(i)?, 3).collect();
                    values.push(&colours)?;
                }
                shape[2] = 3;
            }
            self.coloured.push(path.to_owned());
        }
        self.count += 1;
        if bytes.len() == shape.iter().product::<usize>() {
            values.push(&bytes)
        } else {
            let colours: Vec<u8> = pixels::repeated(&bytes, 3).collect();
            values.push(&colours)
        }
    }

    /// What is worth saying of a few coloured images among grey ones.
    pub fn note(&self) -> Option<String> {
        let (few, count) = (self.coloured.len(), self.count);
        let first = self.coloured.first()?;
        let are_few = self.prepare.channels.is_none() && few * 10 <= count;
        are_few.then(|| {
            format!(
                "the images are in colour because of {few} of {count}, the first: {}",
                first.display()
            )
        })
    }
}
