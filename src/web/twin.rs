//! A trained model on the CPU twins: slow, but beside the GPU, and where there is none.

use std::path::Path;

use cvae_gpu::explore::plans;
use cvae_gpu::files::tensors::TensorFile;
use cvae_gpu::model;
use cvae_gpu::ops::Target;
use cvae_gpu::plan::cpu::{Memory, Values};
use cvae_gpu::plan::{Plan, SlotId};
use cvae_gpu::saved::{Stored, Trained, checkpoint, onnx};
use serde_json::json;
use wasm_bindgen::prelude::*;

/// A trained model.
#[wasm_bindgen]
pub struct Model {
    pub(crate) trained: Trained,
    step: Option<u64>,
    decode: Plan,
    encode: Plan,
    q: SlotId,
    memory: Memory,
}

#[wasm_bindgen]
impl Model {
    /// The model in the bytes of a model file or a checkpoint; `name` is that of the file.
    #[wasm_bindgen(constructor)]
    pub fn new(bytes: &[u8], name: &str) -> Result<Model, JsError> {
        let file = TensorFile::from_bytes(bytes)?;
        let step = checkpoint::step_of(&file);
        let trained = Stored::new(Path::new(name), file)?.open(None)?;
        let target = Target::portable();
        let (decode, _) = model::decode(&trained.model, 1, &target);
        let (encode, q) = plans::codes(&trained.model, 1, &target);
        let mut memory = Memory::default();
        memory.fit(&decode);
        memory.fit(&encode);
        for (spec, values) in &trained.weights {
            let holds = |plan: &&Plan| plan.find(&spec.name).is_some();
            for plan in [&decode, &encode].into_iter().filter(holds) {
                memory.set_floats(plan, &spec.name, values);
            }
        }
        Ok(Model {
            trained,
            step,
            decode,
            encode,
            q,
            memory,
        })
    }

    /// The model and the optimizer step, as JSON.
    pub fn about(&self) -> String {
        let model = &self.trained.model;
        json!({
            "image": model.image,
            "latentDim": model.latent_dim,
            "labels": model.labels,
            "likelihood": model.likelihood,
            "range": model.range(),
            "data": self.trained.data,
            "classes": self.trained.classes,
            "step": self.step,
        })
        .to_string()
    }

    /// The image `[H, W, C]` of a code `[L]`, of class `label`.
    pub fn decode(&mut self, z: &[f32], label: Option<u32>) -> Result<Vec<f32>, JsError> {
        let latent = self.trained.model.latent_dim;
        if z.len() != latent {
            return Err(JsError::new(&format!(
                "{} values are no code of {latent}",
                z.len()
            )));
        }
        self.memory.set_floats(&self.decode, "codes", z);
        self.set_label(true, label);
        self.memory.run(&self.decode);
        Ok(floats(&self.memory.floats(&self.decode, "probabilities")))
    }

    /// Mean and log-variance `[2L]` of the code of an image `[H, W, C]`, of class `label`.
    pub fn encode(&mut self, image: &[f32], label: Option<u32>) -> Result<Vec<f32>, JsError> {
        let wanted: usize = self.trained.model.image.iter().product();
        if image.len() != wanted {
            return Err(JsError::new(&format!(
                "{} values are no image of {wanted}",
                image.len()
            )));
        }
        self.memory.set_floats(&self.encode, "x", image);
        self.set_label(false, label);
        self.memory.run(&self.encode);
        let model = &self.trained.model;
        let q = match self.memory.get(&self.encode, self.q) {
            Values::Floats(q) => floats(&q),
            Values::Words(_) => return Err(JsError::new("codes are floats")),
        };
        Ok(model.posterior.means_and_logvars(model.latent_dim, q))
    }

    /// The bytes of `model.safetensors`.
    pub fn file(&self) -> Result<Vec<u8>, JsError> {
        Ok(self.trained.to_file().to_bytes()?)
    }

    /// The bytes of the ONNX graph of the encoder or the decoder.
    pub fn onnx(&self, decoder: bool) -> Result<Vec<u8>, JsError> {
        Ok(match decoder {
            true => onnx::decoder(&self.trained)?,
            false => onnx::encoder(&self.trained)?,
        })
    }

    fn set_label(&mut self, decode: bool, label: Option<u32>) {
        if self.trained.model.labels > 0 {
            let plan = if decode { &self.decode } else { &self.encode };
            self.memory.set_words(plan, "labels", &[label.unwrap_or(0)]);
        }
    }
}

fn floats(values: &[f64]) -> Vec<f32> {
    values.iter().map(|v| *v as f32).collect()
}
