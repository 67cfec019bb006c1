//! Image sets in memory.

use std::path::Path;

use cvae_gpu::data::{Depth, ImageSet, Split, packed};
use serde_json::json;
use wasm_bindgen::prelude::*;

/// A set of images.
#[wasm_bindgen]
pub struct Images(pub(crate) ImageSet);

#[wasm_bindgen]
impl Images {
    /// The set in the bytes of a packed set; `name` is that of the file.
    pub fn packed(bytes: &[u8], name: &str) -> Result<Images, JsError> {
        Ok(Images(packed::read(bytes, Path::new(name))?.0))
    }

    /// Name, shape, counts and classes, as JSON.
    pub fn about(&self) -> String {
        let Images(set) = self;
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

    fn split(&self, test: bool) -> &Split {
        match test {
            true => &self.0.test,
            false => &self.0.train,
        }
    }
}
