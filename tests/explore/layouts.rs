//! `export` and `import`: runs the file for PyTorch with PyTorch's operators, in Rust.

use std::fs;

use cvae_gpu::explore::means;
use cvae_gpu::files::tensors::TensorFile;

use super::made::{COLOUR, GREY, LABELLED, Made, PIXEL, agree, folder};
use super::program::Cli;

/// An image `[C, H, W]`.
struct Image {
    shape: [usize; 3],
    values: Vec<f64>,
}

impl Image {
    fn zeros(shape: [usize; 3]) -> Self {
        let values = vec![0.0; shape.iter().product()];
        Image { shape, values }
    }

    fn at(&mut self, [c, y, x]: [usize; 3]) -> &mut f64 {
        let [_, h, w] = self.shape;
        &mut self.values[(c * h + y) * w + x]
    }

    fn relu(mut self) -> Self {
        self.values.iter_mut().for_each(|v| *v = v.max(0.0));
        self
    }
}

/// The state of a PyTorch module.
struct State(TensorFile);

impl State {
    fn tensor(&self, name: &str) -> (&[usize], &[f32]) {
        let tensor = self.0.get(name).expect(name);
        (&tensor.shape, tensor.as_f32().expect("floats"))
    }

    /// `torch.nn.functional.linear`
    fn linear(&self, layer: &str, x: &[f64]) -> Vec<f64> {
        let (_, weight) = self.tensor(&format!("{layer}.weight"));
        let (_, bias) = self.tensor(&format!("{layer}.bias"));
        let row = |(row, b): (&[f32], &f32)| {
            let products = row.iter().zip(x).map(|(w, x)| f64::from(*w) * x);
            products.sum::<f64>() + f64::from(*b)
        };
        weight.chunks(x.len()).zip(bias).map(row).collect()
    }

    /// `torch.nn.functional.conv2d` of stride 2 without padding
    fn conv(&self, layer: &str, mut x: Image) -> Image {
        let (shape, weight) = self.tensor(&format!("{layer}.weight"));
        let (_, bias) = self.tensor(&format!("{layer}.bias"));
        let [inputs, h, w] = x.shape;
        assert_eq!(shape[1..], [inputs, 3, 3], "{layer}");
        let mut y = Image::zeros([shape[0], (h - 3) / 2 + 1, (w - 3) / 2 + 1]);
        let [outputs, rows, columns] = y.shape;
        for (o, i, j) in indices([outputs, rows, columns]) {
            let mut sum = f64::from(bias[o]);
            for (c, a, b) in indices([inputs, 3, 3]) {
                let weight = weight[((o * inputs + c) * 3 + a) * 3 + b];
                sum += f64::from(weight) * *x.at([c, 2 * i + a, 2 * j + b]);
            }
            *y.at([o, i, j]) = sum;
        }
        y
    }

    /// `torch.nn.functional.conv_transpose2d` of this stride with a padding of `crop`, cropped to the
    /// size of the input times the stride
    fn deconv(&self, layer: &str, mut x: Image, stride: usize, crop: usize) -> Image {
        let (shape, weight) = self.tensor(&format!("{layer}.weight"));
        let (_, bias) = self.tensor(&format!("{layer}.bias"));
        let [inputs, h, w] = x.shape;
        let outputs = shape[1];
        assert_eq!(shape, [inputs, outputs, 3, 3], "{layer}");
        let mut y = Image::zeros([outputs, stride * h, stride * w]);
        for (o, i, j) in indices(y.shape) {
            *y.at([o, i, j]) = f64::from(bias[o]);
        }
        for (c, i, j) in indices([inputs, h, w]) {
            for (o, a, b) in indices([outputs, 3, 3]) {
                let place = |n: usize| n.checked_sub(crop);
                let (Some(i2), Some(j2)) = (place(stride * i + a), place(stride * j + b)) else {
                    continue;
                };
                if i2 < stride * h && j2 < stride * w {
                    let weight = weight[((c * outputs + o) * 3 + a) * 3 + b];
                    *y.at([o, i2, j2]) += f64::from(weight) * *x.at([c, i, j]);
                }
            }
        }
        y
    }

    fn encode(&self, x: Image) -> Vec<f64> {
        let hidden = self.conv("encoder.conv1", x).relu();
        let hidden = self.conv("encoder.conv2", hidden).relu();
        self.linear("encoder.dense", &hidden.values)
    }

    fn decode(&self, z: &[f64], [h, w]: [usize; 2]) -> Image {
        let values = self.linear("decoder.dense", z);
        let shape = [values.len() / (h * w / 16), h / 4, w / 4];
        let hidden = Image { shape, values }.relu();
        let hidden = self.deconv("decoder.deconv1", hidden, 2, 0).relu();
        let hidden = self.deconv("decoder.deconv2", hidden, 2, 0).relu();
        // Padding of 1 crops the first row and column.
        self.deconv("decoder.deconv3", hidden, 1, 1)
    }
}

fn indices([a, b, c]: [usize; 3]) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..a * b * c).map(move |i| (i / (b * c), i / c % b, i % c))
}

fn check_pytorch(made: &Made) {
    let folder = folder();
    let cli = made.on_model(
        "export --format pytorch --out torch.safetensors",
        folder.path(),
    );
    cli.succeed();
    let path = folder.path().join("torch.safetensors");
    let file = TensorFile::read(&path).expect("the exported file");
    assert_eq!(file.metadata["format"], "pt");
    let state = State(file);
    let [h, w, c] = made.trained.model.image;
    let image = made.set.test.images.clone().first(1);
    let mut x = Image::zeros([c, h, w]);
    for (i, value) in image.values(0).unwrap().into_iter().enumerate() {
        *x.at([i % c, i / c / w, i / c % w]) = f64::from(value);
    }
    let code: Vec<f32> = state.encode(x).iter().map(|v| *v as f32).collect();
    agree(&code, &made.codes(&image), 1e-5);

    let z: Vec<f64> = means(&code, made.trained.model.latent_dim)
        .into_iter()
        .map(f64::from)
        .collect();
    let mut logits = state.decode(&z, [h, w]);
    let expected = made.probabilities(&z);
    let found: Vec<f32> = (0..h * w * c)
        .map(|i| *logits.at([i % c, i / c / w, i / c % w]))
        .map(|l| (1.0 / (1.0 + (-l).exp())) as f32)
        .collect();
    agree(&found, &expected, 1e-6);

    // And back: the same bytes as the model's.
    Cli::new("import --from torch.safetensors --out back.safetensors -q")
        .within(folder.path())
        .succeed();
    let back = fs::read(folder.path().join("back.safetensors")).expect("a model");
    assert!(back == fs::read(&made.model).expect("the model"));
}

#[test]
fn pytorch_computes_the_same_from_a_grey_model() {
    check_pytorch(&GREY);
}

#[test]
fn pytorch_computes_the_same_from_a_colour_model() {
    check_pytorch(&COLOUR);
}

/// The values of a flattened image `[h, w, c]` in PyTorch's order, as indices of Keras's.
fn flattened([h, w, c]: [usize; 3]) -> Vec<usize> {
    let all = indices([c, h, w]);
    all.map(|(channel, row, column)| (row * w + column) * c + channel)
        .collect()
}

/// Checks a dense layer whose input or output is a flattened image; labels follow the image.
fn check_dense(made: &Made, state: &State, layer: &str, images: [Option<[usize; 3]>; 2]) {
    let name = format!("{layer}.kernel");
    let mut weights = made.trained.weights.iter();
    let (spec, ours) = weights.find(|(spec, _)| spec.name == name).expect(layer);
    let (shape, theirs) = state.tensor(&format!("{layer}.weight"));
    assert_eq!(shape, [spec.shape[1], spec.shape[0]], "{layer}");
    let [inputs, outputs] = [0, 1].map(|axis| {
        let mut order = images[axis].map(flattened).unwrap_or_default();
        order.extend(order.len()..spec.shape[axis]);
        order
    });
    for (o, output) in outputs.iter().enumerate() {
        for (i, input) in inputs.iter().enumerate() {
            let (ours, theirs) = (
                ours[input * outputs.len() + output],
                theirs[o * inputs.len() + i],
            );
            assert_eq!(ours, theirs, "{layer} [{o}, {i}]");
        }
    }
}

#[test]
fn described_layers_are_reordered_where_images_become_features() {
    let folder = folder();
    let export = |made: &Made| {
        let words = "export --format pytorch --out torch.safetensors";
        made.on_model(words, folder.path()).succeed();
        let path = folder.path().join("torch.safetensors");
        let state = State(TensorFile::read(path).expect("the exported file"));
        // And back: the same bytes as the model's.
        Cli::new("import --from torch.safetensors --out back.safetensors -q")
            .within(folder.path())
            .succeed();
        let back = fs::read(folder.path().join("back.safetensors")).expect("a model");
        assert!(back == fs::read(&made.model).expect("the model"));
        state
    };
    let state = export(&LABELLED);
    check_dense(&LABELLED, &state, "encoder.dense1", [Some([2, 1, 5]), None]);
    check_dense(&LABELLED, &state, "encoder.dense2", [None, None]);
    check_dense(&LABELLED, &state, "decoder.dense", [None, Some([4, 3, 2])]);
    let state = export(&PIXEL);
    check_dense(&PIXEL, &state, "encoder.dense", [Some([2, 1, 6]), None]);
    check_dense(&PIXEL, &state, "decoder.dense", [Some([6, 6, 4]), None]);
}

#[test]
fn a_plain_file_is_a_model_and_becomes_one_of_ours() {
    let folder = folder();
    let mut file = TensorFile::read(&COLOUR.model).expect("the model");
    file.metadata.clear();
    file.write(folder.path().join("plain.safetensors"))
        .expect("a file");
    let encode = |model: &str| {
        let command = format!("encode --out codes.npy --model {model} --data");
        let cli = Cli::new(&command).on_adapter().path(&COLOUR.data);
        cli.within(folder.path()).succeed();
        fs::read(folder.path().join("codes.npy")).expect("codes")
    };
    let plain = encode("plain.safetensors");
    Cli::new("import --from plain.safetensors --out ours.safetensors")
        .within(folder.path())
        .succeed();
    let ours = fs::read(folder.path().join("ours.safetensors")).expect("a model");
    assert!(ours == fs::read(&COLOUR.model).expect("the model"));
    assert!(plain == encode("ours.safetensors"));
}

#[test]
fn a_run_folder_stands_for_its_model_and_export_takes_the_weights_of_a_checkpoint() {
    let folder = folder();
    let run = folder.path().join("run");
    fs::create_dir(&run).expect("a folder");
    let mut checkpoint = TensorFile::read(&GREY.model).expect("the model");
    let moment = checkpoint.tensors["encoder.conv1.bias"].clone();
    checkpoint
        .tensors
        .insert("adam_m/encoder.conv1.bias".into(), moment);
    checkpoint.metadata.insert("run".into(), "{}".into());
    checkpoint
        .write(run.join("checkpoint.safetensors"))
        .expect("a file");
    Cli::new("export --model run --format safetensors --out model.safetensors")
        .within(folder.path())
        .succeed();
    let exported = fs::read(folder.path().join("model.safetensors")).expect("a model");
    assert!(exported == fs::read(&GREY.model).expect("the model"));
}
