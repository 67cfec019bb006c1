//! A report as text, and doubts about its figures.

use std::iter;

use cvae_gpu::bench::{Comparison, Figures, KernelRow, Report, Search, TOGETHER};
use cvae_gpu::ops::Tuning;

use crate::cli::terminal::{print, print_table};

/// Prints a report.
pub fn report(report: &Report) -> anyhow::Result<()> {
    let Report {
        adapter,
        driver,
        backend,
        variant,
        figures,
        peaks,
        ..
    } = report;
    if let Some(found) = &report.tuning {
        tuning(found)?;
    }
    print(&format!(
        "{adapter} ({driver}), {backend}, kernels {variant}"
    ))?;
    print(&format!(
        "best of this adapter: {:.1} GFLOP/s of multiply-adds, {:.2} GB/s of copies, {:.1} µs an \
         idle dispatch",
        peaks.gflops, peaks.gbps, peaks.dispatch_us
    ))?;
    print(&format!(
        "batch {}: {:.3} ms per step ({:.3} … {:.3} in {} repeats of {} steps)",
        figures.batch,
        figures.ms_per_step,
        figures.ms_min,
        figures.ms_max,
        figures.repeats,
        figures.steps,
    ))?;
    print(&format!(
        "{:.0} images/s, {:.1} GFLOP/s ({:.0} % of the best)",
        figures.images_per_second,
        figures.gflops,
        100.0 * figures.gflops / peaks.gflops
    ))?;
    print(&format!(
        "{} dispatches a step, {:.3} ms on the CPU to encode and submit; first step done after {:.2} s",
        report.dispatches, figures.cpu_ms, report.first_step_seconds
    ))?;
    if let Some(rows) = &report.kernels {
        kernels(rows, figures)?;
    }
    if let Some(rows) = &report.sweep {
        sweep(rows)?;
    }
    if let Some(found) = &report.compare {
        compare(found)?;
    }
    Ok(())
}

fn tuning(found: &Search) -> anyhow::Result<()> {
    print_table(
        &found.candidates,
        &[
            ("ms", |row| match row.ms_per_step {
                Some(ms) => format!("{ms:.3}"),
                None => "failed".into(),
            }),
            ("choice", |row| row.choice.to_string()),
            ("kernels", |row| row.kernels.clone()),
        ],
    )?;
    let (choice, ms) = (found.choice, found.ms_per_step);
    print(&if choice == Tuning::default() {
        "chosen: the adapter's own, since nothing is clearly faster".to_owned()
    } else {
        let own = found.untuned_ms_per_step;
        format!("chosen: {choice}, {ms:.3} ms per step, beside {own:.3} of the adapter's own")
    })?;
    Ok(print("")?)
}

fn kernels(rows: &[KernelRow], figures: &Figures) -> anyhow::Result<()> {
    print("")?;
    // Steps of one dispatch are rows below each other; the first has the figures.
    let lines = rows.iter().flat_map(|row| {
        let figures = [
            format!("{:.3}", row.ms),
            format!("{:.1}", 100.0 * row.share),
            format!("{:.2}", row.gflops),
            format!("{:.2}", row.gbps),
            format!("{:.0} %", 100.0 * row.of_peak),
        ];
        let figures = iter::once(figures).chain(iter::repeat_with(Default::default));
        figures.zip(row.name.split(TOGETHER).zip(row.entry.split(TOGETHER)))
    });
    let lines: Vec<([String; 5], (&str, &str))> = lines.collect();
    print_table(
        &lines,
        &[
            ("ms", |(figures, _)| figures[0].clone()),
            ("%", |(figures, _)| figures[1].clone()),
            ("GFLOP/s", |(figures, _)| figures[2].clone()),
            ("GB/s", |(figures, _)| figures[3].clone()),
            ("of peak", |(figures, _)| figures[4].clone()),
            ("step", |(_, (step, _))| (*step).to_owned()),
            ("kernel", |(_, (_, kernel))| (*kernel).to_owned()),
        ],
    )?;
    let sum: f64 = rows.iter().map(|row| row.ms).sum();
    let share = 100.0 * sum / figures.ms_per_step;
    Ok(print(&format!(
        "{sum:.3} ms in {} dispatches, {share:.1} % of the step",
        rows.len()
    ))?)
}

fn sweep(rows: &[Figures]) -> anyhow::Result<()> {
    print("")?;
    print_table(
        rows,
        &[
            ("batch", |row| row.batch.to_string()),
            ("ms per step", |row| format!("{:.3}", row.ms_per_step)),
            ("min", |row| format!("{:.3}", row.ms_min)),
            ("max", |row| format!("{:.3}", row.ms_max)),
            ("images/s", |row| format!("{:.0}", row.images_per_second)),
            ("GFLOP/s", |row| format!("{:.1}", row.gflops)),
        ],
    )
}

fn compare(found: &Comparison) -> anyhow::Result<()> {
    print("")?;
    print(&format!("beside {}", found.file.display()))?;
    print_table(
        &found.ratios,
        &[
            ("now / before", |row| format!("{:.3}", row.ratio)),
            ("before", |row| format!("{:.3}", row.before)),
            ("now", |row| format!("{:.3}", row.now)),
            ("figure", |row| row.figure.clone()),
        ],
    )
}

/// Reasons to doubt the figures, and what to do.
pub fn doubts(report: &Report) -> Vec<String> {
    let mut doubts = Vec::new();
    let figures = &report.figures;
    let swept = report.sweep.iter().flatten();
    let swept = swept.filter(|f| f.batch != figures.batch);
    for figures in iter::once(figures).chain(swept).filter(|f| f.disturbed()) {
        doubts.push(format!(
            "at batch {} the repeats took {:.2} … {:.2} ms per step, {:.0} % apart: the machine looks \
             busy. Close what else runs, give more --repeats, or go by the fastest",
            figures.batch,
            figures.ms_min,
            figures.ms_max,
            100.0 * figures.spread()
        ));
    }
    for candidate in report.tuning.iter().flat_map(|t| &t.candidates) {
        if let Some(failure) = &candidate.failure {
            let choice = candidate.choice;
            doubts.push(format!("the choice {choice} failed: {failure}"));
        }
    }
    if let Some(found) = &report.compare
        && !found.differs.is_empty()
    {
        doubts.push(format!(
            "{} is of something else, so that ratios say little of the program\n  {}",
            found.file.display(),
            found.differs.join("\n  ")
        ));
    }
    doubts
}

/// How timestamps changed the figures of a profile.
pub fn note(report: &Report, profile: bool) -> Option<String> {
    let figures = &report.figures;
    let sum: Option<f64> = (report.kernels.as_ref()).map(|rows| rows.iter().map(|r| r.ms).sum());
    match (figures.unstamped_ms, sum) {
        (Some(plain), Some(_)) if figures.ms_per_step > 1.05 * plain => Some(format!(
            "with a timestamp behind each kernel a step takes {:.3} ms, without {plain:.3} ms",
            figures.ms_per_step
        )),
        (None, Some(sum)) if profile => Some(format!(
            "this adapter takes no timestamps inside a pass, so each kernel was timed alone; together \
             they take {sum:.3} ms, in a step {:.3} ms",
            figures.ms_per_step
        )),
        _ => None,
    }
}
