//! `cvae-gpu devices --report`

use std::time::Instant;

use anyhow::bail;
use cvae_gpu::bench::{self, Kept};
use cvae_gpu::check::{self, Section};
use cvae_gpu::data::known::Places;
use cvae_gpu::gpu::{AdapterReport, Gpu, GpuError, Selection};
use cvae_gpu::model::{self, Feed, Model};
use cvae_gpu::ops::Target;
use cvae_gpu::ops::adam::Adam;

use super::common::Common;
use super::terminal::print;
use super::{advice, system};

/// Prints the report of a machine with these adapters: Markdown, as a tracker of issues takes it.
pub fn print_report(found: &[AdapterReport], common: &Common) -> anyhow::Result<()> {
    let selection = common.selection();
    print_machine()?;
    if found.is_empty() {
        print("- adapters: none")?;
        let backend = selection.backend;
        return Err(GpuError::NoAdapter { backend }.into());
    }
    let mut progress = common.spinner();
    let mut failed = Vec::new();
    for adapter in found {
        print_adapter(adapter)?;
        progress(&format!("checking {}", adapter.name));
        let start = Instant::now();
        let checked = short_check(adapter, &selection);
        let seconds = start.elapsed().as_secs_f64();
        if !matches!(&checked, Ok(section) if section.failures().next().is_none()) {
            failed.push(adapter.name.as_str());
        }
        print(&format!("- check: {}", verdict(&checked, seconds)))?;
    }
    match &failed[..] {
        [] => Ok(()),
        names => bail!(
            "the check failed on {}; add the output of `cvae-gpu check` to the report",
            names.join(", ")
        ),
    }
}

/// The kernels of the default model.
pub fn variants(target: &Target) -> Vec<&'static str> {
    let adam = Adam::default();
    model::train_step(&Model::default(), Feed::Injected, adam, 32, target).variants()
}

fn print_machine() -> anyhow::Result<()> {
    let build = match cfg!(debug_assertions) {
        true => "debug",
        false => "release",
    };
    let shaders = bench::shaders();
    let settings = match system::settings() {
        none if none.is_empty() => "none".to_owned(),
        some => some.join(", "),
    };
    let command: Vec<String> = std::env::args().skip(1).collect();
    print("### Report of `cvae-gpu devices --report`")?;
    print("")?;
    for (name, value) in [
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("build", format!("{build}, shaders {}", &shaders[..16])),
        ("system", system::system()),
        ("processor", system::processor()),
        ("environment", settings),
        ("command", format!("cvae-gpu {}", command.join(" "))),
    ] {
        print(&format!("- {name}: {value}"))?;
    }
    Ok(())
}

fn print_adapter(adapter: &AdapterReport) -> anyhow::Result<()> {
    let cache = Places::of_user().cache;
    let kept = cache.map(|cache| bench::of_adapter(adapter, &cache));
    let (
        Target {
            caps, heuristics, ..
        },
        details,
    ) = (&adapter.target, &adapter.details);
    let [vendor, device] = details.ids;
    let subgroups = match caps.subgroup_min {
        0 => "none".to_owned(),
        min => format!("{min} to {} lanes", caps.subgroup_max),
    };
    let limits = [
        format!("{} MiB per binding", caps.max_binding_bytes >> 20),
        format!("{} MiB per buffer", details.max_buffer_bytes >> 20),
        format!(
            "{} storage buffers, {} used",
            details.storage_buffers, caps.max_buffers
        ),
        format!("{} bytes of workgroup memory", adapter.workgroup_memory),
        format!("{} invocations", adapter.workgroup_invocations),
        format!("{} workgroups", details.workgroups),
        format!("offsets in steps of {} bytes", details.offset_alignment),
    ];
    let yes = |on| if on { "yes" } else { "no" };
    print("")?;
    print(&format!("### Adapter {}: {}", adapter.index, adapter.name))?;
    print("")?;
    for (name, value) in [
        ("backend", adapter.backend.name().to_owned()),
        ("driver", adapter.driver.clone()),
        (
            "type",
            format!("{}, {vendor:04x}:{device:04x}", adapter.kind),
        ),
        ("limits", limits.join(", ")),
        ("subgroups", subgroups),
        ("timestamps", yes(caps.timestamps).to_owned()),
        ("f16", yes(adapter.f16).to_owned()),
        ("features", details.features.join(" ")),
        ("kernels", variants(&adapter.target).join(" ")),
        (
            "lowering",
            format!(
                "textures {}, fused {}",
                yes(heuristics.texels),
                yes(heuristics.fuse)
            ),
        ),
    ] {
        print(&format!("- {name}: {value}"))?;
    }
    match &kept.unwrap_or_default()[..] {
        [] => print("- tuned: none")?,
        some => {
            for kept in some {
                print(&format!("- tuned: {}", tuned(kept)))?;
            }
        }
    }
    Ok(())
}

/// A choice of `bench --tune`.
fn tuned(kept: &Kept) -> String {
    let [h, w, c] = kept.model.image;
    format!(
        "batch {}, images {h}×{w}×{c}, latent {}: {}; {:.3} ms per step, {:.3} without",
        kept.batch, kept.model.latent_dim, kept.choice, kept.ms_per_step, kept.untuned_ms_per_step
    )
}

/// Runs the recorded case of the tutorial's model, which takes seconds.
fn short_check(adapter: &AdapterReport, selection: &Selection) -> anyhow::Result<Section> {
    let selection = Selection {
        adapter: Some(adapter.index.to_string()),
        ..selection.clone()
    };
    let case = check::builtin::recorded();
    pollster::block_on(async {
        let gpu = Gpu::open(&selection).await?;
        Ok(check::check_case(&gpu, &case, false).await?.0)
    })
}

/// The result of a check, in one line.
fn verdict(checked: &anyhow::Result<Section>, seconds: f64) -> String {
    let section = match checked {
        Ok(section) => section,
        Err(error) => return format!("**did not run**: {}", advice::message(error)),
    };
    let failures: Vec<String> = section
        .failures()
        .map(|row| format!("{} {:.1e} (limit {:.1e})", row.tensor, row.found, row.limit))
        .collect();
    let all = section.rows.len();
    let within = format!(
        "{} of {all} tensors of {} ({}) are within their limits, in {seconds:.1} s",
        all - failures.len(),
        section.name,
        section.about
    );
    match &failures[..] {
        [] => format!("passed: {within}"),
        some => format!("**FAILED**: {within}; beyond: {}", some.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use cvae_gpu::check::{Limit, compare::compare};

    use super::*;

    fn section(computed: f64) -> Section {
        let row = |name| compare(name, &[1], &[computed], &[1.0], Limit::OfLargest(1e-3));
        Section {
            name: "p.safetensors".into(),
            about: "batch 2".into(),
            judged_by: "limit",
            rows: vec![row("mean"), row("z")],
            not_compared: Vec::new(),
        }
    }

    #[test]
    fn a_verdict_names_every_tensor_that_is_beyond_its_limit() {
        let of = |section| verdict(&Ok(section), 1.25);
        let text = of(section(1.0));
        assert!(text.starts_with("passed: 2 of 2 tensors"), "{text}");
        let text = of(section(1.5));
        assert!(text.starts_with("**FAILED**: 0 of 2 tensors"), "{text}");
        assert!(
            text.contains("mean 5.0e-1 (limit 1.0e-3), z 5.0e-1"),
            "{text}"
        );
        let text = of(section(f64::NAN));
        assert!(text.starts_with("**FAILED**: 0 of 2 tensors"), "{text}");
    }

    #[test]
    fn an_adapter_that_opens_no_device_has_its_error_in_the_report() {
        let error = GpuError::NoAdapter { backend: None };
        let text = verdict(&Err(error.into()), 0.0);
        assert!(
            text.starts_with("**did not run**: no GPU adapter"),
            "{text}"
        );
    }
}
