//! The flags of every command.

use clap::{ArgAction, Args, ValueEnum};
use cvae_gpu::gpu::{self, Backend, Feature, Selection};
use cvae_gpu::ops::Tuning;
use cvae_gpu::ops::conv::Variant;

use super::choices::named;
use super::{advice, terminal};

/// Flags of every command.
#[derive(Args)]
pub struct Talk {
    /// Print warnings and errors only
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Show progress: in a bar on a terminal and in lines elsewhere, always in a bar, or never
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t)]
    pub progress: When,
    /// Print more, with warnings of wgpu; -vv also information, -vvv debug messages
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
}

/// When progress is shown in a bar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum When {
    #[default]
    Auto,
    Always,
    Never,
}

// Flags of commands that use an adapter. Clap would take a doc comment, here or at `On`, for the
// description of each command.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "Adapter")]
pub struct AdapterFlags {
    /// Adapter to use: its index in `cvae-gpu devices`, or part of its name
    #[arg(
        long,
        value_name = "NAME|INDEX",
        env = "CVAE_GPU_ADAPTER",
        hide_env_values = true
    )]
    adapter: Option<String>,
    /// Only adapters of this backend
    #[arg(long, value_parser = named::<Backend>(Backend::ALL.map(Backend::name)), env = "CVAE_GPU_BACKEND", hide_env_values = true)]
    backend: Option<Backend>,
    /// Disable features, to test a fallback
    #[arg(
        long,
        value_parser = named::<Feature>(Feature::ALL.map(Feature::name)),
        value_name = "FEATURE,…",
        value_delimiter = ',',
        env = "CVAE_GPU_DISABLE",
        hide_env_values = true
    )]
    pub disable: Vec<Feature>,
    /// Keep bounds checks in the shaders, and report the first access out of bounds
    #[arg(long)]
    checked: bool,
    /// Use this variant of the convolution kernels
    #[arg(
        long,
        value_parser = named::<Variant>(Variant::ALL.map(Variant::name)),
        value_name = "NAME",
        env = "CVAE_GPU_VARIANT",
        hide_env_values = true
    )]
    pub variant: Option<Variant>,
    /// Fuse the step into few dispatches; GPUs do so by default
    #[arg(long)]
    pub fuse: bool,
    /// Ignore the kernels that `bench --tune` chose, and with --resume those of the run
    #[arg(long)]
    pub untuned: bool,
}

// A command that uses an adapter.
#[derive(Args)]
pub struct On<A: Args> {
    #[command(flatten)]
    pub args: A,
    #[command(flatten)]
    pub adapter: AdapterFlags,
}

/// What commands have in common.
pub struct Common {
    pub talk: Talk,
    pub adapter: AdapterFlags,
}

impl Common {
    /// Writes a message to standard error, unless `--quiet` is given.
    pub fn say(&self, message: &str) {
        if !self.talk.quiet {
            terminal::say(message);
        }
    }

    /// Writes a warning to standard error, also with `--quiet`.
    pub fn warn(&self, message: &str) {
        terminal::say(&format!("warning: {message}"));
    }

    /// The adapter and kernels that the flags select.
    pub fn selection(&self) -> Selection {
        let AdapterFlags {
            adapter,
            backend,
            disable,
            checked,
            variant,
            fuse,
            ..
        } = self.adapter.clone();
        Selection {
            adapter,
            backend,
            disable,
            checked,
            named: checked,
            tuning: Tuning {
                variant,
                fuse: fuse.then_some(true),
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
            self.warn(&format!("{refusal}; the next adapter is tried"));
        })
    }
}
