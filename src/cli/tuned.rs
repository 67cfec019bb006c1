//! The kernels that `bench --tune` chose, for the commands that run the train step.

use cvae_gpu::bench::{Search, Setting};
use cvae_gpu::data::known::Places;
use cvae_gpu::gpu::Gpu;
use cvae_gpu::model::Model;
use cvae_gpu::ops::Tuning;

use crate::cli::common::Common;

/// Applies and returns the tuned choice of kernels for this model and batch. `None` if flags choose
/// the kernels, or no choice is faster than the default.
pub fn choose(gpu: &mut Gpu, common: &Common, model: &Model, batch: usize) -> Option<Tuning> {
    let flags = &common.adapter;
    if flags.untuned || flags.variant.is_some() || flags.fuse || !flags.disable.is_empty() {
        return None;
    }
    let cache = Places::of_user().cache?;
    let choice = Setting::new(&gpu.adapter, model, batch).find(&cache)?;
    if choice == Tuning::default() {
        return None;
    }
    gpu.tune(choice);
    common.say(&format!(
        "Kernels chosen by `bench --tune`: {choice} (--untuned ignores them)"
    ));
    Some(choice)
}

/// Stores and applies the choice for `gpu`, which is not tuned yet.
pub fn keep(gpu: &mut Gpu, common: &Common, model: &Model, batch: usize, found: &Search) {
    let setting = Setting::new(&gpu.adapter, model, batch);
    gpu.tune(found.choice);
    let kept = match Places::of_user().cache {
        Some(cache) => setting.save(found, &cache).map_err(|e| e.to_string()),
        None => Err("this user has no cache folder".into()),
    };
    match kept {
        Ok(path) => common.say(&format!("Kept for `train` in {}", path.display())),
        Err(reason) => common.warn(&format!(
            "the choice cannot be kept for `train`: {reason}; name a folder in the \
             environment variable CVAE_GPU_CACHE"
        )),
    }
}
