//! Shared by the commands that use a trained model: the model, the images, the device.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use cvae_gpu::data::{Binarize, DataError, Labelled, PackedImages, Prepare, Split};
use cvae_gpu::explore::{ExploreError, Explorer};
use cvae_gpu::gpu::Gpu;
use cvae_gpu::model::{self, Feed, Loss, Model};
use cvae_gpu::ops::adam::Adam;
use cvae_gpu::saved::{Stored, Trained};

use super::choices::{
    self, ModelChoice, Widths, bytes, count, differing, model_options, numbers, weight, widths,
};
use super::common::Common;
use super::images::{Choice, KEEP, PrepareArgs, load_any, own_images, sources};
use super::output::Output;
use super::weights::Weights;

/// Options of a trained model.
#[derive(Args)]
pub struct ModelFlags {
    /// Trained model: a model or checkpoint file, a run folder (its newest weights), or plain safetensors
    /// with Keras names
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// The file of `model`, once it was found.
    #[arg(skip)]
    weights: OnceCell<Weights>,
    /// Images per batch; it changes the speed, not the result
    #[arg(long, default_value_t = 32, value_parser = count(1..=65_535))]
    batch: usize,
    /// Seed of the noise, if any is drawn
    #[arg(long, default_value_t = 0, value_parser = choices::seed, allow_negative_numbers = true)]
    pub seed: u64,
    /// Print JSON on standard output
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    given: Given,
}

/// Heading of `Given` in the help.
const EXPECT: &str = "Expected model (an error if the file differs)";

/// Options of training. The model file has them, so they can only be confirmed.
#[derive(Args)]
struct Given {
    /// Latent dimensions the model must have
    #[arg(long, help_heading = EXPECT)]
    latent_dim: Option<usize>,
    /// Encoder filters the model must have
    #[arg(long, value_parser = widths, value_name = "A,B,…", help_heading = EXPECT)]
    encoder_filters: Option<Widths>,
    /// Decoder filters the model must have
    #[arg(long, value_parser = widths, value_name = "A,B,…", help_heading = EXPECT)]
    decoder_filters: Option<Widths>,
    /// Decoder base the model must have
    #[arg(long, help_heading = EXPECT)]
    decoder_base: Option<usize>,
    /// KL term of the ELBO; a choice for plain files only
    #[arg(long, value_parser = choices::kl(), help_heading = EXPECT)]
    kl: Option<Loss>,
    /// Weight of the KL term that the model must have been trained with
    #[arg(long, value_parser = weight, value_name = "B", help_heading = EXPECT)]
    beta: Option<f64>,
}

/// Options of a trained model and of its images, which are in file order.
#[derive(Args)]
pub struct ImageFlags {
    #[command(flatten)]
    pub model: ModelFlags,
    #[arg(
        long,
        value_name = "SOURCE",
        help = concat!("Images: ", sources!(), " [default: the model's own]"),
        help_heading = "Data"
    )]
    data: Option<String>,
    /// Split of the set
    #[arg(long, value_enum, default_value_t = Part::Test, help_heading = "Data")]
    split: Part,
    /// Only the first N images
    #[arg(long, value_name = "N", value_parser = count(1..), help_heading = "Data")]
    limit: Option<usize>,
    /// How grey levels become 0 and 1 [default: as the model was trained, else as `train` would]
    #[arg(long, value_parser = choices::binarize(), help_heading = "Data")]
    binarize: Option<Binarize>,
    #[command(flatten)]
    prepare: PrepareArgs,
    /// Most memory of images on the device, such as 64M or 2G [default: all images, if a buffer holds them]
    #[arg(long, value_name = "SIZE", value_parser = bytes, help_heading = "Data")]
    data_memory: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Part {
    Test,
    Train,
}

/// Images for a model.
pub struct Images {
    /// The images.
    pub images: PackedImages,
    /// Their labels, if the set has labels.
    pub labels: Option<Vec<u32>>,
    /// Their paths below their folder, if they are files.
    pub names: Option<Vec<String>>,
    /// The names of the classes, label 0 first; empty if they have none.
    pub classes: Vec<String>,
    choice: Choice,
    source: String,
}

impl Images {
    pub fn count(&self) -> usize {
        self.images.count()
    }

    /// The label of an image, if the set has labels.
    pub fn label(&self, image: usize) -> Option<u32> {
        self.labels.as_ref()?.get(image).copied()
    }

    /// The images with their labels.
    pub fn labelled(&self) -> Labelled<'_> {
        Labelled {
            images: &self.images,
            labels: self.labels.as_deref(),
        }
    }

    /// Their source as a path, which no output may overwrite.
    pub fn path(&self) -> &Path {
        Path::new(&self.source)
    }
}

impl ImageFlags {
    /// The model and its images.
    pub fn open(&self, common: &Common) -> anyhow::Result<(Trained, Images)> {
        let path = self.model.path();
        let stored = self.model.weights().read()?;
        let loaded = match self.load(&path, &stored, common) {
            Err(e) if stored.config().is_none() => return Err(e),
            loaded => loaded,
        };
        let shape = loaded.as_ref().ok().map(|images| images.images.shape());
        // An invalid model is reported before missing images.
        let trained = (self.model).confirm(stored, shape)?;
        let images = loaded?;
        let shape = images.images.shape();
        if shape != trained.model.image {
            let (found, wanted) = (shape, trained.model.image);
            let refused = ExploreError::Images { found, wanted };
            let (data, model) = (&images.source, self.model.model.display());
            return Err(refused).with_context(|| format!("{data} does not fit {model}"));
        }
        if self.binarize.is_some() {
            images.choice.say_unused(KEEP, common);
        }
        images.choice.say(common);
        Ok((trained, images))
    }

    /// Opens the device and runs `work` on it.
    pub fn explore<T>(
        &self,
        common: &Common,
        trained: &Trained,
        work: impl AsyncFnMut(&Explorer<'_>) -> Result<T, ExploreError>,
    ) -> anyhow::Result<T> {
        (self.model).explore_within(self.data_memory, common, trained, work)
    }

    /// The one output file of a command, which must be neither the model nor one of the images.
    pub fn output<'a>(
        &self,
        common: &'a Common,
        out: &Path,
        images: &Images,
    ) -> anyhow::Result<Output<'a>> {
        self.model.output(common, [out], &[images.path()])
    }

    /// Loads the images for the model at `path`; by default those it was trained on.
    fn load(&self, path: &Path, stored: &Stored, common: &Common) -> anyhow::Result<Images> {
        if let (Some(given), Some(own)) = (self.binarize, stored.binarize())
            && given != own
        {
            let [given, own] = [given, own].map(Binarize::name);
            bail!("--binarize {given}, but the model was trained with {own}: leave it out");
        }
        let (sources, own) = match own_images(path, stored) {
            Err(_) if self.data.is_some() => Default::default(),
            own => own?,
        };
        let load = |own: &Prepare| {
            let (given, prepare) = (self.data.as_ref(), self.prepare.over(own));
            let prepare = (&prepare, &self.prepare);
            load_any(given, &sources, Binarize::None, prepare, common)
        };
        let has_test =
            |e: &anyhow::Error| matches!(e.downcast_ref(), Some(DataError::HasTestImages { .. }));
        let (set, source) = match load(&own) {
            // The test fraction of the run does not apply to other images.
            Err(e) if self.data.is_some() && own.test_fraction.is_some() && has_test(&e) => {
                let test_fraction = None;
                load(&Prepare {
                    test_fraction,
                    ..own
                })?
            }
            loaded => loaded?,
        };
        let choice = Choice::of(self.binarize.or(stored.binarize()), None, &set)?;
        let set = set.binarized(choice.binarize)?;
        let split = match self.split {
            Part::Test => set.test,
            Part::Train => set.train,
        };
        let limit = self.limit.unwrap_or(usize::MAX);
        let Split {
            mut images,
            labels,
            names,
        } = split.first(limit);
        if choice.binarize == Binarize::Stochastic {
            images = images.drawn()?;
        }
        Ok(Images {
            images,
            labels,
            names,
            classes: set.classes,
            choice,
            source,
        })
    }
}

impl ModelFlags {
    /// The file of `--model`.
    pub fn path(&self) -> PathBuf {
        self.weights().path.clone()
    }

    fn weights(&self) -> &Weights {
        self.weights.get_or_init(|| Weights::find(&self.model))
    }

    /// Prints which file of a run folder is used, after all checks, so that an error is one message.
    pub fn say_path(&self, common: &Common) {
        if let Some(found) = self.weights.get() {
            found.say(common);
        }
    }

    /// The model.
    pub fn open(&self) -> anyhow::Result<Trained> {
        self.confirm(self.weights().read()?, None)
    }

    /// The output files of a command, which must be neither the model nor one of `inputs`.
    pub fn output<'a, 'b>(
        &self,
        common: &'a Common,
        files: impl IntoIterator<Item = &'b Path>,
        inputs: &[&Path],
    ) -> anyhow::Result<Output<'a>> {
        let model = self.path();
        Output::new(common, self.json, files, &[&[&*model], inputs].concat())
    }

    /// The model, if it agrees with the options.
    fn confirm(&self, stored: Stored, image: Option<[usize; 3]>) -> anyhow::Result<Trained> {
        let fixed = stored.config().is_some();
        let mut trained = stored.open(image)?;
        let (model, given) = (&mut trained.model, &self.given);
        let choice = ModelChoice {
            latent_dim: given.latent_dim,
            encoder_filters: given.encoder_filters.clone(),
            decoder_filters: given.decoder_filters.clone(),
            decoder_base: given.decoder_base,
            kl: given.kl,
            beta: given.beta,
            ..ModelChoice::default()
        };
        let expected = choice.over(model)?;
        if !fixed {
            (model.loss, model.beta) = (expected.loss, expected.beta);
        }
        let (expected, model) = (model_options(&expected), model_options(model));
        if let Some((flag, given, own)) = differing(expected, model) {
            let path = self.model.display();
            bail!("{flag} {given}, but {path} was trained with {own}: leave {flag} out");
        }
        Ok(trained)
    }

    /// Opens the device and runs `work` on it.
    pub fn explore<T>(
        &self,
        common: &Common,
        trained: &Trained,
        work: impl AsyncFnMut(&Explorer<'_>) -> Result<T, ExploreError>,
    ) -> anyhow::Result<T> {
        self.explore_within(None, common, trained, work)
    }

    fn explore_within<T>(
        &self,
        data_memory: Option<u64>,
        common: &Common,
        trained: &Trained,
        mut work: impl AsyncFnMut(&Explorer<'_>) -> Result<T, ExploreError>,
    ) -> anyhow::Result<T> {
        let selection = common.selection();
        let mut explore = async |first| {
            let gpu = Gpu::open_from(&selection, first).await?;
            self.say_path(common);
            if common.talk.verbose > 0 {
                let adapter = &gpu.adapter;
                let (name, driver, batch) = (&adapter.name, &adapter.driver, self.batch);
                let (feed, adam) = (Feed::Injected, Adam::default());
                let plan = model::train_step(&trained.model, feed, adam, batch, gpu.target());
                let kernels = plan.variants().join(",");
                let checked = if selection.checked { ", checked" } else { "" };
                common.say(&format!(
                    "Adapter: {name} ({driver}), kernels {kernels}, batch {batch}{checked}"
                ));
            }
            let explorer = Explorer::new(&gpu, trained, self.batch).data_memory(data_memory);
            Ok(work(&explorer).await?)
        };
        common.on_adapter(&selection, |first| pollster::block_on(explore(first)))
    }
}

/// A plane of the latent space.
#[derive(Args)]
pub struct Plane {
    /// The two latent dimensions, counted from 0
    #[arg(long, value_name = "I,J", default_value = "0,1", value_parser = dims)]
    dims: [usize; 2],
}

fn dims(text: &str) -> Result<[usize; 2], String> {
    numbers(text).ok_or("give two latent dimensions, counted from 0, such as 0,1".into())
}

impl Plane {
    /// The two dimensions, which are different and among those of the model.
    pub fn of(&self, model: &Model) -> anyhow::Result<[usize; 2]> {
        let (latent, [i, j]) = (model.latent_dim, self.dims);
        if latent < 2 {
            bail!(
                "the model has one latent dimension, and a plane needs two: use `encode` or `decode` \
                 instead"
            );
        }
        if i >= latent || j >= latent || i == j {
            bail!(
                "--dims {i},{j}: the model has the latent dimensions 0 to {}; give two of them",
                latent - 1
            );
        }
        Ok([i, j])
    }
}
