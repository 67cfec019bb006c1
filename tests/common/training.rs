//! Small training runs and their events.

use cvae_gpu::data::{Binarize, ImageSet, PackedImages, Split};
use cvae_gpu::gpu::Gpu;
use cvae_gpu::model::{Filters, Model};
use cvae_gpu::train::event::{EpochReport, Event, Snapshot, Traffic};
use cvae_gpu::train::{Options, TrainError, Trainer};

/// A model with the smallest images possible.
pub fn small_model() -> Model {
    small_filters().model()
}

/// The numbers of [`small_model`].
pub fn small_filters() -> Filters {
    Filters {
        image: [8, 8, 1],
        latent_dim: 2,
        encoder_filters: vec![8, 8],
        decoder_base: 8,
        decoder_filters: vec![8, 8],
        ..Filters::default()
    }
}

/// Images of rectangles, which a model can learn.
pub fn rectangles(train: usize, test: usize) -> ImageSet {
    let split = |count: usize, seed: u64| {
        let corners = super::uniform(4 * count, 4.0, seed);
        let image = |c: &[f32]| {
            let at = |v: f32| (v + 4.0) as usize;
            let (top, bottom) = (at(c[0].min(c[1])), at(c[0].max(c[1])));
            let (left, right) = (at(c[2].min(c[3])), at(c[2].max(c[3])));
            let inside = move |i: usize| {
                (top..=bottom).contains(&(i / 8)) && (left..=right).contains(&(i % 8))
            };
            (0..64).map(move |i| if inside(i) { 255 } else { 0 })
        };
        let pixels: Vec<u8> = corners.chunks(4).flat_map(image).collect();
        Split {
            images: PackedImages::from_bytes([8, 8, 1], &pixels, Binarize::Threshold),
            labels: None,
            names: None,
        }
    };
    ImageSet::new("rectangles", split(train, 1), split(test, 2))
}

/// Images with all grey levels.
pub fn grey(shape: [usize; 3], train: usize, test: usize) -> ImageSet {
    let split = |count: usize, seed: u64| {
        let values = count * shape.iter().product::<usize>();
        let pixels = super::uniform(values, 127.9, seed).into_iter();
        let pixels: Vec<u8> = pixels.map(|v| (v + 128.0) as u8).collect();
        Split {
            images: PackedImages::from_bytes(shape, &pixels, Binarize::None),
            labels: None,
            names: None,
        }
    };
    ImageSet::new("grey", split(train, 1), split(test, 2))
}

/// Two epochs in batches of 16.
pub fn options() -> Options {
    Options {
        model: small_model(),
        binarize: Binarize::Threshold,
        rate: 1e-3,
        batch: 16,
        epochs: 2,
        seed: 1,
        max_steps: None,
        pictures: false,
        ..Options::of(small_model())
    }
}

/// The events of a run.
#[derive(Default)]
pub struct Log {
    pub started: Option<Event>,
    pub epochs: Vec<EpochReport>,
    /// Reconstructions of each epoch, and the manifold.
    pub pictures: Vec<Vec<f32>>,
    pub checkpoints: Vec<Snapshot>,
    pub done: Option<(u64, Snapshot, Traffic)>,
}

impl Log {
    pub fn take(&mut self, event: Event) {
        match event {
            Event::Started { .. } => self.started = Some(event),
            Event::Epoch(report) => self.epochs.push(report),
            Event::Pictures { images, .. } | Event::Manifold { images, .. } => {
                self.pictures.push(images);
            }
            Event::Checkpoint(snapshot) => self.checkpoints.push(*snapshot),
            Event::Done {
                step,
                snapshot,
                traffic,
            } => self.done = Some((step, *snapshot, traffic)),
            Event::FirstStep { .. }
            | Event::Progress { .. }
            | Event::Best { .. }
            | Event::StoppedEarly { .. }
            | Event::Warning { .. }
            | Event::Interrupted { .. } => {}
        }
    }

    /// Buffers that the host wrote while steps ran.
    pub fn host_writes(&self) -> u64 {
        self.end().2.host_writes
    }

    /// The last step, snapshot and traffic of a completed run.
    pub fn end(&self) -> &(u64, Snapshot, Traffic) {
        self.done.as_ref().expect("the run ended")
    }
}

/// Trains; `watch` sees each event first.
pub fn train_watched(
    gpu: &Gpu,
    options: &Options,
    data: &ImageSet,
    mut watch: impl FnMut(&Event),
) -> Result<Log, TrainError> {
    let mut log = Log::default();
    let mut trainer = pollster::block_on(Trainer::new(gpu, options, data))?;
    let mut emit = |event: Event| {
        watch(&event);
        log.take(event);
        Ok(())
    };
    pollster::block_on(trainer.run(&mut emit))?;
    Ok(log)
}

/// Trains with plain kernels.
pub fn train(options: &Options, data: &ImageSet) -> Result<Log, TrainError> {
    train_watched(super::plain_gpu(), options, data, |_| ())
}
