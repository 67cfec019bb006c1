//! An open device and what all plans on it share.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parking_lot::Mutex;

use super::adapter::AdapterReport;
use super::error::GpuError;
use super::fault::Faults;
use super::guard::Guard;
use super::selection::Selection;
use crate::ops::{self, Target, Tuning};
use crate::plan::shader::Edits;
use crate::plan::{Caps, KernelKey};

/// Counts of host-device traffic, to show that a train step needs none.
#[derive(Debug, Default)]
pub struct Counters {
    /// Buffers written by the host.
    pub host_writes: AtomicU64,
    /// Buffers created.
    pub buffers: AtomicU64,
}

/// A compiled kernel and the layout of its one bind group.
#[derive(Clone)]
pub(super) struct Pipeline {
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) layout: wgpu::BindGroupLayout,
}

/// On one device, equal keys compile to the same code.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Kernel(KernelKey),
    /// The WGSL of a linked module.
    Linked(String),
}

/// What has been compiled.
#[derive(Default)]
pub(super) struct Cache {
    /// By the names of their sources.
    pub(super) modules: Mutex<HashMap<&'static str, wgpu::ShaderModule>>,
    pub(super) pipelines: Mutex<HashMap<Key, Pipeline>>,
}

/// An open device. Clones share it.
#[derive(Clone)]
pub struct Gpu {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    /// The selection it was opened with.
    pub selection: Selection,
    pub(super) edits: Edits,
    pub(super) cache: Arc<Cache>,
    pub(super) staging: Arc<Mutex<Vec<wgpu::Buffer>>>,
    /// On a checked device, the bounds checks, unless the adapter has no storage buffer left.
    pub(super) guard: Option<Arc<Guard>>,
    pub(super) faults: Faults,
    /// Mirrors share memory with their slots.
    pub(super) aliases: bool,
    /// The adapter it was opened on.
    pub adapter: AdapterReport,
    /// Host-device traffic so far.
    pub counters: Arc<Counters>,
}

impl Gpu {
    /// The same device with other texts in place of some shader files, to try a change of a shader
    /// without a build. Its shaders are bounds-checked, so that a wrong index is harmless. A text that is
    /// not valid WGSL makes the compilation of plans fail.
    #[must_use]
    pub fn with_shaders(&self, edits: Edits) -> Gpu {
        if let Some(guard) = &self.guard {
            guard.reset(&self.queue);
        }
        let mut cache = Cache::default();
        // Pipelines without checks cannot be reused, nor those of edited files.
        if self.selection.checked {
            let same = |module: &str| {
                let source = ops::source(module);
                source.is_some_and(|s| s.module_with(&self.edits) == s.module_with(&edits))
            };
            let mut modules = self.cache.modules.lock().clone();
            modules.retain(|module, _| same(module));
            let mut pipelines = self.cache.pipelines.lock().clone();
            pipelines.retain(|key, _| match key {
                Key::Kernel(kernel) => same(kernel.module),
                Key::Linked(_) => true,
            });
            cache = Cache {
                modules: modules.into(),
                pipelines: pipelines.into(),
            };
        }
        let mut edited = self.clone();
        edited.selection.checked = true;
        Gpu {
            edits,
            cache: Arc::new(cache),
            ..edited
        }
    }

    /// The target for lowering.
    pub fn target(&self) -> &Target {
        &self.adapter.target
    }

    /// Capabilities of the adapter.
    pub fn caps(&self) -> &Caps {
        &self.adapter.target.caps
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
        let mut error = None;
        for answer in [validation.pop(), internal.pop(), memory.pop()] {
            error = answer.await.or(error);
        }
        (made, error.map(|e| e.to_string()))
    }
}
