//! Image sets in memory.

use std::path::Path;

use cvae_gpu::data::{DataError, Depth, ImageSet, Prepare, Progress, Size, Split, memory, packed};
use serde_json::json;
use wasm_bindgen::prelude::*;

/// A set of images, binarized as it is by default.
#[wasm_bindgen]
pub struct Images {
    pub(crate) set: ImageSet,
    notes: Vec<String>,
    /// The fingerprint of the whole set.
    pub(crate) sha256: String,
}

fn note(notes: &mut Vec<String>) -> impl FnMut(Progress<'_>) {
    |progress| {
        if let Progress::Note(text) = progress {
            notes.push(text.to_owned());
        }
    }
}

/// The preparation with squares of this size.
fn sized(size: Option<usize>) -> Result<Prepare, JsError> {
    let prepare = Prepare {
        size: size.map(Size::Square),
        ..Prepare::default()
    };
    prepare.validate().map_err(|e| JsError::new(&e))?;
    Ok(prepare)
}

impl Images {
    fn noted(set: Result<ImageSet, DataError>, notes: Vec<String>) -> Result<Images, JsError> {
        let set = set?;
        let (binarize, _) = set.usual()?;
        let set = set.binarized(binarize)?;
        Ok(Images {
            sha256: set.fingerprint()?,
            set,
            notes,
        })
    }

    fn split(&self, test: bool) -> &Split {
        match test {
            true => &self.set.test,
            false => &self.set.train,
        }
    }
}

#[wasm_bindgen]
impl Images {
    /// The set in the bytes of a packed set; `name` is that of the file.
    pub fn packed(bytes: &[u8], name: &str) -> Result<Images, JsError> {
        let set = packed::read(bytes, Path::new(name));
        Images::noted(set.map(|(set, _)| set), Vec::new())
    }

    /// The images in the bytes of a `.npy` file, resized to `size` pixels a side if it is given; a part is
    /// held out for the test.
    pub fn npy(bytes: &[u8], name: &str, size: Option<usize>) -> Result<Images, JsError> {
        let mut notes = Vec::new();
        let set = memory::from_npy(bytes, name, &sized(size)?, &mut note(&mut notes));
        Images::noted(set, notes)
    }

    /// The images in the bytes of IDX files, raw or gzip, with labels or not. Without test images a part
    /// is held out.
    pub fn idx(
        train: &[u8],
        train_labels: Option<Vec<u8>>,
        test: Option<Vec<u8>>,
        test_labels: Option<Vec<u8>>,
        name: &str,
    ) -> Result<Images, JsError> {
        let mut notes = Vec::new();
        let test = test.as_deref().map(|test| (test, test_labels.as_deref()));
        let train = (train, train_labels.as_deref());
        let set = memory::from_idx(
            train,
            test,
            name,
            &Prepare::default(),
            &mut note(&mut notes),
        );
        Images::noted(set, notes)
    }

    /// Pictures that the browser decoded: `[N, H, W, C]`, a byte per value. A part is held out.
    pub fn pixels(
        height: usize,
        width: usize,
        channels: usize,
        bytes: Vec<u8>,
        labels: Option<Vec<u32>>,
        name: &str,
    ) -> Result<Images, JsError> {
        let mut notes = Vec::new();
        let shape = [height, width, channels];
        let set = memory::from_pixels(
            shape,
            bytes,
            labels,
            name,
            &Prepare::default(),
            &mut note(&mut notes),
        );
        Images::noted(set, notes)
    }

    /// The same set with the first `count` test images alone, so that evaluations are short.
    #[wasm_bindgen(js_name = firstTests)]
    pub fn first_tests(&self, count: usize) -> Images {
        let mut set = self.set.clone();
        set.test = set.test.first(count);
        Images {
            set,
            notes: self.notes.clone(),
            sha256: self.sha256.clone(),
        }
    }

    /// Remarks of the readers, a line each.
    pub fn notes(&self) -> String {
        self.notes.join("\n")
    }

    /// Name, shape, counts and classes, as JSON.
    pub fn about(&self) -> String {
        let set = &self.set;
        let classes = set.largest_label().map_or(0, |most| most as usize + 1);
        json!({
            "name": set.name,
            "shape": set.shape(),
            "train": set.train.images.count(),
            "test": set.test.images.count(),
            "classes": classes.max(set.classes.len()),
            "classNames": set.classes,
            "real": set.train.images.depth() != Depth::Bit,
        })
        .to_string()
    }

    /// Values `[count, H, W, C]` of images from `first` on; fewer at the end of the split.
    pub fn values(&self, test: bool, first: usize, count: usize) -> Result<Vec<f32>, JsError> {
        let images = &self.split(test).images;
        let end = images.count().min(first.saturating_add(count));
        let values = (first..end).map(|i| images.values(i));
        Ok(values.collect::<Result<Vec<_>, _>>()?.concat())
    }

    /// Labels of images from `first` on; none where the set has none.
    pub fn labels(&self, test: bool, first: usize, count: usize) -> Vec<u32> {
        let labels = self.split(test).labels.iter().flatten();
        labels.skip(first).take(count).copied().collect()
    }
}
