//! The flags of every command.

use clap::{ArgAction, Args};
use cvae_gpu::gpu::{self, Backend, Feature, Selection};
use cvae_gpu::ops::Tuning;
use cvae_gpu::ops::conv::Variant;

use super::{advice, terminal};

/// Flags of every command.
#[derive(Args)]
#[command(next_help_heading = "Adapter")]
pub struct Common {
    /// Adapter to use: its index in `cvae-gpu devices`, or part of its name
    #[arg(long, global = true, value_name = "NAME|INDEX")]
    pub adapter: Option<String>,
    /// Only adapters of this backend: vulkan, metal, dx12 or gl
    #[arg(long, global = true)]
    pub backend: Option<Backend>,
    /// Disable features, to test a fallback: subgroups, texels, timestamps, fusion, pinning, aliasing
    #[arg(long, global = true, value_name = "FEATURE,…", value_delimiter = ',')]
    pub disable: Vec<Feature>,
    /// Keep bounds checks in the shaders, and report the first access out of bounds
    #[arg(long, global = true)]
    pub checked: bool,
    /// Use this variant of the convolution kernels: plain, thin, tile, broadcast or workgroup
    #[arg(long, global = true, value_name = "NAME")]
    pub variant: Option<Variant>,
    /// Fuse the step into few dispatches; GPUs do so by default
    #[arg(long, global = true)]
    pub fuse: bool,
    /// Ignore the kernels that `bench --tune` chose, and with --resume those of the run
    #[arg(long, global = true)]
    pub untuned: bool,
    /// Print errors only
    #[arg(short, long, global = true, help_heading = None::<&str>)]
    pub quiet: bool,
    /// Print more, with warnings of wgpu; -vv also information, -vvv debug messages
    #[arg(short, long, global = true, help_heading = None::<&str>, action = ArgAction::Count)]
    pub verbose: u8,
}

impl Common {
    /// Writes a message to standard error, unless `--quiet` is given.
    pub fn say(&self, message: &str) {
        if !self.quiet {
            terminal::say(message);
        }
    }

    /// The adapter and kernels that the flags select.
    pub fn selection(&self) -> Selection {
        Selection {
            adapter: self.adapter.clone(),
            backend: self.backend,
            disable: self.disable.clone(),
            checked: self.checked,
            named: self.checked,
            tuning: Tuning {
                variant: self.variant,
                fuse: self.fuse.then_some(true),
                ..Tuning::default()
            },
        }
    }

    /// Runs `work` on the first adapter. Where that gives no device or does not compile a kernel, the
    /// next one is tried, with a warning, unless the user named an adapter. Where all fail, the error
    /// is that of the first.
    pub fn on_adapter<T>(
        &self,
        selection: &Selection,
        mut work: impl FnMut(usize) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        if selection.adapter.is_some() {
            return work(0);
        }
        gpu::first_willing(work, advice::gpu_error, |refusal| {
            let refusal = advice::message(refusal);
            self.say(&format!("warning: {refusal}; the next adapter is tried"));
        })
    }
}
