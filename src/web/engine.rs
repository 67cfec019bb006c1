//! Training and inference on the visitor's GPU.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cvae_gpu::check::{self, Case, Section};
use cvae_gpu::explore::{Codes, Explorer};
use cvae_gpu::files::tensors::TensorFile;
use cvae_gpu::gpu::{Gpu, GpuError, Selection};
use cvae_gpu::saved::Stored;
use cvae_gpu::saved::checkpoint::{self, Platform};
use cvae_gpu::saved::config::RunConfig;
use cvae_gpu::train::eval::Terms;
use cvae_gpu::train::event::Event;
use cvae_gpu::train::{Ended, Every, TrainError, Trainer};
use js_sys::{Float32Array, Function, Uint8Array};
use serde_json::{Value, json};
use wasm_bindgen::prelude::*;

use crate::images::Images;
use crate::settings::Settings;
use crate::twin::Model;

/// Images of a batch in inference.
const BATCH: usize = 64;

/// An open device.
#[wasm_bindgen]
pub struct Engine {
    gpu: Gpu,
    stop: Arc<AtomicBool>,
}

#[wasm_bindgen]
impl Engine {
    /// Opens the browser's adapter. It is called `name` if the browser tells wgpu none.
    pub async fn open(name: Option<String>) -> Result<Engine, JsError> {
        let mut gpu = Gpu::open(&Selection::default()).await?;
        if gpu.adapter.name.is_empty() {
            gpu.adapter.name = name.unwrap_or_else(|| "the GPU".into());
        }
        Ok(Engine {
            gpu,
            stop: Arc::default(),
        })
    }

    /// The adapter, as JSON.
    pub fn adapter(&self) -> String {
        json!(self.gpu.adapter).to_string()
    }

    /// The configuration of a run on these images, from settings as JSON: the text of `config.json`.
    pub fn configure(images: &Images, settings: &str) -> Result<String, JsError> {
        let settings: Settings = serde_json::from_str(settings)?;
        let config = settings.config(images).map_err(|e| JsError::new(&e))?;
        Ok(serde_json::to_string_pretty(&config)?)
    }

    /// As `configure`, of a run that starts from the weights of `model`, in the file `name`.
    #[wasm_bindgen(js_name = configureFrom)]
    pub fn configure_from(
        images: &Images,
        settings: &str,
        model: &Model,
        name: &str,
    ) -> Result<String, JsError> {
        let settings: Settings = serde_json::from_str(settings)?;
        let mut config = settings.config(images).map_err(|e| JsError::new(&e))?;
        config.model = model.trained.model.clone();
        config.model.takes(&images.set.train.images)?;
        config.init = Some(name.into());
        Ok(serde_json::to_string_pretty(&config)?)
    }

    /// Trains to the end of the run, or until stopped; true at its end. `start` has the bytes of a
    /// checkpoint to resume, or of a model with the first weights. `listen` gets each event as JSON, and the values of pictures, losses and checkpoints as typed arrays. A checkpoint comes
    /// every `seconds`.
    pub async fn train(
        &self,
        images: &Images,
        config: &str,
        start: Option<Vec<u8>>,
        seconds: f64,
        listen: Function,
    ) -> Result<bool, JsError> {
        let config = RunConfig::from_bytes(config.as_bytes()).map_err(|e| JsError::new(&e))?;
        let mut options = config.options();
        options.checkpoint_every = Every::Minutes(seconds / 60.0);
        self.stop.store(false, Ordering::Relaxed);
        let trainer = Trainer::new(&self.gpu, &options, &images.set).await;
        let trainer = trainer.map_err(|error| told(&error))?;
        let mut trainer = trainer.stop_on(&self.stop);
        if let Some(bytes) = start {
            let file = TensorFile::from_bytes(&bytes)?;
            trainer = match checkpoint::step_of(&file) {
                Some(_) => {
                    let stored = checkpoint::checkpoint_from(file, &config.model_config())?;
                    trainer.resume(stored.snapshot)?
                }
                None => {
                    let stored = Stored::new(Path::new("the model"), file)?;
                    trainer.warm(&stored.open(None)?.weights)?
                }
            };
        }
        let adapter = &self.gpu.adapter;
        let platform = Platform::of(&adapter.name, &adapter.driver, trainer.variant());
        let mut emit = |event: Event| -> Result<(), Box<dyn Error + Send + Sync>> {
            let values: JsValue = match &event {
                Event::Progress { losses, .. } => Float32Array::from(&losses[..]).into(),
                Event::Pictures { images, .. } | Event::Manifold { images, .. } => {
                    Float32Array::from(&images[..]).into()
                }
                Event::Checkpoint(snapshot) | Event::Done { snapshot, .. } => {
                    let model = config.model_config();
                    let bytes = checkpoint::checkpoint_bytes(snapshot, &model, &config, &platform)?;
                    Uint8Array::from(&bytes[..]).into()
                }
                _ => JsValue::UNDEFINED,
            };
            let text = serde_json::to_string(&event)?;
            listen
                .call2(&JsValue::NULL, &text.into(), &values)
                .map_err(|_| "the page failed to take an event")?;
            Ok(())
        };
        Ok(trainer.run(&mut emit).await? == Ended::Done)
    }

    /// Ends training soon, with a checkpoint.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// The mean ELBO and its terms over the first `limit` test images, as JSON.
    pub async fn evaluate(
        &self,
        model: &Model,
        images: &Images,
        limit: usize,
        seed: u64,
    ) -> Result<String, JsError> {
        let split = images.set.test.clone().first(limit);
        let explorer = Explorer::new(&self.gpu, &model.trained, BATCH);
        let terms = explorer.terms(&split, seed, &mut |_, _| ()).await?;
        let mean = Terms::mean(&terms);
        let loss = model.trained.model.loss;
        let kl = mean.divergence(loss);
        Ok(json!({
            "images": terms.len(),
            "elbo": mean.elbo(loss),
            "reconstruction": mean.logpx_z,
            "kl": kl,
        })
        .to_string())
    }

    /// Mean and log-variance `[N, 2L]` of the first `limit` test images.
    pub async fn encode(
        &self,
        model: &Model,
        images: &Images,
        limit: usize,
    ) -> Result<Vec<f32>, JsError> {
        let split = images.set.test.clone().first(limit);
        let explorer = Explorer::new(&self.gpu, &model.trained, BATCH);
        Ok(explorer.encode(&split, &mut |_, _| ()).await?)
    }

    /// The images `[N, H, W, C]` of codes `[N, L]`, all of class `label`.
    pub async fn decode(
        &self,
        model: &Model,
        z: Vec<f32>,
        label: Option<u32>,
    ) -> Result<Vec<f32>, JsError> {
        let explorer = Explorer::new(&self.gpu, &model.trained, BATCH);
        let count = z.len() / model.trained.model.latent_dim;
        let labels = vec![label.unwrap_or(0); count];
        let labels = Some(&labels[..]);
        let codes = Codes { z: &z, labels };
        Ok(explorer.decode(codes, &mut |_, _| ()).await?)
    }

    /// Compares every kernel and the cases of the twins with their references. `listen` gets the name of
    /// each part before it runs. The table, as JSON.
    pub async fn check(&self, listen: Function) -> Result<String, JsError> {
        let tell = |name: &str| {
            // The page shows progress, or does not.
            let _ = listen.call1(&JsValue::NULL, &name.into());
        };
        let mut sections = Vec::new();
        for case in check::made() {
            tell(&case.name);
            sections.push(check::check_case(&self.gpu, &case, false).await?.0);
        }
        sections.extend(check::kernels(&self.gpu, &mut |name| tell(name)).await?);
        Ok(table(&sections).to_string())
    }

    /// Compares a recorded case, the bytes of a file, with this device. The table, as JSON.
    pub async fn case(&self, bytes: &[u8], name: &str) -> Result<String, JsError> {
        let case = Case::from_file(name, name, TensorFile::from_bytes(bytes)?)?;
        let (section, _) = check::check_case(&self.gpu, &case, false).await?;
        Ok(table(&[section]).to_string())
    }

    /// Destroys the device, to test what follows.
    pub fn lose(&self) {
        self.gpu.lose();
    }
}

/// The message of an error, with the batch that fits into the memory.
fn told(error: &TrainError) -> JsError {
    match error {
        TrainError::Gpu(GpuError::OutOfMemory {
            fits: Some(batch), ..
        }) => JsError::new(&format!(
            "{error}: use a smaller batch (up to {batch} fits)"
        )),
        _ => JsError::new(&error.to_string()),
    }
}

fn table(sections: &[Section]) -> Value {
    json!({
        "passed": sections.iter().all(|section| section.failures().next().is_none()),
        "sections": sections,
    })
}
