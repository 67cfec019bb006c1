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

use std::path::Path;

use crate::files::tensors::{Tensor, TensorData, TensorFile};
use crate::model::layers::{Kind, Stack};
use crate::saved::{ModelFileError, Stored, Trained};

/// Permutations between `[3, 3, a, b]` and `[b, a, 3, 3]`.
const TO_PYTORCH: [usize; 4] = [3, 2, 0, 1];
const FROM_PYTORCH: [usize; 4] = [2, 3, 1, 0];

/// Names of the dense layers.
const DENSE: [&str; 2] = ["encoder.dense", "decoder.dense"];

/// The weights with PyTorch's names and layouts, and the configuration.
#[must_use]
pub fn to_pytorch(trained: &Trained) -> TensorFile {
    let mut file = TensorFile {
        metadata: trained.to_file().metadata,
        ..TensorFile::default()
    };
    file.metadata.insert("format".into(), "pt".into());
    for (spec, values) in &trained.weights {
        let pixels = pixels_first(trained, &spec.name);
        let values = match pixels {
            Some((before, pixels, channels, after)) => {
                permute(values, &[before, pixels, channels, after], &[0, 2, 1, 3])
            }
            None => values.clone(),
        };
        let (name, axes) = match (spec.name.strip_suffix(".kernel"), spec.shape.len()) {
            (Some(layer), 4) => (format!("{layer}.weight"), &TO_PYTORCH[..]),
            (Some(layer), _) => (format!("{layer}.weight"), &[1, 0][..]),
            (None, _) => (spec.name.clone(), &[0][..]),
        };
        let shape: Vec<usize> = axes.iter().map(|&axis| spec.shape[axis]).collect();
        let values = permute(&values, &spec.shape, axes);
        file.tensors.insert(name, Tensor::f32(shape, values));
    }
    file
}

/// Shape and values of a convolution's kernel in the layout of PyTorch and ONNX.
pub(crate) fn kernel_to_pytorch(shape: &[usize], values: &[f32]) -> (Vec<usize>, Vec<f32>) {
    let turned = TO_PYTORCH.map(|axis| shape[axis]).to_vec();
    (turned, permute(values, shape, &TO_PYTORCH))
}

/// True if the tensors have PyTorch's names.
#[must_use]
pub fn is_pytorch(file: &TensorFile) -> bool {
    file.tensors.contains_key("encoder.conv1.weight")
}

/// The model in a file of PyTorch's layout. `image` is the image size `[H, W]` to try first for a
/// file without configuration; `path` is for messages.
///
/// # Errors
///
/// Those of [`Stored::open`].
pub fn from_pytorch(
    path: &Path,
    file: TensorFile,
    image: Option<[usize; 2]>,
) -> Result<Trained, ModelFileError> {
    let metadata = file.metadata;
    let tensors = file.tensors.into_iter().map(|(name, tensor)| {
        let Some(layer) = name.strip_suffix(".weight") else {
            return (name, tensor);
        };
        let axes = match tensor.shape.len() {
            4 => &FROM_PYTORCH[..],
            2 => &[1, 0],
            // Opening the file refuses other shapes.
            _ => return (format!("{layer}.kernel"), tensor),
        };
        (format!("{layer}.kernel"), transposed(&tensor, axes))
    });
    let tensors = tensors.collect();
    let stored = Stored::new(path, TensorFile { tensors, metadata })?;
    // The number of flattened pixels follows from the model.
    let mut trained = stored.open(image)?;
    let orders: Vec<_> = (trained.weights.iter())
        .map(|(spec, _)| pixels_first(&trained, &spec.name))
        .collect();
    for ((_, values), order) in trained.weights.iter_mut().zip(orders) {
        if let Some((before, pixels, channels, after)) = order {
            *values = permute(values, &[before, channels, pixels, after], &[0, 2, 1, 3]);
        }
    }
    Ok(trained)
}

/// The axes of a tensor of a dense layer with a flattened image: `[before, pixels, channels, after]`;
/// `None` for other tensors.
fn pixels_first(trained: &Trained, name: &str) -> Option<(usize, usize, usize, usize)> {
    let model = &trained.model;
    let dense = |stack: &Stack| {
        stack.layers.iter().find_map(|layer| match layer.kind {
            Kind::Dense(dense) => Some(dense),
            Kind::Conv(_) | Kind::Deconv(_) => None,
        })
    };
    let [encoder, decoder] = DENSE;
    let (layer, part) = name.rsplit_once('.')?;
    if layer == encoder && part == "kernel" {
        let (dense, channels) = (dense(&model.encoder())?, model.encoder_filters[1]);
        Some((1, dense.inputs / channels, channels, dense.outputs))
    } else if layer == decoder {
        let (dense, channels) = (dense(&model.decoder())?, model.decoder_base);
        let before = if part == "kernel" { dense.inputs } else { 1 };
        Some((before, dense.outputs / channels, channels, 1))
    } else {
        None
    }
}

fn transposed(tensor: &Tensor, axes: &[usize]) -> Tensor {
    let shape: Vec<usize> = axes.iter().map(|&axis| tensor.shape[axis]).collect();
    let data = match &tensor.data {
        TensorData::F32(values) => TensorData::F32(permute(values, &tensor.shape, axes)),
        TensorData::U32(values) => TensorData::U32(permute(values, &tensor.shape, axes)),
    };
    Tensor { shape, data }
}

/// Transposes an array: axis k of the result is axis `axes[k]`.
fn permute<T: Copy>(values: &[T], shape: &[usize], axes: &[usize]) -> Vec<T> {
    let stride = |axis: usize| shape[axis + 1..].iter().product::<usize>();
    let walk: Vec<(usize, usize)> = axes.iter().map(|&a| (shape[a], stride(a))).collect();
    let source = |at: usize| {
        let step = |(rest, from): (usize, usize), (size, stride): &(usize, usize)| {
            (rest / size, from + rest % size * stride)
        };
        walk.iter().rev().fold((at, 0), step).1
    };
    (0..values.len()).map(|at| values[source(at)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Binarize;
    use crate::model::{Loss, Model};

    #[test]
    fn arrays_are_permuted_by_axes() {
        // [2, 3] and [2, 1, 3].
        assert_eq!(
            permute(&[1, 2, 3, 4, 5, 6], &[2, 3], &[1, 0]),
            [1, 4, 2, 5, 3, 6]
        );
        let turned = permute(&[1, 2, 3, 4, 5, 6], &[2, 1, 3], &[2, 0, 1]);
        assert_eq!(turned, [1, 4, 2, 5, 3, 6]);
        assert!(permute::<u8>(&[], &[0, 3], &[1, 0]).is_empty());
    }

    /// A model with distinct weights.
    fn trained() -> Trained {
        let model = Model {
            image: [12, 8, 3],
            latent_dim: 3,
            encoder_filters: [5, 7],
            decoder_base: 2,
            decoder_filters: [4, 6],
            loss: Loss::AnalyticKl,
            beta: 1.0,
        };
        let mut next = 0.0;
        let mut number = || {
            next += 1.0;
            next
        };
        let weights = model.params().into_iter().map(|spec| {
            let values = (0..spec.len()).map(|_| number()).collect();
            (spec, values)
        });
        Trained {
            weights: weights.collect(),
            model,
            data: None,
            binarize: Binarize::None,
        }
    }

    #[test]
    fn models_survive_the_way_there_and_back() {
        let file = to_pytorch(&trained());
        assert!(is_pytorch(&file) && !is_pytorch(&trained().to_file()));
        let path = Path::new("m.safetensors");
        let back = from_pytorch(path, file.clone(), None).unwrap();
        assert_eq!(back, trained());
        // Without metadata the image size must be given; the objective is the default.
        let mut plain = file;
        plain.metadata.clear();
        let back = from_pytorch(path, plain, Some([12, 8])).unwrap();
        assert_eq!(back.weights, trained().weights);
    }

    #[test]
    fn weights_stand_where_pytorch_looks_for_them() {
        let (ours, theirs) = (trained().to_file(), to_pytorch(&trained()));
        let value = |file: &TensorFile, name: &str, at: &[usize]| {
            let tensor = &file.tensors[name];
            assert_eq!(tensor.shape.len(), at.len(), "{name}");
            let place = tensor.shape.iter().zip(at).fold(0, |p, (n, i)| p * n + i);
            tensor.as_f32().unwrap()[place]
        };
        for (kernel, weight, here, there) in [
            (
                "encoder.conv2.kernel",
                "encoder.conv2.weight",
                vec![1, 2, 3, 4],
                vec![4, 3, 1, 2],
            ),
            (
                "decoder.deconv1.kernel",
                "decoder.deconv1.weight",
                vec![2, 0, 3, 1],
                vec![1, 3, 2, 0],
            ),
            // Of images 2 × 1 × 7 behind the convolutions: row 1, channel 5.
            (
                "encoder.dense.kernel",
                "encoder.dense.weight",
                vec![7 + 5, 2],
                vec![2, 5 * 2 + 1],
            ),
            // Of images 3 × 2 × 2: row 2, column 1, channel 0.
            (
                "decoder.dense.kernel",
                "decoder.dense.weight",
                vec![1, 10],
                vec![5, 1],
            ),
            (
                "decoder.dense.bias",
                "decoder.dense.bias",
                vec![10],
                vec![5],
            ),
            ("encoder.dense.bias", "encoder.dense.bias", vec![4], vec![4]),
        ] {
            assert_eq!(
                value(&ours, kernel, &here),
                value(&theirs, weight, &there),
                "{kernel}"
            );
        }
    }

    #[test]
    fn what_is_no_model_is_refused() {
        for (name, shape) in [
            ("encoder.conv1.weight", vec![5, 3, 3]),
            ("encoder.dense.weight", vec![7]),
            ("decoder.dense.weight", vec![12, 9]),
        ] {
            let mut file = to_pytorch(&trained());
            let values = vec![0.0; shape.iter().product()];
            file.tensors.insert(name.into(), Tensor::f32(shape, values));
            assert!(from_pytorch(Path::new("m"), file, None).is_err(), "{name}");
        }
    }
}
