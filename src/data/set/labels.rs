//! Images with the labels that a conditioned model needs.

use super::{PackedImages, Split};

/// Why labels do not serve a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LabelError {
    /// There are none.
    #[error("the model is conditioned on {0} classes, but the images have no labels")]
    Missing(usize),
    /// A label is beyond the classes of the model.
    #[error("image {image} has the label {label}, but the model knows the labels 0 to {}", .classes - 1)]
    Beyond {
        /// Index of the image.
        image: usize,
        /// Its label.
        label: u32,
        /// Classes of the model.
        classes: usize,
    },
    /// There are not as many labels as images or codes.
    #[error("there are {labels} labels for {items} images")]
    Count {
        /// Labels given.
        labels: usize,
        /// Images or codes.
        items: usize,
    },
}

/// Checks labels of `items` images for a model of `classes` classes; a model of 0 classes needs none.
pub fn check_labels(
    labels: Option<&[u32]>,
    items: usize,
    classes: usize,
) -> Result<(), LabelError> {
    if classes == 0 {
        return Ok(());
    }
    let labels = labels.ok_or(LabelError::Missing(classes))?;
    if labels.len() != items {
        let labels = labels.len();
        return Err(LabelError::Count { labels, items });
    }
    let beyond = |label: &u32| *label as usize >= classes;
    match labels.iter().position(beyond) {
        None => Ok(()),
        Some(image) => Err(LabelError::Beyond {
            image,
            label: labels[image],
            classes,
        }),
    }
}

/// Images, and their labels where they have some.
#[derive(Clone, Copy, Debug)]
pub struct Labelled<'a> {
    /// The images.
    pub images: &'a PackedImages,
    /// One label per image.
    pub labels: Option<&'a [u32]>,
}

impl<'a> From<&'a PackedImages> for Labelled<'a> {
    fn from(images: &'a PackedImages) -> Self {
        let labels = None;
        Labelled { images, labels }
    }
}

impl<'a> From<&'a Split> for Labelled<'a> {
    fn from(split: &'a Split) -> Self {
        Labelled {
            images: &split.images,
            labels: split.labels.as_deref(),
        }
    }
}
