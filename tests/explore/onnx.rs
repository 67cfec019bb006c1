//! `export --format onnx`: reads the graphs and runs them in double precision by the definitions of
//! the standard. `snippets` runs them with onnxruntime.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use cvae_gpu::explore::means;
use cvae_gpu::saved::onnx::proto::{self, GraphProto, Length, ModelProto, NodeProto, TensorProto};
use prost::Message;
use serde_json::json;

use super::made::{Made, ODD, TUTORIAL, agree, folder};
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
    let size = |axis: usize| {
        let (n, pad) = (x.shape[2 + axis], pads[axis] + pads[axis + 2]);
        match transposed {
            false => (n + pad - kernel[axis]) / strides[axis] + 1,
            true => (n - 1) * strides[axis] + kernel[axis] - pad,
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

/// Runs a graph; nodes must be in topological order.
fn run(graph: &GraphProto, input: Tensor) -> HashMap<String, Tensor> {
    let constants = graph.initializer.iter();
    let named = constants.map(|t| (t.name.clone(), Tensor::constant(t)));
    let mut known: HashMap<String, Tensor> = named.collect();
    assert_eq!(known.len(), graph.initializer.len(), "names are unique");
    known.insert(graph.input[0].name.clone(), input);
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

/// Reads a graph whose inputs and outputs have these shapes per image.
fn graph(path: &Path, signature: &[(&str, &[usize])]) -> GraphProto {
    let bytes = fs::read(path).expect("a graph");
    let file = ModelProto::decode(bytes.as_slice()).expect("protobuf");
    assert_eq!(file.ir_version, 7);
    assert_eq!(file.opset_import.len(), 1);
    assert_eq!(file.opset_import[0].version, 13);
    let graph = file.graph.expect("a graph");
    let values: Vec<_> = graph.input.iter().chain(&graph.output).collect();
    assert_eq!((graph.input.len(), values.len()), (1, signature.len()));
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
    assert_eq!(cli.succeed().json(), json!({ "files": files }));
    let model = &made.trained.model;
    let (image, latent) = (model.image, model.latent_dim);
    let [encoder, decoder] = files.map(|name| folder.path().join(name));
    let encoder = graph(
        &encoder,
        &[
            ("image", &image),
            ("mean", &[latent]),
            ("logvar", &[latent]),
        ],
    );
    let decoder = graph(
        &decoder,
        &[
            ("z", &[latent]),
            ("logits", &image),
            ("probabilities", &image),
        ],
    );

    let images = made.set.test.images.clone().first(2);
    let values = (0..2).flat_map(|i| images.values(i)).map(f64::from);
    let x = Tensor {
        shape: [&[2], &image[..]].concat(),
        values: values.collect(),
    };
    let codes = made.codes(&images);
    let found = run(&encoder, x);
    let (mean, logvar) = (floats(&found["mean"]), floats(&found["logvar"]));
    let rows = mean.chunks(latent).zip(logvar.chunks(latent));
    let joined: Vec<f32> = rows.flat_map(|(m, v)| [m, v].concat()).collect();
    agree(&joined, &codes, 1e-6);

    let z: Vec<f64> = means(&joined, latent).into_iter().map(f64::from).collect();
    let expected = made.probabilities(&z);
    let found = run(
        &decoder,
        Tensor {
            shape: vec![2, latent],
            values: z,
        },
    );
    agree(&floats(&found["probabilities"]), &expected, 1e-6);
    let logits = &found["logits"];
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
