//! What to try after an error of the library, in terms of flags, commands and packages.

use std::env::consts::OS;
use std::error::Error;

use cvae_gpu::bench::CompareError;
use cvae_gpu::data::{DataError, known};
use cvae_gpu::explore::ExploreError;
use cvae_gpu::gpu::GpuError;
use cvae_gpu::run::ReportError;
use cvae_gpu::saved::ModelFileError;
use cvae_gpu::train::TrainError;

use super::images::sources;

/// The message of an error: what is wrong and where, then what to try.
pub fn message(error: &anyhow::Error) -> String {
    match advice(error) {
        Some(advice) => format!("{error:#}; {advice}"),
        None => format!("{error:#}"),
    }
}

fn advice(error: &anyhow::Error) -> Option<String> {
    gpu_error(error)
        .and_then(gpu)
        .or_else(|| error.downcast_ref().and_then(training))
        .or_else(|| error.downcast_ref().and_then(exploring))
        .or_else(|| error.downcast_ref().and_then(data))
        .or_else(|| error.downcast_ref().and_then(run_folder))
        .or_else(|| error.downcast_ref().and_then(model_file))
        .or_else(|| error.downcast_ref().and_then(comparing))
}

/// The error of the device that stopped a command.
pub fn gpu_error(error: &anyhow::Error) -> Option<&GpuError> {
    if let Some(TrainError::Gpu(e)) = error.downcast_ref() {
        return Some(e);
    }
    if let Some(ExploreError::Gpu(e)) = error.downcast_ref() {
        return Some(e);
    }
    error.downcast_ref()
}

fn gpu(error: &GpuError) -> Option<String> {
    Some(match error {
        GpuError::NoAdapter { .. } => adapter_on(OS).into(),
        GpuError::NoDevice { .. } => "try another adapter (`cvae-gpu devices` lists them)".into(),
        GpuError::Lost { .. } => {
            "if it happens again, try another driver or a smaller --batch".into()
        }
        GpuError::OutOfMemory { fits, .. } => {
            let fits = fits.map(|batch| format!(" ({batch} should fit)"));
            let fits = fits.unwrap_or_default();
            format!("use a smaller --batch{fits}, or another adapter")
        }
        GpuError::Kernel { .. } => {
            "try --disable fusion, --variant plain, a newer driver, or another --backend".into()
        }
        _ => return None,
    })
}

/// How to get an adapter on an operating system.
fn adapter_on(system: &str) -> &'static str {
    match system {
        "windows" => {
            "on Windows, DirectX 12 is part of the system: install the graphics driver of your \
             GPU's vendor. Without a GPU, Windows 10 and later have a software adapter (WARP): \
             leave out --backend and --adapter to use it"
        }
        "macos" => {
            "on macOS, Metal is part of the system: every Mac with Apple silicon has an adapter. \
             Leave out --backend and --adapter; in a virtual machine, switch on its graphics"
        }
        _ => {
            "on Linux, install a Vulkan driver: `scripts/ensure-adapter` does so, or\n  \
             Debian, Ubuntu: apt install mesa-vulkan-drivers\n  \
             Fedora:         dnf install mesa-vulkan-drivers\n  \
             Arch:           pacman -S vulkan-swrast vulkan-icd-loader\n\
             These include a software adapter (lavapipe) for machines without a GPU."
        }
    }
}

fn training(error: &TrainError) -> Option<String> {
    match error {
        TrainError::NotFinite { .. } | TrainError::WeightsNotFinite { .. } => {
            Some("try a smaller --lr".into())
        }
        TrainError::Listener(error) => {
            let error: &(dyn Error + 'static) = error.as_ref();
            error.downcast_ref().and_then(run_folder)
        }
        _ => None,
    }
}

fn exploring(error: &ExploreError) -> Option<String> {
    Some(match error {
        ExploreError::Images { .. } => {
            "give --data of that size (--size and --channels change it), or a model of those images"
                .into()
        }
        ExploreError::Values(_) => {
            "give images with values from 0 to 1, scaled as those that the model was trained on"
                .into()
        }
        ExploreError::NotFinite { .. } => "`cvae-gpu check` tests the adapter".into(),
        _ => return None,
    })
}

fn data(error: &DataError) -> Option<String> {
    let text = match error {
        DataError::SourceMissing(..) => {
            let names = known::KNOWN.each_ref().map(|set| format!("`{}`", set.name));
            let names = names.join(", ");
            return Some(format!("give {}: {names}", sources!()));
        }
        DataError::Download { files, folder, .. } => {
            let folder = folder.display();
            return Some(format!(
                "try again, or put {files} into {folder}, or name the folder that holds them with \
                 --data"
            ));
        }
        DataError::Changed(path, _) => {
            let folder = path.parent().unwrap_or(path).display();
            return Some(format!(
                "delete it, and it is downloaded again; or name its folder to use it as it is: \
                 --data {folder}"
            ));
        }
        DataError::NoGrey(..) => {
            "--binarize stochastic needs them: give their grey levels with --data, as a folder of \
             the original IDX files or a set packed with `cvae-gpu data pack --binarize none`"
        }
        DataError::UnknownFormat(..) => {
            "give such a file (`cvae-gpu data pack` writes packed sets), or, for images and IDX \
             files, the folder that holds them"
        }
        DataError::InvalidPacked(..) => {
            "copy the file again, or write it again with `cvae-gpu data pack`"
        }
        DataError::Flat(_, values) => {
            let side = |n: usize| Some(n.isqrt()).filter(|side| side * side == n);
            let guess = side(*values).map(|side| format!("{side},{side}"));
            let colour = || {
                let thirds = (values % 3 == 0).then_some(values / 3)?;
                side(thirds).map(|side| format!("{side},{side},3"))
            };
            return Some(match guess.or_else(colour) {
                Some(size) => format!("give it, perhaps --image-size {size}"),
                None => "give --image-size H,W or H,W,C".into(),
            });
        }
        DataError::NoArray(..) => "name one of them with --array",
        DataError::Arrays(_, all) if !all.is_empty() => "name it with --array",
        DataError::MixedSizes(_, size, _, first) => {
            return Some(format!(
                "give --size N, or --size H,W, to resize all of them, such as --size {}; --fit crop or \
                 --fit pad keeps their proportions",
                common_size([size, first])
            ));
        }
        DataError::Broken(..) => "repair or remove them, or leave them out with --skip-broken",
        DataError::NotLevels => "give images with values from 0 to 1, or leave --binarize out",
        DataError::HasTestImages(..) => "leave --test-fraction out",
        DataError::TooFew(..) => "add some, or give another --test-fraction",
        DataError::TooFewToTrain { .. } => "add some, or give another --val-fraction",
        DataError::NoCache(..) => "name a folder in the environment variable CVAE_GPU_CACHE",
        _ => return None,
    };
    Some(text.to_owned())
}

/// A usual size that is no larger than images of these sizes, such as `20×30`.
fn common_size(sizes: [&String; 2]) -> usize {
    const USUAL: [usize; 6] = [128, 96, 64, 32, 28, 16];
    let sides = sizes.into_iter().flat_map(|size| size.split('×'));
    let least = sides.filter_map(|side| side.parse().ok()).min();
    let least = least.unwrap_or(USUAL[2]);
    let fits = USUAL.into_iter().find(|usual| *usual <= least);
    fits.unwrap_or_else(|| least.max(4))
}

fn run_folder(error: &ReportError) -> Option<String> {
    let text = match error {
        ReportError::Occupied(path) => {
            let path = path.display();
            return Some(format!(
                "resume it (`cvae-gpu train --resume {path}`), choose another --out, or remove it \
                 first"
            ));
        }
        ReportError::Locked(_) => "wait for its end, or choose another --out",
        ReportError::NoRun(_) => "give the folder that `train` wrote",
        ReportError::Checkpoint(_) => {
            "without that file, --resume starts the run over with its saved options"
        }
        _ => return None,
    };
    Some(text.to_owned())
}

fn model_file(error: &ModelFileError) -> Option<String> {
    let text = match error {
        ModelFileError::Config { .. } => {
            "give a file that `cvae-gpu train` or `cvae-gpu import` wrote, or a plain one without \
             metadata"
        }
        ModelFileError::Kernel { .. } => {
            "give a file with Keras layouts, or convert one of PyTorch with `cvae-gpu import`"
        }
        ModelFileError::ImageSize { .. } => {
            "import it with the size of its images: `cvae-gpu import --image-size HEIGHT,WIDTH`"
        }
        _ => return None,
    };
    Some(text.to_owned())
}

fn comparing(_: &CompareError) -> Option<String> {
    Some("give a file that `cvae-gpu bench --json` wrote".into())
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn each_system_is_told_how_to_get_an_adapter_there() {
        for (system, own) in [
            ("windows", "DirectX 12"),
            ("macos", "Metal"),
            ("linux", "apt install"),
        ] {
            let told = adapter_on(system);
            assert!(told.contains(own), "{told}");
            assert_eq!(told.contains("apt install"), system == "linux", "{told}");
        }
    }

    #[test]
    fn advice_follows_the_message_and_is_found_behind_contexts_and_wrappers() {
        let locked = || ReportError::Locked("run".into());
        let lost = || GpuError::Lost {
            adapter: "A".into(),
            reason: "unplugged".into(),
        };
        for (error, end) in [
            (
                anyhow::Error::from(locked()),
                "; wait for its end, or choose another --out",
            ),
            (
                TrainError::Listener(Box::new(locked())).into(),
                "choose another --out",
            ),
            (lost().into(), "a smaller --batch"),
            (TrainError::Gpu(lost()).into(), "a smaller --batch"),
            (ExploreError::Gpu(lost()).into(), "a smaller --batch"),
        ] {
            let plain = message(&error);
            assert!(plain.ends_with(end), "{plain}");
            let behind = message(&Err::<(), _>(error).context("in vain").unwrap_err());
            assert_eq!(behind, format!("in vain: {plain}"));
        }
        assert_eq!(message(&anyhow::anyhow!("other")), "other");
    }
}
