//! The devices of tests and benchmarks, on the adapter that the environment selects.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use cvae_gpu::gpu::{Gpu, Selection};
use cvae_gpu::ops::Tuning;
use cvae_gpu::ops::conv::Variant;

/// The adapter that the environment selects.
pub fn selection() -> Selection {
    let var = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
    Selection {
        adapter: var("CVAE_GPU_ADAPTER"),
        backend: var("CVAE_GPU_BACKEND").map(|b| b.parse().expect("CVAE_GPU_BACKEND")),
        disable: var("CVAE_GPU_DISABLE")
            .map(|v| {
                v.split(',')
                    .map(|f| f.parse().expect("CVAE_GPU_DISABLE"))
                    .collect()
            })
            .unwrap_or_default(),
        checked: var("CVAE_GPU_CHECKED").is_some(),
        named: false,
        tuning: Tuning {
            variant: var("CVAE_GPU_VARIANT").map(|v| v.parse().expect("CVAE_GPU_VARIANT")),
            ..Tuning::default()
        },
    }
}

/// The adapter, opened lazily in each configuration.
#[derive(Default)]
struct Devices {
    trusted: OnceLock<Gpu>,
    checked: OnceLock<Gpu>,
    named: OnceLock<Gpu>,
    plain: OnceLock<Gpu>,
}

/// Devices that no thread uses. A software adapter compiles on one thread per device, so each test
/// thread has its own; it leaks devices, so they are reused.
static FREE: Mutex<Vec<&'static Devices>> = Mutex::new(Vec::new());

fn free() -> MutexGuard<'static, Vec<&'static Devices>> {
    FREE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The devices of a thread, returned when it ends.
struct Borrowed(&'static Devices);

impl Borrowed {
    fn new() -> Self {
        let devices = free().pop();
        Borrowed(devices.unwrap_or_else(|| Box::leak(Box::default())))
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        free().push(self.0);
    }
}

thread_local! {
    static BORROWED: Borrowed = Borrowed::new();
}

/// Opens the adapter. Panics without one: tests never skip silently.
fn open(selection: &Selection) -> Gpu {
    match pollster::block_on(Gpu::open(selection)) {
        Ok(gpu) => {
            eprintln!("note: testing on {}", name(&gpu));
            gpu
        }
        Err(e) => panic!("an adapter is needed: {e}"),
    }
}

/// The device of this thread.
pub fn gpu() -> &'static Gpu {
    let devices = BORROWED.with(|b| b.0);
    devices.trusted.get_or_init(|| open(&selection()))
}

/// The same adapter with wgpu's bounds checks and loop bounds in the shaders. Released programs run
/// without these, so tests need both.
pub fn checked_gpu() -> &'static Gpu {
    let mut selection = selection();
    if selection.checked {
        return gpu();
    }
    selection.checked = true;
    let devices = BORROWED.with(|b| b.0);
    devices.checked.get_or_init(|| open(&selection))
}

/// The same adapter with shaders that report out-of-bounds accesses as errors. They compile slowly.
pub fn naming_gpu() -> &'static Gpu {
    let mut selection = selection();
    (selection.checked, selection.named) = (true, true);
    let devices = BORROWED.with(|b| b.0);
    devices.named.get_or_init(|| open(&selection))
}

/// The same adapter with plain kernels, unless the environment selects others. They compile fastest,
/// for tests that are not about kernels.
pub fn plain_gpu() -> &'static Gpu {
    let mut selection = selection();
    selection.tuning.variant.get_or_insert(Variant::Plain);
    let devices = BORROWED.with(|b| b.0);
    devices.plain.get_or_init(|| open(&selection))
}

/// Names of an adapter and its driver.
pub fn name(gpu: &Gpu) -> String {
    let adapter = &gpu.adapter;
    let backend = adapter.backend.name();
    format!("{} ({backend}, {})", adapter.name, adapter.driver)
}
