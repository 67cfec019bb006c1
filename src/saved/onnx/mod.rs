//! Models as ONNX graphs: an encoder and a decoder, for any runtime of that format.
//!
//! | graph | takes | gives |
//! |---|---|---|
//! | encoder | `image [N, H, W, C]` | `mean [N, L]`, `logvar [N, L]` |
//! | decoder | `z [N, L]` | `logits [N, H, W, C]`, `probabilities [N, H, W, C]` |
//!
//! All are float32; N is dynamic. ONNX convolutions take NCHW, so the graphs transpose images at
//! input and output, and between a convolution and a dense layer, so that dense kernels keep Keras's
//! layout. The graphs use version 13 of the standard operators.

pub mod proto;

use prost::Message;

use crate::model::layers::{Kind, Layer, Stack};
use crate::ops::conv::Conv;
use crate::saved::Trained;
use crate::saved::pytorch;
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

/// Name of the batch axis.
const BATCH: &str = "N";

/// Permutations from NHWC to NCHW and back.
const CHANNELS_FIRST: [usize; 4] = [0, 3, 1, 2];
const CHANNELS_LAST: [usize; 4] = [0, 2, 3, 1];

/// Why a model cannot be written as ONNX.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnnxError {
    /// A protobuf message has at most 2 GiB.
    #[error(
        "the {graph} has {bytes} bytes, and an ONNX file holds at most {MAX_BYTES}: export the model \
         as safetensors instead"
    )]
    TooLarge {
        /// `encoder` or `decoder`.
        graph: &'static str,
        /// Length of its file.
        bytes: usize,
    },
}

/// The file of the encoder.
///
/// # Errors
///
/// [`OnnxError::TooLarge`].
pub fn encoder(trained: &Trained) -> Result<Vec<u8>, OnnxError> {
    let model = &trained.model;
    let mut graph = Builder::new(trained, "encoder");
    let image = Value::new("image", Form::ChannelsLast, &model.image);
    let codes = graph.stack(&model.encoder(), &image);
    let outputs = ["mean", "logvar"];
    graph.integers("latent", &[model.latent_dim; 2]);
    graph.node(
        "Split",
        &[&codes.name, "latent"],
        &outputs,
        vec![int("axis", 1)],
    );
    graph.finish(
        &image,
        &outputs.map(|name| Value::new(name, Form::Flat, &[model.latent_dim])),
    )
}

/// The file of the decoder.
///
/// # Errors
///
/// [`OnnxError::TooLarge`].
pub fn decoder(trained: &Trained) -> Result<Vec<u8>, OnnxError> {
    let model = &trained.model;
    let mut graph = Builder::new(trained, "decoder");
    let z = Value::new("z", Form::Flat, &[model.latent_dim]);
    let last = graph.stack(&model.decoder(), &z);
    let outputs = ["logits", "probabilities"];
    graph.transpose(&last.name, outputs[0], CHANNELS_LAST);
    graph.node("Sigmoid", &[outputs[0]], &[outputs[1]], vec![]);
    graph.finish(
        &z,
        &outputs.map(|name| Value::new(name, Form::ChannelsLast, &model.image)),
    )
}

/// The layout of the values of an item.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    /// `[N, H, W, C]`
    ChannelsLast,
    /// `[N, C, H, W]`
    ChannelsFirst,
    /// `[N, features]`
    Flat,
}

/// A tensor of a graph with N items: images `[H, W, C]` in some layout, or features.
#[derive(Clone, Debug)]
struct Value {
    name: String,
    form: Form,
    item: Vec<usize>,
}

impl Value {
    fn new(name: &str, form: Form, item: &[usize]) -> Self {
        Value {
            name: name.into(),
            form,
            item: item.to_vec(),
        }
    }

    /// The declaration of an input or output, which is never [`Form::ChannelsFirst`].
    fn info(&self) -> ValueInfoProto {
        let axis = |value| DimensionProto { value: Some(value) };
        let batch = axis(Length::Param(BATCH.into()));
        let rest = self.item.iter().map(|&n| axis(Length::Value(n as i64)));
        let shape = TensorShapeProto {
            dim: std::iter::once(batch).chain(rest).collect(),
        };
        let tensor = TensorTypeProto {
            elem_type: Some(proto::FLOAT),
            shape: Some(shape),
        };
        ValueInfoProto {
            name: Some(self.name.clone()),
            r#type: Some(TypeProto {
                tensor_type: Some(tensor),
            }),
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
            name: Some(name.into()),
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
                4 => pytorch::kernel_to_pytorch(&spec.shape, values),
                _ => (spec.shape.clone(), values.clone()),
            };
            let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            builder.constant(&spec.name, proto::FLOAT, &shape, bytes);
        }
        builder
    }

    fn constant(&mut self, name: &str, data_type: i32, shape: &[usize], bytes: Vec<u8>) {
        self.graph.initializer.push(TensorProto {
            dims: signed(shape),
            data_type: Some(data_type),
            name: Some(name.into()),
            raw_data: Some(bytes),
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
            name: outputs.first().map(|&name| name.to_owned()),
            op_type: Some(operator.into()),
            attribute,
        });
    }

    fn transpose(&mut self, from: &str, to: &str, axes: [usize; 4]) {
        self.node("Transpose", &[from], &[to], vec![ints("perm", &axes)]);
    }

    /// Converts a tensor to the layout and shape that a layer takes.
    fn fit(&mut self, layer: &str, mut value: Value, form: Form, item: &[usize]) -> Value {
        if value.form == form {
            return value;
        }
        if value.form == Form::ChannelsFirst {
            let name = format!("{layer}.rows");
            self.transpose(&value.name, &name, CHANNELS_LAST);
            value.name = name;
        }
        if value.item != item {
            let (name, shape) = (format!("{layer}.reshaped"), format!("{layer}.shape"));
            // 0 keeps the batch axis.
            self.integers(&shape, &[&[0], item].concat());
            self.node("Reshape", &[&value.name, &shape], &[&name], vec![]);
            value.name = name;
        }
        if form == Form::ChannelsFirst {
            let name = format!("{layer}.channels");
            self.transpose(&value.name, &name, CHANNELS_FIRST);
            value.name = name;
        }
        Value::new(&value.name, form, item)
    }

    fn layer(&mut self, x: Value, layer: &Layer) -> Value {
        let name = &layer.name;
        let (operator, form, item, attributes) = match layer.kind {
            Kind::Conv(conv) => (
                "Conv",
                Form::ChannelsFirst,
                conv.big.to_vec(),
                geometry(&conv),
            ),
            Kind::Deconv(conv) => {
                let small = conv.small.to_vec();
                ("ConvTranspose", Form::ChannelsFirst, small, geometry(&conv))
            }
            Kind::Dense(dense) => ("Gemm", Form::Flat, vec![dense.inputs], vec![]),
        };
        let x = self.fit(name, x, form, &item);
        let [kernel, bias] = layer.params().map(|spec| spec.name);
        let mut y = Value::new(&format!("{name}.y"), form, &layer.output());
        self.node(operator, &[&x.name, &kernel, &bias], &[&y.name], attributes);
        if layer.relu {
            let relu = format!("{name}.relu");
            self.node("Relu", &[&y.name], &[&relu], vec![]);
            y.name = relu;
        }
        y
    }

    fn stack(&mut self, stack: &Stack, x: &Value) -> Value {
        let layers = stack.layers.iter();
        layers.fold(x.clone(), |x, layer| self.layer(x, layer))
    }

    fn finish(mut self, input: &Value, outputs: &[Value]) -> Result<Vec<u8>, OnnxError> {
        self.graph.input = vec![input.info()];
        self.graph.output = outputs.iter().map(Value::info).collect();
        let config = StringStringEntryProto {
            key: Some("config".into()),
            value: Some(self.trained.config_json()),
        };
        let opset = OperatorSetIdProto {
            version: Some(OPSET),
        };
        let file = ModelProto {
            ir_version: Some(IR_VERSION),
            producer_name: Some(env!("CARGO_PKG_NAME").into()),
            producer_version: Some(env!("CARGO_PKG_VERSION").into()),
            graph: Some(self.graph),
            opset_import: vec![opset],
            metadata_props: vec![config],
        };
        let (graph, bytes) = (self.name, file.encoded_len());
        if bytes > MAX_BYTES {
            return Err(OnnxError::TooLarge { graph, bytes });
        }
        Ok(file.encode_to_vec())
    }
}

/// Attributes of a convolution; for a transposed one the padding crops. TensorFlow's "same" padding
/// of stride 2 crops the last row and column only.
fn geometry(conv: &Conv) -> Vec<AttributeProto> {
    let after = |axis: usize| {
        let reach = (conv.small[axis] - 1) * conv.stride + conv.kernel;
        // A convolution may ignore the last row.
        reach.saturating_sub(conv.big[axis] + conv.pad[axis])
    };
    vec![
        ints("kernel_shape", &[conv.kernel; 2]),
        ints("strides", &[conv.stride; 2]),
        ints("pads", &[conv.pad[0], conv.pad[1], after(0), after(1)]),
    ]
}

fn ints(name: &str, values: &[usize]) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        ints: signed(values),
        r#type: Some(proto::INTS),
        i: None,
    }
}

fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        i: Some(value),
        r#type: Some(proto::INT),
        ints: vec![],
    }
}

/// Sizes as protobuf integers; sizes of models are far below 2^63.
fn signed(sizes: &[usize]) -> Vec<i64> {
    sizes.iter().map(|&n| n as i64).collect()
}
