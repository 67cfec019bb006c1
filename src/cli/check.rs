//! `cvae-gpu check`

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};
use clap::{Args, ValueHint};
use cvae_gpu::check::{self, Case, Row, Section, Trace};
use cvae_gpu::gpu::Gpu;
use cvae_gpu::model::{self, Feed, Model};
use cvae_gpu::ops::adam::Adam;
use serde::Serialize;

use super::common::Common;
use super::paths;
use super::terminal::{Column, print, print_json, print_table, say};

/// Test that this adapter computes correctly: kernels and train steps against reference values
#[derive(Args)]
#[command(after_help = "\
Examples:
  cvae-gpu check                           all kernels and the built-in cases
  cvae-gpu check --backend gl --strict     another driver, narrower limits
  cvae-gpu check --case p1.safetensors --dump out/
  cvae-gpu check --case p1.safetensors --trace

Without --case, every kernel is compared with its CPU twin in double precision, and then whole \
train steps with a case recorded with TensorFlow in float64 and with cases that the twins compute. \
With --case, only those files are run, by the plan and the kernels of training.

One row per tensor. rel_max: largest error / largest value. rel_l2: norm of the error / norm of \
the tensor. update: rel_l2 of the optimizer's change. max_abs: largest error. `worst` is the index \
of the largest error. A kernel's row shows its result nearest to its limit.

The status is 1 if any error is beyond its limit.")]
pub struct CheckArgs {
    /// Run this recorded case instead of the built-in ones; may be repeated
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    case: Vec<PathBuf>,
    /// Write the computed tensors to DIR/<case file name>, named like `expect/…`
    #[arg(long, value_name = "DIR", value_parser = paths::folder(), value_hint = ValueHint::DirPath)]
    dump: Option<PathBuf>,
    /// Use the limits of a good float32 implementation, for cases that allow it
    #[arg(long)]
    strict: bool,
    /// Also compare each case step by step with the CPU, and name the first step that differs
    #[arg(long)]
    trace: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The document of `--json`. NaN becomes null.
#[derive(Serialize)]
struct Document {
    adapter: String,
    driver: String,
    backend: &'static str,
    variant: String,
    strict: bool,
    passed: bool,
    compared: usize,
    failed: usize,
    seconds: f64,
    sections: Vec<Section>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    traces: Vec<Trace>,
}

impl CheckArgs {
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        let start = Instant::now();
        // Files are checked before any work.
        if let Some(folder) = &self.dump {
            refuse_overwriting(folder, &self.case)?;
        }
        let given = self.case.iter().map(|path| Case::read(path));
        let given: Vec<Case> = given.collect::<Result<_, _>>()?;
        if let Some(folder) = &self.dump {
            let create = fs::create_dir_all(folder);
            create.with_context(|| {
                let folder = folder.display();
                format!("cannot make the folder {folder}; check the path and its permissions")
            })?;
        }
        let gpu = pollster::block_on(Gpu::open(&common.selection()))?;
        let (sections, traces) = self.check(&gpu, given, common.spinner())?;
        let compared = sections.iter().map(|s| s.rows.len()).sum();
        let failed = sections.iter().flat_map(Section::failures).count();
        let agree = traces.iter().all(|t| t.first.is_none());
        let adam = Adam::default();
        let plan = model::train_step(&Model::default(), Feed::Injected, adam, 32, gpu.target());
        let document = Document {
            adapter: gpu.adapter.name.clone(),
            driver: gpu.adapter.driver.clone(),
            backend: gpu.adapter.backend.name(),
            variant: plan.variants().join(","),
            strict: self.strict,
            passed: compared > 0 && failed == 0 && agree,
            compared,
            failed,
            seconds: start.elapsed().as_secs_f64(),
            sections,
            traces,
        };
        let shown = if self.json {
            print_json(&document)
        } else {
            document.show(common.talk.quiet, common.talk.verbose > 0)
        };
        // A reader that goes away does not make a wrong adapter right.
        document.verdict().and(shown)
    }

    /// Runs the checks and writes the dumps.
    fn check(
        &self,
        gpu: &Gpu,
        given: Vec<Case>,
        mut progress: impl FnMut(&str),
    ) -> anyhow::Result<(Vec<Section>, Vec<Trace>)> {
        let (mut sections, mut traces) = (Vec::new(), Vec::new());
        let cases: Box<dyn Iterator<Item = Case>> = if given.is_empty() {
            let mut listen = |what: &str| progress(&format!("checking {what}"));
            sections = pollster::block_on(check::kernels(gpu, &mut listen))?;
            Box::new(check::cases())
        } else {
            Box::new(given.into_iter())
        };
        for case in cases {
            let of_case = || format!("cannot run {}", case.name);
            progress(&format!("checking {}", case.name));
            let run = pollster::block_on(check::check_case(gpu, &case, self.strict));
            let (section, outcome) = run.with_context(of_case)?;
            if let Some(folder) = &self.dump {
                let mut file = outcome.to_file();
                file.metadata = [
                    ("adapter".to_owned(), gpu.adapter.name.clone()),
                    ("driver".to_owned(), gpu.adapter.driver.clone()),
                    ("backend".to_owned(), gpu.adapter.backend.name().to_owned()),
                ]
                .into();
                file.write(folder.join(&case.name))?;
            }
            sections.push(section);
            if self.trace {
                progress(&format!("checking {}, step by step", case.name));
                let trace = pollster::block_on(check::trace(gpu, &case)).with_context(of_case)?;
                traces.push(trace);
            }
        }
        Ok((sections, traces))
    }
}

/// Refuses two dumps to one file, and a dump over its case.
fn refuse_overwriting(folder: &Path, cases: &[PathBuf]) -> anyhow::Result<()> {
    let mut seen = HashMap::new();
    for case in cases {
        // Reading the case reports a path without a file name.
        let Some(name) = case.file_name() else {
            continue;
        };
        if let Some(other) = seen.insert(name, case) {
            bail!(
                "--dump would write {} for both {} and {}: check them one at a time, into folders \
                 of their own",
                folder.join(name).display(),
                other.display(),
                case.display()
            );
        }
        let target = fs::canonicalize(folder.join(name)).ok();
        if target.is_some() && target == fs::canonicalize(case).ok() {
            bail!(
                "--dump would overwrite the case {}: give another folder",
                case.display()
            );
        }
    }
    Ok(())
}

/// Prints a trace.
fn print_trace(trace: &Trace) -> io::Result<()> {
    let Trace { case, compared, .. } = trace;
    let (Some(row), Some(step)) = (&trace.first, trace.train_step) else {
        return print(&format!(
            "trace of {case}: all {compared} kernel results agree with the CPU"
        ));
    };
    let by = row.by.as_ref();
    let (label, kernel) = by.map_or(("", ""), |by| (&by.step, &by.kernel));
    print(&format!(
        "trace of {case}: train step {step} first goes wrong in `{label}` ({kernel}):"
    ))?;
    print(&format!(
        "  `{}` at {} is {:.9e}, the CPU has {:.9e}; {} results before it agree",
        row.tensor,
        index(row),
        row.computed,
        row.expected,
        compared - 1
    ))
}

impl Document {
    fn show(&self, quiet: bool, verbose: bool) -> anyhow::Result<()> {
        if !quiet {
            let Document { adapter, .. } = self;
            print(&format!("{adapter} ({}, {})", self.backend, self.driver))?;
            print(&format!("kernels {}", self.variant))?;
            for section in &self.sections {
                show_section(section, verbose)?;
            }
        }
        for section in &self.sections {
            let failures: Vec<&Row> = section.failures().collect();
            if !failures.is_empty() {
                print("")?;
                print(&format!("Beyond their limits in {}:", section.name))?;
                show_rows(section, &failures)?;
            }
        }
        for trace in self.traces.iter().filter(|t| !quiet || t.first.is_some()) {
            print("")?;
            print_trace(trace)?;
        }
        if quiet {
            return Ok(());
        }
        let verdict = if self.passed { "passed" } else { "FAILED" };
        print("")?;
        Ok(print(&format!(
            "{verdict}: {} of {} tensors are within their limits, in {:.1} s",
            self.compared - self.failed,
            self.compared,
            self.seconds
        ))?)
    }

    /// The error of a check that failed.
    fn verdict(&self) -> anyhow::Result<()> {
        if self.passed {
            return Ok(());
        }
        let (adapter, compared) = (&self.adapter, self.compared);
        let what = match self.failed {
            0 => format!("a kernel differs from its CPU twin on {adapter}"),
            n => format!("{n} of {compared} tensors are beyond their limits on {adapter}"),
        };
        let diverged = self.traces.iter().any(|trace| trace.first.is_some());
        if !diverged && !self.traces.is_empty() {
            bail!(
                "{what}, although every kernel of the cases agrees with the CPU: check where the \
                 cases come from, and run `cvae-gpu check` without them"
            );
        }
        bail!(
            "{what}: its results cannot be trusted. Update its driver, or try --variant plain, \
             --disable subgroups,texels or another --backend; --trace names the first step of a \
             case that goes wrong"
        )
    }
}

fn number(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        0.1..1000.0 => format!("{value:.2}"),
        _ => format!("{value:.1e}"),
    }
}

fn index(row: &Row) -> String {
    let numbers: Vec<String> = row.worst.iter().map(usize::to_string).collect();
    format!("[{}]", numbers.join(","))
}

fn kernel(row: &Row) -> &str {
    row.by.as_ref().map_or("", |by| &by.kernel)
}

fn show_section(section: &Section, verbose: bool) -> anyhow::Result<()> {
    let about = match section.about.as_str() {
        "" => String::new(),
        about => format!("{about}; "),
    };
    let judges = match section.judged_by {
        "twin" => "their CPU twins".to_owned(),
        grade => format!("`{grade}`"),
    };
    print("")?;
    print(&format!("{}: {about}judged by {judges}", section.name))?;
    if section.judged_by == "twin" && !verbose {
        show_kernels(&section.rows)?;
    } else {
        show_rows(section, &section.rows.iter().collect::<Vec<_>>())?;
    }
    for name in &section.not_compared {
        say(&format!(
            "note: {}: this program computes no `{name}`; it was not compared",
            section.name
        ));
    }
    Ok(())
}

/// One row per tensor, with the kernel for kernels.
fn show_rows(section: &Section, rows: &[&Row]) -> anyhow::Result<()> {
    let limit: Column<&Row> = ("limit", |row| number(row.limit));
    let found: Column<&Row> = ("found", |row| number(row.found));
    if section.judged_by == "twin" {
        let kernel: Column<&Row> = ("kernel", |row| kernel(row).to_owned());
        let worst: Column<&Row> = ("worst", |row| format!("{}{}", row.tensor, index(row)));
        return print_table(rows, &[kernel, limit, found, worst]);
    }
    let tensor: Column<&Row> = ("tensor", |row| row.tensor.clone());
    let measure: Column<&Row> = ("measure", |row| row.measure.to_owned());
    let worst: Column<&Row> = ("worst", |row| index(row));
    print_table(rows, &[tensor, measure, limit, found, worst])
}

/// One row per kernel: the number of its results, and the result nearest to its limit.
fn show_kernels(rows: &[Row]) -> anyhow::Result<()> {
    let mut kernels: Vec<(usize, &Row)> = Vec::new();
    for row in rows {
        match kernels
            .iter_mut()
            .find(|(_, other)| kernel(other) == kernel(row))
        {
            None => kernels.push((1, row)),
            Some((count, worst)) => {
                *count += 1;
                if row.share > worst.share {
                    *worst = row;
                }
            }
        }
    }
    print_table(
        &kernels,
        &[
            ("kernel", |(_, row)| kernel(row).to_owned()),
            ("results", |(count, _)| count.to_string()),
            ("limit", |(_, row)| number(row.limit)),
            ("found", |(_, row)| number(row.found)),
            ("of", |(_, row)| row.tensor.clone()),
        ],
    )
}
