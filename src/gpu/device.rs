//! An open device and what all plans on it share.

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

/// Counts of host-device traffic, to show that a train step needs none.
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
    /// On a checked device, the bounds checks, unless the adapter has no storage buffer left.
    pub(super) guard: Option<Arc<Guard>>,
    pub(super) faults: Faults,
    /// Mirrors share memory with their slots.
    pub(super) aliases: bool,
    /// The adapter it was opened on.
    pub adapter: AdapterReport,
    /// Host-device traffic so far.
    pub counters: Counters,
}

impl Gpu {
    /// The same device with planted mistakes, to prove that checks detect them.
    ///
    /// Its shaders are bounds-checked, so that a wrong index is harmless. If this device's shaders are
    /// checked too, pipelines without a mistake are reused.
    ///
    /// # Errors
    ///
    /// [`GpuError::Mistake`] if a mistake's text does not occur exactly once in its file, or if the
    /// result is not valid WGSL.
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

    /// The target for lowering.
    pub fn target(&self) -> &Target {
        &self.adapter.target
    }

    /// Capabilities of the adapter.
    pub fn caps(&self) -> &Caps {
        &self.adapter.target.caps
    }

    /// Whether the user has not disabled a feature; the adapter may still lack it.
    pub fn allows(&self, feature: Feature) -> bool {
        !self.selection.disable.contains(&feature)
    }

    /// Applies these choices to plans built from now on.
    pub fn tune(&mut self, choice: Tuning) {
        self.adapter.target = self.adapter.target.tuned(&choice);
    }

    /// Returns the first error that the driver has reported, if any.
    pub fn check(&self) -> Result<(), GpuError> {
        self.faults.check()
    }

    /// Destroys the device, to test the reaction to a lost device.
    pub fn lose(&self) {
        self.faults.lose("destroyed by a test".into());
        self.device.destroy();
    }

    /// Runs `make` and returns its result with the error that it caused on the device, if any. Errors
    /// of other threads are not included.
    pub(super) async fn scoped<T>(&self, make: impl FnOnce() -> T) -> (T, Option<String>) {
        let filters = [
            wgpu::ErrorFilter::OutOfMemory,
            wgpu::ErrorFilter::Internal,
            wgpu::ErrorFilter::Validation,
        ];
        let scopes = filters.map(|filter| self.device.push_error_scope(filter));
        let made = make();
        // Error scopes end in reverse order, before the next await.
        let [memory, internal, validation] = scopes;
        let answers = (validation.pop(), internal.pop(), memory.pop());
        let error = answers.0.await;
        let error = answers.1.await.or(error);
        let error = answers.2.await.or(error);
        (made, error.map(|e| e.to_string()))
    }
}
