//! The device of tests and benchmarks, on the adapter that the environment asks for.

use std::sync::OnceLock;

use cvae_gpu::gpu::{Gpu, Selection};

/// Which adapter the environment asks the tests to run on.
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
        variant: var("CVAE_GPU_VARIANT").map(|v| v.parse().expect("CVAE_GPU_VARIANT")),
    }
}

/// The device all tests of a process share: software adapters leak devices. A machine without
/// an adapter fails here; nothing is skipped in silence.
pub fn gpu() -> &'static Gpu {
    static GPU: OnceLock<Gpu> = OnceLock::new();
    GPU.get_or_init(|| match pollster::block_on(Gpu::open(&selection())) {
        Ok(gpu) => {
            eprintln!("note: testing on {}", name(&gpu));
            gpu
        }
        Err(e) => panic!("an adapter is needed: {e}"),
    })
}

/// An adapter and its driver.
pub fn name(gpu: &Gpu) -> String {
    let adapter = &gpu.adapter;
    let backend = adapter.backend.name();
    format!("{} ({backend}, {})", adapter.name, adapter.driver)
}
