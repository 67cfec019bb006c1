//! Weights in PyTorch's layout.

use std::path::Path;

use cvae_gpu::data::Binarize;
use cvae_gpu::files::tensors::{Tensor, TensorFile};
use cvae_gpu::model::{Filters, Loss};
use cvae_gpu::saved::Trained;
use cvae_gpu::saved::pytorch::{from_pytorch, is_pytorch, to_pytorch};

/// A model with distinct weights.
fn trained() -> Trained {
    let model = Filters {
        image: [12, 8, 3],
        latent_dim: 3,
        encoder_filters: vec![5, 7],
        decoder_base: 2,
        decoder_filters: vec![4, 6],
        loss: Loss::AnalyticKl,
        beta: 1.0,
    }
    .model();
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
        classes: Vec::new(),
        binarize: Binarize::None,
    }
}

#[test]
fn models_survive_the_way_there_and_back() {
    let file = to_pytorch(&trained());
    assert!(is_pytorch(&file) && !is_pytorch(&trained().to_file()));
    let path = Path::new("m.safetensors");
    let back = from_pytorch(path, file.clone(), None, None).unwrap();
    assert_eq!(back, trained());
    // Without metadata the image size must be given; the objective is the default.
    let mut plain = file;
    plain.metadata.clear();
    let back = from_pytorch(path, plain, None, Some([12, 8, 1])).unwrap();
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
        assert!(
            from_pytorch(Path::new("m"), file, None, None).is_err(),
            "{name}"
        );
    }
}
