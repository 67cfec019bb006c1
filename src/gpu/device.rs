//! The device: opened on an adapter, with what is shared by all plans on it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::adapter::AdapterReport;
use super::error::GpuError;
use super::fault::Faults;
use super::guard::Guard;
use super::pipeline::{Key, Pipeline};
use super::selection::{Feature, Selection};
use crate::ops::{self, Target, Tuning};
use crate::plan::Caps;
use crate::plan::shader::Mistake;

/// How often host and device have talked, to show that a train step needs neither.
#[derive(Debug, Default)]
pub struct Counters {
    /// Submissions to the queue.
    pub submissions: AtomicU64,
    /// Buffers written by the host.
    pub host_writes: AtomicU64,
    /// Buffers read back.
    pub readbacks: AtomicU64,
    /// Buffers created.
    pub buffers: AtomicU64,
}

impl Counters {
    pub(super) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// An open device.
pub struct Gpu {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) selection: Selection,
    pub(super) checked: bool,
    pub(super) mistakes: Vec<Mistake>,
    pub(super) pipelines: Mutex<HashMap<Key, Arc<Pipeline>>>,
    pub(super) modules: Mutex<HashMap<&'static str, wgpu::ShaderModule>>,
    pub(super) staging: Mutex<Vec<wgpu::Buffer>>,
    /// On a checked device, unless the adapter has no storage buffer left for it.
    pub(super) guard: Option<Arc<Guard>>,
    pub(super) faults: Faults,
    /// Whether mirrors share the memory of what they mirror.
    pub(super) aliases: bool,
    /// The adapter it was opened on.
    pub adapter: AdapterReport,
    /// Traffic so far.
    pub counters: Counters,
}

impl Gpu {
    /// The same device with wrong shaders, to prove that checks see them. Its shaders are
    /// checked, whatever this device's are, so that a wrong index stays without consequence; and
    /// where this device's are checked too, kernels without a mistake are not compiled again.
    ///
    /// # Errors
    ///
    /// [`GpuError::Mistake`] where a mistake's text is not in its file exactly once, or where the
    /// result is no valid WGSL.
    pub fn planted(&self, mistakes: &[Mistake]) -> Result<Gpu, GpuError> {
        let sources = ops::sources();
        let check = |m: &Mistake| m.check(&sources).map_err(GpuError::Mistake);
        mistakes.iter().try_for_each(check)?;
        let right = |module: &str| {
            let source = sources.iter().find(|s| s.name == module);
            self.checked && self.mistakes.is_empty() && source.is_some_and(|s| !s.has(mistakes))
        };
        let modules = self.modules.lock().clone().into_iter();
        let pipelines = self.pipelines.lock().clone().into_iter();
        let stays = |key: &Key| matches!(key, Key::Kernel(key) if right(key.module));
        if let Some(guard) = &self.guard {
            guard.reset(&self.queue);
        }
        Ok(Gpu {
            device: self.device.clone(),
            queue: self.queue.clone(),
            selection: self.selection.clone(),
            checked: true,
            mistakes: mistakes.to_vec(),
            pipelines: Mutex::new(pipelines.filter(|(key, _)| stays(key)).collect()),
            modules: Mutex::new(modules.filter(|(name, _)| right(name)).collect()),
            staging: Mutex::default(),
            guard: self.guard.clone(),
            faults: self.faults.clone(),
            aliases: self.aliases,
            adapter: self.adapter.clone(),
            counters: Counters::default(),
        })
    }

    /// What operations are lowered for.
    pub fn target(&self) -> &Target {
        &self.adapter.target
    }

    /// What the adapter offers.
    pub fn caps(&self) -> &Caps {
        &self.adapter.target.caps
    }

    /// Whether the user lets a feature be used; the adapter may not have it.
    pub fn allows(&self, feature: Feature) -> bool {
        !self.selection.disable.contains(&feature)
    }

    /// Lets plans be made by this choice from now on.
    pub fn tune(&mut self, choice: Tuning) {
        self.adapter.target = self.adapter.target.tuned(&choice);
    }

    /// The first error the driver has reported, if any.
    pub fn check(&self) -> Result<(), GpuError> {
        self.faults.check()
    }

    /// Destroys the device, as if the driver had lost it: for tests of what happens then.
    pub fn lose(&self) {
        self.faults.lose("as a test has asked for".into());
        self.device.destroy();
    }

    /// Makes something, and gives the error that this caused on the device, if it did. Errors
    /// of other threads do not mix in.
    pub(super) async fn scoped<T>(&self, make: impl FnOnce() -> T) -> (T, Option<String>) {
        let filters = [
            wgpu::ErrorFilter::OutOfMemory,
            wgpu::ErrorFilter::Internal,
            wgpu::ErrorFilter::Validation,
        ];
        let scopes = filters.map(|filter| self.device.push_error_scope(filter));
        let made = make();
        // Scopes end in the opposite order, and before anything else is awaited.
        let [memory, internal, validation] = scopes;
        let answers = (validation.pop(), internal.pop(), memory.pop());
        let error = answers.0.await;
        let error = answers.1.await.or(error);
        let error = answers.2.await.or(error);
        (made, error.map(|e| e.to_string()))
    }
}
