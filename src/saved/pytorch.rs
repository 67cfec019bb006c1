//! Conversion of weights to and from PyTorch's layout.
//!
//! | layer | here (Keras) | PyTorch |
//! |---|---|---|
//! | convolution | `kernel [3, 3, in, out]` | `weight [out, in, 3, 3]` of `Conv2d` |
//! | transposed convolution | `kernel [3, 3, out, in]` | `weight [in, out, 3, 3]` of `ConvTranspose2d` |
//! | dense | `kernel [in, out]` | `weight [out, in]` of `Linear` |
//!
//! PyTorch flattens images channel by channel, Keras pixel by pixel. This permutes the inputs of the
//! encoder's dense layer and the outputs of the decoder's. Taps keep their order. Padding is not part
//! of the weights: convolutions of stride 2 have none, and a PyTorch user crops the output of a
//! transposed convolution of stride 2 without padding to its first 2n rows and columns.

use std::collections::BTreeMap;
use std::path::Path;

use crate::files::tensors::{Tensor, TensorData, TensorFile};
use crate::model::Model;
use crate::model::layers::Kind;
use crate::saved::{ModelFileError, Stored, Trained};

/// Permutations between `[3, 3, a, b]` and `[b, a, 3, 3]`.
pub(super) const TO_PYTORCH: [usize; 4] = [3, 2, 0, 1];
const FROM_PYTORCH: [usize; 4] = [2, 3, 1, 0];

/// The weights with PyTorch's names and layouts, and the configuration.
#[must_use]
pub fn to_pytorch(trained: &Trained) -> TensorFile {
    let mut trained = trained.clone();
    reorder(&mut trained, |axes| axes);
    let mut file = trained.to_file();
    file.metadata.insert("format".into(), "pt".into());
    file.tensors = converted(file.tensors, [".kernel", ".weight"], &TO_PYTORCH);
    file
}

/// True if the tensors have PyTorch's names.
#[must_use]
pub fn is_pytorch(file: &TensorFile) -> bool {
    file.tensors.keys().any(|name| name.ends_with(".weight"))
}

/// The model in a file of PyTorch's layout. A file without configuration has the model `described`, or
/// one whose image size `[H, W, C]` is `image`, if that fits; `path` is for messages.
pub fn from_pytorch(
    path: &Path,
    mut file: TensorFile,
    described: Option<Model>,
    image: Option<[usize; 3]>,
) -> Result<Trained, ModelFileError> {
    file.tensors = converted(file.tensors, [".weight", ".kernel"], &FROM_PYTORCH);
    let mut trained = Stored::new(path, file)?.assume(described).open(image)?;
    reorder(&mut trained, |[before, pixels, channels, after]| {
        [before, channels, pixels, after]
    });
    Ok(trained)
}

/// Transposes kernels, and replaces the ends of their names. Opening the file refuses kernels of other
/// shapes.
fn converted(
    tensors: BTreeMap<String, Tensor>,
    [from, to]: [&str; 2],
    conv: &[usize; 4],
) -> BTreeMap<String, Tensor> {
    let convert = |(name, tensor): (String, Tensor)| {
        let Some(layer) = name.strip_suffix(from) else {
            return (name, tensor);
        };
        let axes = match tensor.shape.len() {
            4 => &conv[..],
            2 => &[1, 0],
            _ => return (format!("{layer}{to}"), tensor),
        };
        let (shape, data) = match &tensor.data {
            TensorData::F32(values) => {
                let (shape, values) = transpose(&tensor.shape, values, axes);
                (shape, TensorData::F32(values))
            }
            TensorData::U32(values) => {
                let (shape, values) = transpose(&tensor.shape, values, axes);
                (shape, TensorData::U32(values))
            }
            TensorData::I32(values) => {
                let (shape, values) = transpose(&tensor.shape, values, axes);
                (shape, TensorData::I32(values))
            }
        };
        (format!("{layer}{to}"), Tensor { shape, data })
    };
    tensors.into_iter().map(convert).collect()
}

/// Exchanges pixels and channels in the parameters of dense layers with a flattened image. `shape`
/// turns `[before, pixels, channels, after]` into the present order.
fn reorder(trained: &mut Trained, shape: fn([usize; 4]) -> [usize; 4]) {
    let images = flattened(&trained.model);
    for (spec, values) in &mut trained.weights {
        for (_, axes) in images.iter().filter(|(name, _)| *name == spec.name) {
            // What follows are the weights of labels.
            let end = axes.iter().product();
            let (_, moved) = transpose(&shape(*axes), &values[..end], &[0, 2, 1, 3]);
            values[..end].copy_from_slice(&moved);
        }
    }
}

/// The parameters along whose axes images are flattened, with `[before, pixels, channels, after]`.
fn flattened(model: &Model) -> Vec<(String, [usize; 4])> {
    let mut found = Vec::new();
    let image = || Some(model.image.to_vec());
    let stacks = [
        (model.encoder(), image(), None),
        (model.decoder(), None, image()),
    ];
    for (stack, first, last) in stacks {
        let layers = &stack.layers;
        for (i, layer) in layers.iter().enumerate() {
            let Kind::Dense(dense) = layer.kind else {
                continue;
            };
            let [kernel, bias] = layer.params().map(|spec| spec.name);
            let before = layers[..i]
                .last()
                .map_or(first.clone(), |l| Some(l.output()));
            if let Some(&[height, width, channels]) = before.as_deref() {
                found.push((kernel.clone(), [1, height * width, channels, dense.outputs]));
            }
            let after = layers[i + 1..].first();
            let after = after.map_or(last.clone(), |l| Some(l.input()));
            if let Some(&[height, width, channels]) = after.as_deref() {
                found.push((kernel, [dense.inputs, height * width, channels, 1]));
                found.push((bias, [1, height * width, channels, 1]));
            }
        }
    }
    found
}

/// Shape and values of a transposed array: axis k of the result is axis `axes[k]`.
pub(super) fn transpose<T: Copy>(
    shape: &[usize],
    values: &[T],
    axes: &[usize],
) -> (Vec<usize>, Vec<T>) {
    let stride = |axis: usize| shape[axis + 1..].iter().product::<usize>();
    let walk: Vec<(usize, usize)> = axes.iter().map(|&a| (shape[a], stride(a))).collect();
    let source = |at: usize| {
        let step = |(rest, from): (usize, usize), (size, stride): &(usize, usize)| {
            (rest / size, from + rest % size * stride)
        };
        walk.iter().rev().fold((at, 0), step).1
    };
    (
        walk.iter().map(|(size, _)| *size).collect(),
        (0..values.len()).map(|at| values[source(at)]).collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_are_transposed_by_axes() {
        let rows = [1, 2, 3, 4, 5, 6];
        let columns = vec![1, 4, 2, 5, 3, 6];
        assert_eq!(
            transpose(&[2, 3], &rows, &[1, 0]),
            (vec![3, 2], columns.clone())
        );
        assert_eq!(
            transpose(&[2, 1, 3], &rows, &[2, 0, 1]),
            (vec![3, 2, 1], columns)
        );
        assert!(transpose::<u8>(&[0, 3], &[], &[1, 0]).1.is_empty());
    }
}
