//! Model files, with and without a configuration.

use std::path::Path;

use cvae_gpu::data::Binarize;
use cvae_gpu::files::tensors::{Tensor, TensorFile};
use cvae_gpu::model::{Filters, Loss, Model, params};
use cvae_gpu::saved::{Stored, Trained};

fn trained(model: Model) -> Trained {
    let specs = model.params();
    let values = params::initial(&specs, 1);
    Trained {
        binarize: Binarize::usual(model.image),
        model,
        data: None,
        classes: Vec::new(),
        weights: specs.into_iter().zip(values).collect(),
    }
}

fn small(image: [usize; 3]) -> Model {
    Filters {
        image,
        latent_dim: 3,
        encoder_filters: vec![5, 7],
        decoder_base: 2,
        decoder_filters: vec![4, 3],
        ..Filters::default()
    }
    .model()
}

fn open(file: TensorFile, image: Option<[usize; 2]>) -> Result<Trained, String> {
    let stored = Stored::new(Path::new("m.safetensors"), file).map_err(|e| e.to_string())?;
    let image = image.map(|[height, width]| [height, width, 1]);
    stored.open(image).map_err(|e| e.to_string())
}

fn plain(model: Model) -> TensorFile {
    let mut file = trained(model).to_file();
    file.metadata.clear();
    file
}

#[test]
fn a_file_of_ours_comes_back_whole() {
    let mut model = trained(Model {
        loss: Loss::AnalyticKl,
        beta: 0.1,
        ..small([12, 8, 3])
    });
    model.data = Some("mnist".into());
    model.binarize = Binarize::Stochastic;
    assert_eq!(open(model.to_file(), None), Ok(model));
}

#[test]
fn a_plain_file_says_by_its_shapes_what_it_is() {
    for (image, hint) in [
        ([28, 28, 1], None),
        ([28, 28, 3], Some([32, 32])),
        ([32, 32, 3], None),
        ([8, 8, 1], None),
        ([12, 8, 1], Some([12, 8])),
    ] {
        let found = open(plain(small(image)), hint);
        assert_eq!(found, Ok(trained(small(image))), "{image:?}");
    }
    let other = open(plain(small([12, 8, 1])), Some([8, 8])).unwrap_err();
    assert!(other.contains("nor square ones"), "{other}");
}

#[test]
fn further_tensors_do_not_matter() {
    let mut file = plain(small([8, 8, 1]));
    let moment = Tensor::f32([1], vec![f32::NAN]);
    file.tensors
        .insert("adam_m/encoder.conv1.bias".into(), moment);
    assert_eq!(open(file, None), Ok(trained(small([8, 8, 1]))));
}

#[test]
fn what_is_no_model_is_refused_with_the_reason() {
    let change = |edit: fn(&mut TensorFile)| {
        let mut file = trained(small([8, 8, 1])).to_file();
        edit(&mut file);
        open(file, None).unwrap_err()
    };
    let missing = change(|f| drop(f.tensors.remove("decoder.deconv3.bias")));
    assert!(missing.contains("`decoder.deconv3.bias`"), "{missing}");
    let nan = change(|f| {
        let bias = Tensor::f32([5], vec![0.0, 0.0, f32::NAN, 0.0, 0.0]);
        f.tensors.insert("encoder.conv1.bias".into(), bias);
    });
    assert!(nan.contains("`encoder.conv1.bias` holds NaN at 2"), "{nan}");
    let shape = change(|f| {
        f.tensors
            .insert("encoder.conv1.bias".into(), Tensor::f32([6], vec![0.0; 6]));
    });
    assert!(shape.contains("[6]"), "{shape}");
    for (config, reason) in [
        ("{}", "`config`"),
        ("not JSON", "`config`"),
        (
            r#"{"image":[8,8,1],"latent_dim":0,"encoder_filters":[5,7],"decoder_base":2,"decoder_filters":[4,3],"loss":"mc"}"#,
            "latent dimensions",
        ),
        (
            r#"{"image":[8,8,1],"latent_dim":3,"encoder_filters":[9999999,7],"decoder_base":2,"decoder_filters":[4,3],"loss":"mc"}"#,
            "9999999",
        ),
        (
            r#"{"image":[8,8,1],"latent_dim":3,"encoder_filters":[5,7],"decoder_base":2,"decoder_filters":[4,3],"loss":"mc","binarize":"coin"}"#,
            "`coin`",
        ),
    ] {
        let mut file = plain(small([8, 8, 1]));
        file.metadata.insert("config".into(), config.into());
        let refused = open(file, None).unwrap_err();
        assert!(refused.contains(reason), "{refused}");
    }
}

#[test]
fn shapes_of_no_model_are_refused_without_arithmetic_on_them() {
    for (name, shape) in [
        ("encoder.conv1.kernel", vec![3, 3, 1]),
        ("encoder.conv2.kernel", vec![0, 3, 1, 2]),
        ("encoder.dense.kernel", vec![]),
        ("decoder.dense.kernel", vec![7, 13]),
        ("decoder.deconv1.kernel", vec![3, 3, 4, 0]),
    ] {
        let mut file = plain(small([8, 8, 1]));
        let values = vec![0.0; shape.iter().product()];
        file.tensors.insert(name.into(), Tensor::f32(shape, values));
        let refused = open(file, None).unwrap_err();
        assert!(refused.contains("m.safetensors"), "{refused}");
    }
}
