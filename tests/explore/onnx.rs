//! `export --format onnx`: reads the graphs and runs them in double precision by the definitions of
//! the standard. `snippets` runs them with onnxruntime.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use cvae_gpu::model::{Likelihood, Posterior};
use cvae_gpu::saved::onnx::proto::{self, GraphProto, Length, ModelProto, NodeProto, TensorProto};
use prost::Message;
use serde_json::json;

use super::made::{LABELLED, Made, ODD, PIXEL, TUTORIAL, agree, folder, labels};
use super::program::Cli;

#[derive(Clone)]
struct Tensor {
    shape: Vec<usize>,
    values: Vec<f64>,
}

impl Tensor {
    fn zeros(shape: &[usize]) -> Self {
        let (shape, values) = (shape.to_vec(), vec![0.0; shape.iter().product()]);
        Tensor { shape, values }
    }

    /// The values of an initializer, whose bytes must fill its shape.
    fn constant(tensor: &TensorProto) -> Self {
        let shape: Vec<usize> = tensor.dims.iter().map(|&n| n as usize).collect();
        let bytes = &tensor.raw_data;
        let values: Vec<f64> = match tensor.data_type {
            proto::FLOAT => {
                let floats = bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b));
                floats.map(f64::from).collect()
            }
            proto::INT64 => {
                let integers = bytes.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b));
                integers.map(|n| n as f64).collect()
            }
            other => panic!("a tensor of the type {other:?}"),
        };
        let size = bytes.len() / values.len().max(1);
        assert_eq!(bytes.len(), shape.iter().product::<usize>() * size);
        Tensor { shape, values }
    }

    fn map(mut self, f: impl Fn(f64) -> f64) -> Self {
        self.values.iter_mut().for_each(|v| *v = f(*v));
        self
    }

    /// An index of four axes.
    fn place(&self, at: [usize; 4]) -> usize {
        let axes = self.shape.iter().zip(at);
        axes.fold(0, |place, (&size, i)| {
            assert!(i < size);
            place * size + i
        })
    }
}

/// All indices of a shape of four axes, in order.
fn indices(shape: &[usize]) -> impl Iterator<Item = [usize; 4]> + use<> {
    let &[_, b, c, d] = shape else {
        panic!("{shape:?} has not four axes");
    };
    let count: usize = shape.iter().product();
    (0..count).map(move |i| [i / (b * c * d), i / (c * d) % b, i / d % c, i % d])
}

fn attribute(node: &NodeProto, name: &str) -> Vec<usize> {
    let mut attributes = node.attribute.iter();
    let found = attributes.find(|a| a.name == name);
    let found = found.unwrap_or_else(|| panic!("no {name} in {node:?}"));
    match found.r#type {
        proto::INTS => found.ints.iter().map(|&n| n as usize).collect(),
        proto::INT => vec![found.i as usize],
        other => panic!("{name} is of the type {other:?}"),
    }
}

/// `Conv`, or `ConvTranspose` with input and output exchanged.
fn convolve(node: &NodeProto, x: &Tensor, w: &Tensor, bias: &Tensor) -> Tensor {
    let transposed = node.op_type == "ConvTranspose";
    let [kernel, strides, pads] =
        ["kernel_shape", "strides", "pads"].map(|name| attribute(node, name));
    assert_eq!(w.shape[2..], kernel);
    let beyond = match node.attribute.iter().any(|a| a.name == "output_padding") {
        true => attribute(node, "output_padding"),
        false => vec![0; 2],
    };
    assert!(
        beyond
            .iter()
            .zip(&strides)
            .all(|(beyond, stride)| beyond < stride)
    );
    let size = |axis: usize| {
        let (n, pad) = (x.shape[2 + axis], pads[axis] + pads[axis + 2]);
        match transposed {
            false => (n + pad - kernel[axis]) / strides[axis] + 1,
            true => (n - 1) * strides[axis] + kernel[axis] - pad + beyond[axis],
        }
    };
    let mut y = Tensor::zeros(&[x.shape[0], bias.values.len(), size(0), size(1)]);
    for (i, at) in indices(&y.shape).enumerate() {
        y.values[i] = bias.values[at[1]];
    }
    let small = if transposed { &x.shape } else { &y.shape };
    let big = if transposed {
        &y.shape[2..]
    } else {
        &x.shape[2..]
    };
    for [n, _, i, j] in indices(&[small[0], 1, small[2], small[3]]) {
        for [a, b, inner, outer] in indices(&[kernel[0], kernel[1], x.shape[1], y.shape[1]]) {
            let [row, column] = [strides[0] * i + a, strides[1] * j + b];
            let inside =
                |at: usize, axis: usize| at.checked_sub(pads[axis]).filter(|at| *at < big[axis]);
            let (Some(row), Some(column)) = (inside(row, 0), inside(column, 1)) else {
                continue;
            };
            let (from, weight, to) = match transposed {
                false => (
                    [n, inner, row, column],
                    [outer, inner, a, b],
                    [n, outer, i, j],
                ),
                true => (
                    [n, inner, i, j],
                    [inner, outer, a, b],
                    [n, outer, row, column],
                ),
            };
            let to = y.place(to);
            y.values[to] += x.values[x.place(from)] * w.values[w.place(weight)];
        }
    }
    y
}

fn transpose(x: &Tensor, axes: &[usize]) -> Tensor {
    let shape: Vec<usize> = axes.iter().map(|&axis| x.shape[axis]).collect();
    let mut y = Tensor::zeros(&shape);
    for (i, to) in indices(&shape).enumerate() {
        let mut from = [0; 4];
        axes.iter().zip(to).for_each(|(&axis, at)| from[axis] = at);
        y.values[i] = x.values[x.place(from)];
    }
    y
}

fn gemm(x: &Tensor, w: &Tensor, bias: &Tensor) -> Tensor {
    let (&[rows, inputs], &[of, outputs]) = (&x.shape[..], &w.shape[..]) else {
        panic!("matrices have two axes");
    };
    assert_eq!((inputs, outputs), (of, bias.values.len()));
    let sum = |i: usize| {
        let (row, column) = (i / outputs, i % outputs);
        let products =
            (0..inputs).map(|k| x.values[row * inputs + k] * w.values[k * outputs + column]);
        products.sum::<f64>() + bias.values[column]
    };
    Tensor {
        shape: vec![rows, outputs],
        values: (0..rows * outputs).map(sum).collect(),
    }
}

/// Splits a matrix into parts of these numbers of columns.
fn split(x: &Tensor, sizes: &Tensor) -> Vec<Tensor> {
    let width = x.shape[1];
    assert_eq!(sizes.values.iter().sum::<f64>(), width as f64);
    let mut start = 0;
    let part = |size: &f64| {
        let columns = start..start + *size as usize;
        start = columns.end;
        let rows = x.values.chunks(width);
        Tensor {
            shape: vec![x.shape[0], columns.len()],
            values: rows.flat_map(|row| row[columns.clone()].to_vec()).collect(),
        }
    };
    sizes.values.iter().map(part).collect()
}

fn reshape(x: &Tensor, shape: &Tensor) -> Tensor {
    let axis = |(i, size): (usize, &f64)| match *size as usize {
        0 => x.shape[i],
        size => size,
    };
    let shape: Vec<usize> = shape.values.iter().enumerate().map(axis).collect();
    assert_eq!(shape.iter().product::<usize>(), x.values.len());
    Tensor {
        shape,
        values: x.values.clone(),
    }
}

/// Joins two matrices side by side.
fn concat(a: &Tensor, b: &Tensor) -> Tensor {
    let (rows, widths) = (a.shape[0], [a.shape[1], b.shape[1]]);
    assert_eq!(b.shape[0], rows);
    let pairs = a.values.chunks(widths[0]).zip(b.values.chunks(widths[1]));
    Tensor {
        shape: vec![rows, widths[0] + widths[1]],
        values: pairs.flat_map(|(a, b)| [a, b].concat()).collect(),
    }
}

/// The number `alpha` of a node.
fn alpha(node: &NodeProto) -> f64 {
    let found = node.attribute.iter().find(|a| a.name == "alpha");
    let found = found.unwrap_or_else(|| panic!("no alpha in {node:?}"));
    assert_eq!(found.r#type, proto::FLOAT_ATTRIBUTE);
    f64::from(found.f)
}

/// Runs a graph; nodes must be in topological order.
fn run(graph: &GraphProto, inputs: &[Tensor]) -> HashMap<String, Tensor> {
    let constants = graph.initializer.iter();
    let named = constants.map(|t| (t.name.clone(), Tensor::constant(t)));
    let mut known: HashMap<String, Tensor> = named.collect();
    assert_eq!(known.len(), graph.initializer.len(), "names are unique");
    assert_eq!(graph.input.len(), inputs.len());
    for (input, tensor) in graph.input.iter().zip(inputs) {
        known.insert(input.name.clone(), tensor.clone());
    }
    for node in &graph.node {
        let operands: Vec<&Tensor> = node.input.iter().map(|name| &known[name]).collect();
        let results = match (node.op_type.as_str(), &operands[..]) {
            ("Conv" | "ConvTranspose", [x, w, b]) => vec![convolve(node, x, w, b)],
            ("Gemm", [x, w, b]) => vec![gemm(x, w, b)],
            ("Transpose", [x]) => vec![transpose(x, &attribute(node, "perm"))],
            ("Reshape", [x, shape]) => vec![reshape(x, shape)],
            ("Split", [x, sizes]) => {
                assert_eq!(attribute(node, "axis"), [1]);
                split(x, sizes)
            }
            ("Relu", [x]) => vec![(*x).clone().map(|v| v.max(0.0))],
            ("LeakyRelu", [x]) => {
                let alpha = alpha(node);
                vec![(*x).clone().map(|v| if v < 0.0 { alpha * v } else { v })]
            }
            // Its alpha is 1 by default.
            ("Elu", [x]) => {
                assert!(node.attribute.is_empty());
                vec![(*x).clone().map(|v| if v < 0.0 { v.exp_m1() } else { v })]
            }
            ("Tanh", [x]) => vec![(*x).clone().map(f64::tanh)],
            ("Identity", [x]) => vec![(*x).clone()],
            ("Sub", [x, y]) => {
                let &[y] = &y.values[..] else {
                    panic!("one number is subtracted from all");
                };
                vec![(*x).clone().map(|v| v - y)]
            }
            ("Concat", [a, b]) => {
                assert_eq!(attribute(node, "axis"), [1]);
                vec![concat(a, b)]
            }
            ("Sigmoid", [x]) => vec![(*x).clone().map(|v| 1.0 / (1.0 + (-v).exp()))],
            other => panic!("{:?} of {} operands", other.0, operands.len()),
        };
        assert_eq!(results.len(), node.output.len(), "{node:?}");
        for (name, result) in node.output.iter().zip(results) {
            let before = known.insert(name.clone(), result);
            assert!(before.is_none(), "{name} is given twice");
        }
    }
    known
}

/// Reads a graph whose inputs and outputs have these shapes per image; the last two are outputs.
fn graph(path: &Path, signature: &[(&str, &[usize])]) -> GraphProto {
    let bytes = fs::read(path).expect("a graph");
    let file = ModelProto::decode(bytes.as_slice()).expect("protobuf");
    assert_eq!(file.ir_version, 7);
    assert_eq!(file.opset_import.len(), 1);
    assert_eq!(file.opset_import[0].version, 13);
    let graph = file.graph.expect("a graph");
    let values: Vec<_> = graph.input.iter().chain(&graph.output).collect();
    assert_eq!((graph.output.len(), values.len()), (2, signature.len()));
    for (value, (name, item)) in values.into_iter().zip(signature) {
        assert_eq!(value.name, *name);
        let tensor = value.r#type.clone().and_then(|t| t.tensor_type);
        let tensor = tensor.expect("a tensor");
        assert_eq!(tensor.elem_type, proto::FLOAT);
        let lengths = item.iter().map(|&n| Length::Value(n as i64));
        let expected: Vec<_> = std::iter::once(Length::Param("N".into()))
            .chain(lengths)
            .collect();
        let axes = tensor.shape.expect("a shape").dim.into_iter();
        let found: Vec<_> = axes.map(|axis| axis.value.expect("a length")).collect();
        assert_eq!(found, expected, "{name}");
    }
    graph
}

fn floats(tensor: &Tensor) -> Vec<f32> {
    tensor.values.iter().map(|&v| v as f32).collect()
}

/// Exports a model, runs the graphs on two images, and compares them with the twins.
fn check(made: &Made) {
    let folder = folder();
    let cli = made.on_model("export --format onnx --json --out vae.onnx", folder.path());
    let files = ["vae.encoder.onnx", "vae.decoder.onnx"];
    assert_eq!(cli.succeed().json(), json!({ "schema": 1, "files": files }));
    let model = &made.trained.model;
    let (image, latent) = (model.image, model.latent_dim);
    let rest = [model.posterior.values(latent) - latent];
    let (second, outputs) = match (model.posterior, model.likelihood) {
        (Posterior::Full, Likelihood::Gaussian) => ("t", ["output", "mean"]),
        _ => ("logvar", ["logits", "probabilities"]),
    };
    let (classes, of_code) = ([model.labels], [latent]);
    let label = (model.labels > 0).then_some(("label", &classes[..]));
    let [encoder, decoder] = files.map(|name| folder.path().join(name));
    let mut of_encoder: Vec<(&str, &[usize])> = vec![("image", &image)];
    of_encoder.extend(label);
    of_encoder.extend([("mean", &of_code[..]), (second, &rest[..])]);
    let mut of_decoder: Vec<(&str, &[usize])> = vec![("z", &of_code)];
    of_decoder.extend(label);
    of_decoder.extend(outputs.map(|name| (name, &image[..])));
    let encoder = graph(&encoder, &of_encoder);
    let decoder = graph(&decoder, &of_decoder);

    let images = made.set.test.images.clone().first(2);
    let one_hot = label.map(|_| {
        let mut one_hot = Tensor::zeros(&[2, model.labels]);
        for (row, label) in labels(2).into_iter().enumerate() {
            one_hot.values[row * model.labels + label as usize] = 1.0;
        }
        one_hot
    });
    let with_label =
        |tensor: Tensor| -> Vec<Tensor> { [tensor].into_iter().chain(one_hot.clone()).collect() };
    let values = (0..2)
        .flat_map(|i| images.values(i).unwrap())
        .map(f64::from);
    let x = Tensor {
        shape: [&[2], &image[..]].concat(),
        values: values.collect(),
    };
    let codes = made.codes(&images);
    let found = run(&encoder, &with_label(x));
    let (mean, rest_of) = (floats(&found["mean"]), floats(&found[second]));
    let rows = mean.chunks(latent).zip(rest_of.chunks(rest[0]));
    let joined: Vec<f32> = rows.flat_map(|(m, v)| [m, v].concat()).collect();
    agree(&joined, &codes, 1e-6);

    let z: Vec<f64> = mean.into_iter().map(f64::from).collect();
    let expected = made.probabilities(&z);
    let z = Tensor {
        shape: vec![2, latent],
        values: z,
    };
    let found = run(&decoder, &with_label(z));
    agree(&floats(&found[outputs[1]]), &expected, 1e-6);
    let logits = &found[outputs[0]];
    assert_eq!(logits.shape, [&[2], &image[..]].concat());
    let logit = expected
        .iter()
        .map(|p| (p / (1.0 - p)).ln())
        .collect::<Vec<_>>();
    agree(&floats(logits), &logit, 1e-5);
}

#[test]
fn onnx_graphs_of_the_tutorials_model_compute_what_it_computes() {
    check(&TUTORIAL);
}

#[test]
fn onnx_graphs_of_a_colour_model_of_odd_widths_compute_what_it_computes() {
    check(&ODD);
}

#[test]
fn onnx_graphs_of_a_model_with_labels_and_a_full_posterior_compute_what_it_computes() {
    check(&LABELLED);
}

#[test]
fn onnx_graphs_of_a_model_whose_code_is_a_pixel_compute_what_it_computes() {
    check(&PIXEL);
}

#[test]
fn an_extension_that_is_not_of_the_format_is_wrong_usage() {
    for (format, out, right) in [
        ("onnx", "m.safetensors", ".onnx"),
        ("pytorch", "m.onnx", ".safetensors"),
    ] {
        let command = format!("export --model missing --format {format} --out {out}");
        Cli::new(&command).fail(2, &[out, right]);
    }
}

#[test]
fn both_onnx_files_are_checked_before_either_is_written() {
    let folder = folder();
    fs::create_dir(folder.path().join("m.decoder.onnx")).expect("a folder");
    let cli = TUTORIAL.on_model("export --format onnx --out m.onnx", folder.path());
    cli.fail(1, &["m.decoder.onnx", "is a folder"]);
    assert!(!folder.path().join("m.encoder.onnx").exists());
}
