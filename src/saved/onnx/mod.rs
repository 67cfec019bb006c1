//! Models as ONNX graphs: an encoder and a decoder, for any runtime of that format.
//!
//! | graph | takes | gives |
//! |---|---|---|
//! | encoder | `image [N, H, W, C]` | `mean [N, L]`, `logvar [N, L]` |
//! | decoder | `z [N, L]` | `logits [N, H, W, C]`, `probabilities [N, H, W, C]` |
//!
//! A full posterior has `t [N, L (L + 1) / 2]`, the elements of its factor, in place of `logvar`; a
//! Gaussian likelihood `output` and `mean` in place of `logits` and `probabilities`. Both graphs of a
//! model conditioned on K classes also take `label [N, K]`, one-hot.
//!
//! All are float32; N is dynamic. ONNX convolutions take NCHW, so the graphs transpose images at
//! input and output, and between a convolution and a dense layer, so that dense kernels keep Keras's
//! layout. The graphs use version 13 of the standard operators.

pub mod proto;

use prost::Message;

use crate::model::layers::{Kind, Layer, Stack};
use crate::model::{Likelihood, Mean, Posterior};
use crate::ops::activation::{Activation, SLOPE};
use crate::ops::conv::Conv;
use crate::saved::{Trained, pytorch};
use proto::{
    AttributeProto, DimensionProto, GraphProto, Length, ModelProto, NodeProto, OperatorSetIdProto,
    StringStringEntryProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto,
    ValueInfoProto,
};

/// Version of the standard operators: the first with the current form of those used here.
const OPSET: i64 = 13;

/// Version of the format with these operators.
const IR_VERSION: i64 = 7;

/// Most bytes of a protobuf message.
const MAX_BYTES: usize = i32::MAX as usize;

/// Name of the input of one-hot labels.
const LABEL: &str = "label";

/// Name of the batch axis.
const BATCH: &str = "N";

/// Permutations from NHWC to NCHW and back.
const CHANNELS_FIRST: [usize; 4] = [0, 3, 1, 2];
const CHANNELS_LAST: [usize; 4] = [0, 2, 3, 1];

/// The `{0}` (encoder or decoder) has `{1}` bytes, more than the 2 GiB of a protobuf message.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "the {0} has {1} bytes, and an ONNX file holds at most {MAX_BYTES}: export the model as \
     safetensors instead"
)]
pub struct TooLarge(&'static str, usize);

/// The file of the encoder.
pub fn encoder(trained: &Trained) -> Result<Vec<u8>, TooLarge> {
    let model = &trained.model;
    let mut graph = Builder::new(trained, "encoder");
    let codes = graph.stack(&model.encoder(), Value::new("image", &model.image));
    let latent = model.latent_dim;
    let rest = model.posterior.values(latent) - latent;
    let second = match model.posterior {
        Posterior::Diagonal => "logvar",
        Posterior::Full => "t",
    };
    let outputs = ["mean", second];
    graph.integers("latent", &[latent, rest]);
    let axis = AttributeProto {
        name: "axis".into(),
        i: 1,
        r#type: proto::INT,
        ..AttributeProto::default()
    };
    graph.node("Split", &[&codes.name, "latent"], &outputs, vec![axis]);
    graph.finish(
        ("image", &model.image),
        [("mean", &[latent]), (second, &[rest])],
    )
}

/// The file of the decoder.
pub fn decoder(trained: &Trained) -> Result<Vec<u8>, TooLarge> {
    let model = &trained.model;
    let item = [model.latent_dim];
    let mut graph = Builder::new(trained, "decoder");
    let last = graph.stack(&model.decoder(), Value::new("z", &item));
    let gaussian = model.likelihood == Likelihood::Gaussian;
    let outputs = match gaussian {
        true => ["output", "mean"],
        false => ["logits", "probabilities"],
    };
    if last.channels_first {
        graph.transpose(&last.name, outputs[0], CHANNELS_LAST);
    } else {
        graph.integers("image.shape", &[&[0], &model.image[..]].concat());
        graph.node(
            "Reshape",
            &[&last.name, "image.shape"],
            &outputs[..1],
            vec![],
        );
    }
    let link = match gaussian && model.mean == Mean::Identity {
        true => "Identity",
        false => "Sigmoid",
    };
    graph.node(link, &outputs[..1], &outputs[1..], vec![]);
    graph.finish(("z", &item), outputs.map(|name| (name, &model.image[..])))
}

/// A tensor of a graph with N items: images `[H, W, C]` or features.
struct Value {
    name: String,
    item: Vec<usize>,
    /// The tensor is `[N, C, H, W]`, as convolutions take it.
    channels_first: bool,
}

impl Value {
    /// Features, or images with their channels last.
    fn new(name: &str, item: &[usize]) -> Self {
        Value {
            name: name.into(),
            item: item.to_vec(),
            channels_first: false,
        }
    }
}

/// A graph under construction.
struct Builder<'a> {
    trained: &'a Trained,
    name: &'static str,
    graph: GraphProto,
}

impl<'a> Builder<'a> {
    /// A graph without nodes, with the weights of the layers whose names start with its name. Kernels
    /// of convolutions become `[out, in, 3, 3]`, of transposed ones `[in, out, 3, 3]`.
    fn new(trained: &'a Trained, name: &'static str) -> Self {
        let graph = GraphProto {
            name: name.into(),
            ..GraphProto::default()
        };
        let mut builder = Builder {
            trained,
            name,
            graph,
        };
        let own = |param: &str| param.split('.').next() == Some(name);
        for (spec, values) in trained.weights.iter().filter(|(spec, _)| own(&spec.name)) {
            let (shape, values) = match spec.shape.len() {
                4 => pytorch::transpose(&spec.shape, values, &pytorch::TO_PYTORCH),
                _ => (spec.shape.clone(), values.clone()),
            };
            let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            builder.constant(&spec.name, proto::FLOAT, &shape, bytes);
        }
        builder
    }

    fn constant(&mut self, name: &str, data_type: i32, shape: &[usize], raw_data: Vec<u8>) {
        self.graph.initializer.push(TensorProto {
            dims: signed(shape),
            data_type,
            name: name.into(),
            raw_data,
        });
    }

    fn integers(&mut self, name: &str, values: &[usize]) {
        let bytes = signed(values).into_iter().flat_map(i64::to_le_bytes);
        self.constant(name, proto::INT64, &[values.len()], bytes.collect());
    }

    /// Appends a node, named after its first output.
    fn node(
        &mut self,
        operator: &str,
        inputs: &[&str],
        outputs: &[&str],
        attribute: Vec<AttributeProto>,
    ) {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        self.graph.node.push(NodeProto {
            input: owned(inputs),
            output: owned(outputs),
            name: outputs[0].into(),
            op_type: operator.into(),
            attribute,
        });
    }

    fn transpose(&mut self, from: &str, to: &str, axes: [usize; 4]) {
        self.node("Transpose", &[from], &[to], vec![ints("perm", &axes)]);
    }

    /// Converts a tensor to what a layer takes: features, or images with their channels first.
    fn fit(&mut self, mut value: Value, layer: &Layer) -> Value {
        let mut item = layer.input();
        if let Some(features) = item.last_mut().filter(|_| layer.labels > 0) {
            *features -= layer.labels;
        }
        let layer = &layer.name;
        let channels_first = item.len() == 3;
        if (value.channels_first, value.item.len()) == (channels_first, item.len()) {
            return value;
        }
        if value.channels_first {
            let name = format!("{layer}.rows");
            self.transpose(&value.name, &name, CHANNELS_LAST);
            value.name = name;
        }
        if value.item != item {
            let (name, shape) = (format!("{layer}.reshaped"), format!("{layer}.shape"));
            // 0 keeps the batch axis.
            self.integers(&shape, &[&[0], &item[..]].concat());
            self.node("Reshape", &[&value.name, &shape], &[&name], vec![]);
            value.name = name;
        }
        if channels_first {
            let name = format!("{layer}.channels");
            self.transpose(&value.name, &name, CHANNELS_FIRST);
            value.name = name;
        }
        Value {
            name: value.name,
            item,
            channels_first,
        }
    }

    fn layer(&mut self, x: Value, layer: &Layer) -> Value {
        let (operator, attributes) = match layer.kind {
            Kind::Conv(conv) => ("Conv", geometry(&conv, false)),
            Kind::Deconv(conv) => ("ConvTranspose", geometry(&conv, true)),
            Kind::Dense(_) => ("Gemm", vec![]),
        };
        let x = self.fit(x, layer);
        let x = match layer.labels {
            0 => x,
            _ => self.labelled(x, layer),
        };
        let [kernel, bias] = layer.params().map(|spec| spec.name);
        let mut name = format!("{}.y", layer.name);
        self.node(operator, &[&x.name, &kernel, &bias], &[&name], attributes);
        if let Some((operator, attributes)) = activation(layer.activation) {
            let active = format!("{}.{}", layer.name, operator.to_lowercase());
            self.node(operator, &[&name], &[&active], attributes);
            name = active;
        }
        Value {
            name,
            item: layer.output(),
            channels_first: x.channels_first,
        }
    }

    /// Features followed by the one-hot label.
    fn labelled(&mut self, x: Value, layer: &Layer) -> Value {
        let axis = AttributeProto {
            name: "axis".into(),
            i: 1,
            r#type: proto::INT,
            ..AttributeProto::default()
        };
        let name = format!("{}.labelled", layer.name);
        self.node("Concat", &[&x.name, LABEL], &[&name], vec![axis]);
        Value { name, ..x }
    }

    fn stack(&mut self, stack: &Stack, mut x: Value) -> Value {
        if stack.shift != 0.0 {
            let shift = (stack.shift as f32).to_le_bytes().to_vec();
            self.constant("shift", proto::FLOAT, &[1], shift);
            self.node("Sub", &[&x.name, "shift"], &["shifted"], vec![]);
            x.name = "shifted".into();
        }
        let layers = stack.layers.iter();
        layers.fold(x, |x, layer| self.layer(x, layer))
    }

    /// The bytes of the file; inputs and outputs have a name and the shape of an item.
    fn finish(
        mut self,
        input: (&str, &[usize]),
        outputs: [(&str, &[usize]); 2],
    ) -> Result<Vec<u8>, TooLarge> {
        self.graph.input = vec![declaration(input)];
        let classes = self.trained.model.labels;
        if classes > 0 {
            self.graph.input.push(declaration((LABEL, &[classes])));
        }
        self.graph.output = outputs.map(declaration).into();
        let file = ModelProto {
            ir_version: IR_VERSION,
            producer_name: env!("CARGO_PKG_NAME").into(),
            producer_version: env!("CARGO_PKG_VERSION").into(),
            graph: Some(self.graph),
            opset_import: vec![OperatorSetIdProto { version: OPSET }],
            metadata_props: vec![StringStringEntryProto {
                key: "config".into(),
                value: self.trained.config_json(),
            }],
        };
        match file.encoded_len() {
            bytes if bytes > MAX_BYTES => Err(TooLarge(self.name, bytes)),
            _ => Ok(file.encode_to_vec()),
        }
    }
}

/// The declaration of an input or output; images have their channels last.
fn declaration((name, item): (&str, &[usize])) -> ValueInfoProto {
    let batch = Length::Param(BATCH.into());
    let rest = signed(item).into_iter().map(Length::Value);
    let axis = |length| DimensionProto {
        value: Some(length),
    };
    let dim = std::iter::once(batch).chain(rest).map(axis).collect();
    let tensor = TensorTypeProto {
        elem_type: proto::FLOAT,
        shape: Some(TensorShapeProto { dim }),
    };
    ValueInfoProto {
        name: name.into(),
        r#type: Some(TypeProto {
            tensor_type: Some(tensor),
        }),
    }
}

/// The operator of an activation; `None` if there is none. ONNX's slope of `LeakyRelu` is 0.01 by default.
fn activation(activation: Activation) -> Option<(&'static str, Vec<AttributeProto>)> {
    let slope = AttributeProto {
        name: "alpha".into(),
        f: SLOPE as f32,
        r#type: proto::FLOAT_ATTRIBUTE,
        ..AttributeProto::default()
    };
    Some(match activation {
        Activation::None => return None,
        Activation::Relu => ("Relu", vec![]),
        Activation::LeakyRelu => ("LeakyRelu", vec![slope]),
        Activation::Elu => ("Elu", vec![]),
        Activation::Tanh => ("Tanh", vec![]),
        Activation::Sigmoid => ("Sigmoid", vec![]),
    })
}

/// Attributes of a convolution; for a transposed one the padding crops. TensorFlow's "same" padding
/// of stride 2 crops the last row and column only.
fn geometry(conv: &Conv, transposed: bool) -> Vec<AttributeProto> {
    let reach = |axis: usize| (conv.small[axis] - 1) * conv.stride + conv.kernel;
    let padded = |axis: usize| conv.big[axis] + conv.pad[axis];
    // A convolution may ignore the last row.
    let after = |axis| reach(axis).saturating_sub(padded(axis));
    let mut attributes = vec![
        ints("kernel_shape", &[conv.kernel; 2]),
        ints("strides", &[conv.stride; 2]),
        ints("pads", &[conv.pad[0], conv.pad[1], after(0), after(1)]),
    ];
    // Rows that no tap of a transposed convolution reaches.
    let beyond = [0, 1].map(|axis| padded(axis).saturating_sub(reach(axis)));
    if transposed && beyond != [0, 0] {
        attributes.push(ints("output_padding", &beyond));
    }
    attributes
}

fn ints(name: &str, values: &[usize]) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        ints: signed(values),
        r#type: proto::INTS,
        ..AttributeProto::default()
    }
}

/// Sizes as protobuf integers; sizes of models are far below 2^63.
fn signed(sizes: &[usize]) -> Vec<i64> {
    sizes.iter().map(|&n| n as i64).collect()
}
