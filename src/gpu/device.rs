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
use crate::ops::{Target, Tuning};
use crate::plan::Caps;
use crate::plan::shader::Edits;

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

/// Text of a module, entry point, and names and bits of constants: equal keys compile to the same code.
type Key = (String, &'static str, Vec<(&'static str, u64)>);

/// What has been compiled; modules by their text.
#[derive(Clone, Default)]
pub(super) struct Cache {
    pub(super) modules: HashMap<String, wgpu::ShaderModule>,
    pub(super) pipelines: HashMap<Key, Pipeline>,
}

/// An open device. Clones share it.
#[derive(Clone)]
pub struct Gpu {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    /// The selection it was opened with.
    pub selection: Selection,
    pub(super) edits: Edits,
    pub(super) cache: Arc<Mutex<Cache>>,
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
        let mut edited = self.clone();
        edited.edits = edits;
        edited.selection.checked = true;
        // Unchecked pipelines cannot be reused.
        edited.cache = match self.selection.checked {
            true => Arc::new(Mutex::new(self.cache.lock().clone())),
            false => Arc::default(),
        };
        edited
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
