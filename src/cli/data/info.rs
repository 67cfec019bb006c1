//! `cvae-gpu data info`

use std::path::PathBuf;

use clap::{Args, ValueHint};
use cvae_gpu::data::{self, Binarize, DataError, ImageSet, PackedImages};
use cvae_gpu::render::{self, GridStyle};
use serde::Serialize;
use serde_json::json;

use crate::cli::common::Common;
use crate::cli::images::{PrepareArgs, as_path, sources};
use crate::cli::output::Output;
use crate::cli::paths;
use crate::cli::terminal::print_json;

/// Images per row and column of a contact sheet.
const SHEET: usize = 8;

#[derive(Args)]
pub struct InfoArgs {
    #[arg(help = concat!("Images: ", sources!()))]
    source: String,
    /// Also draw 64 training images, taken at even distances; `-` is standard output, and the text then goes to standard error
    #[arg(long, value_name = "FILE.png", value_parser = paths::file(&["png"]), value_hint = ValueHint::FilePath)]
    out: Option<PathBuf>,
    #[command(flatten)]
    prepare: PrepareArgs,
    /// Print JSON on standard output
    #[arg(long)]
    json: bool,
}

impl InfoArgs {
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        let prepare = self.prepare.over(&data::Prepare::default());
        let inputs = as_path(&self.source);
        let mut output = Output::new(common, self.json, self.out.as_deref(), inputs.as_slice())?;
        let mut watch = common.watch(&self.prepare);
        let set = data::load_prepared(&self.source, Binarize::None, &prepare, &mut watch)?;
        let about = data::provenance(&self.source, Binarize::None, &prepare, &mut watch)?;
        if let Some(out) = &self.out {
            output.write(out, &sheet(&set.train.images)?)?;
        }
        let [train, test] = [&set.train, &set.test].map(|part| part.images.count());
        let bits = set.train.images.depth().bits();
        let values = Values::of(&set.train.images)?;
        let counts = class_counts(&set);
        let names = Some(&set.classes).filter(|names| !names.is_empty());
        if self.json {
            let document = json!({
                "name": set.name,
                "train_images": train,
                "test_images": test,
                "shape": set.shape(),
                "bits": bits,
                "values": values,
                "classes": counts.as_ref().map(Vec::len),
                "class_names": names,
                "class_counts": counts,
                "origin": about.origin,
                "licence": about.licence,
                "sources": about.sources,
            });
            output.commit()?;
            return print_json(&document);
        }
        let report = output.report();
        // Before the text, whose reader may go away.
        output.commit()?;
        let [h, w, c] = set.shape();
        report.line(&format!("name     {}", set.name))?;
        report.line(&format!("images   {train} training, {test} test"))?;
        report.line(&format!("shape    {h}×{w}×{c}, {bits} bits a value"))?;
        report.line(&format!("values   {}", values.text()))?;
        match counts {
            Some(counts) => {
                let names = first_names(&set.classes);
                report.line(&format!("labels   of {} classes{names}", counts.len()))?;
                let ends = counts.iter().min().zip(counts.iter().max());
                if let Some((least, most)) = ends {
                    report.line(&format!(
                        "         {least} to {most} training images of each"
                    ))?;
                }
            }
            None => report.line("labels   none")?,
        }
        report.line(&format!("origin   {}", about.origin))?;
        report.line(&format!("licence  {}", about.licence))?;
        for (name, hash) in &about.sources {
            report.line(&format!("source   {name} {hash}"))?;
        }
        Ok(())
    }
}

/// The training images of each class; `None` where there are no labels.
fn class_counts(set: &ImageSet) -> Option<Vec<usize>> {
    let most = set.largest_label()? as usize;
    let mut counts = vec![0; set.classes.len().max(most + 1)];
    for label in set.train.labels.iter().flatten() {
        counts[*label as usize] += 1;
    }
    Some(counts)
}

/// The distribution of the values of images.
#[derive(Serialize)]
struct Values {
    least: f64,
    most: f64,
    mean: f64,
    /// In 16 ranges of one width, from 0 to 255, or from the least to the largest of other numbers.
    histogram: [u64; 16],
    #[serde(skip)]
    ends: [f64; 2],
}

impl Values {
    fn of(images: &PackedImages) -> Result<Values, DataError> {
        let range = images.range()?;
        let ends = range.unwrap_or([0.0, 255.0]).map(f64::from);
        let mut values = Values {
            least: f64::INFINITY,
            most: f64::NEG_INFINITY,
            mean: 0.0,
            histogram: [0; 16],
            ends,
        };
        let level = |value: f32| match range {
            Some(_) => f64::from(value),
            None => f64::from((255.0 * value).round()),
        };
        let mut sum = 0.0;
        for image in 0..images.count() {
            for value in images.values(image)?.into_iter().map(level) {
                values.least = values.least.min(value);
                values.most = values.most.max(value);
                sum += value;
                let part = (value - ends[0]) / (ends[1] - ends[0]);
                values.histogram[((16.0 * part) as usize).min(15)] += 1;
            }
        }
        values.mean = sum / (images.count() * images.values_per_image()) as f64;
        Ok(values)
    }

    /// Range, mean and a histogram of bars.
    fn text(&self) -> String {
        const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        let largest = self
            .histogram
            .iter()
            .max()
            .copied()
            .unwrap_or_default()
            .max(1);
        let bar = |count: &u64| match count {
            0 => ' ',
            _ => BARS[(count * 7).div_ceil(largest) as usize],
        };
        let bars: String = self.histogram.iter().map(bar).collect();
        let [least, most, from, to] =
            [self.least, self.most, self.ends[0], self.ends[1]].map(|value| value as f32);
        format!(
            "{least} to {most}, mean {:.1}, from {from} [{bars}] to {to}",
            self.mean
        )
    }
}

/// A picture of some images, taken at even distances.
fn sheet(images: &PackedImages) -> anyhow::Result<Vec<u8>> {
    let shown = images.count().min(SHEET * SHEET);
    let chosen = (0..shown).map(|i| images.values(i * images.count() / shown));
    let values = chosen.collect::<Result<Vec<_>, _>>()?.concat();
    let [height, width, _] = images.shape();
    let style = GridStyle {
        cell: height.max(width).max(64) + 4,
        gap: 4,
        stretch: false,
        range: images.range()?.unwrap_or(render::UNIT),
    };
    let picture = render::grid(&values, images.shape(), SHEET, style)?;
    Ok(render::png_bytes(&picture)?)
}

/// The names of the first classes, after a colon.
fn first_names(names: &[String]) -> String {
    const MOST: usize = 20;
    match names.get(..MOST) {
        _ if names.is_empty() => String::new(),
        Some(first) if names.len() > MOST => format!(": {}, …", first.join(", ")),
        _ => format!(": {}", names.join(", ")),
    }
}
