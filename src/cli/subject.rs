//! What `bench` and `plan` look at: a model, and images or their size.

use clap::Args;
use cvae_gpu::data::{self, Binarize, Depth, ImageSet, PackedImages, Prepare, mnist};
use cvae_gpu::model::Model;
use cvae_gpu::ops::fetch::Packed;

use super::arch;
use super::choices::{ImageSize, image_size};
use super::common::Common;
use super::images::{Choice, PrepareArgs, sources};
use super::train::{About, ModelArgs};

/// Images of MNIST's training split.
const MNIST_IMAGES: usize = 60_000;
/// Most bytes of images on the device.
const MOST_BYTES: usize = 64 << 20;
/// Height, width and channels of MNIST's.
const MNIST_SHAPE: [usize; 3] = [28, 28, 1];
/// Classes of images that are not read.
const CLASSES: usize = 10;

/// The options of a model and of its images.
#[derive(Args)]
pub struct SubjectArgs {
    #[command(flatten)]
    model: ModelArgs,
    #[arg(
        long,
        help = concat!("Images: ", sources!(), " [default: mnist]"),
        value_name = "SOURCE",
        conflicts_with = "image_size",
        help_heading = "Data"
    )]
    data: Option<String>,
    /// Random images of this height, width and, unless 1, channels
    #[arg(long, value_name = "H,W[,C]", value_parser = image_size, help_heading = "Data")]
    image_size: Option<ImageSize>,
}

/// A model and its training images.
pub struct Subject {
    pub model: Model,
    /// `None` for random images.
    images: Option<PackedImages>,
    /// The set of --data.
    pub set: Option<ImageSet>,
    /// The layout of the training images.
    pub packed: Packed,
}

impl SubjectArgs {
    /// The model, and the images of --data.
    pub fn load(&self, common: &Common) -> anyhow::Result<Subject> {
        let arch = self.model.arch()?;
        let arch = arch.as_ref();
        if let Some(source) = &self.data {
            let none = PrepareArgs::default();
            let mut watch = common.watch(&none);
            let set = data::load_prepared(source, Binarize::None, &Prepare::default(), &mut watch)?;
            let choice = Choice::of(None, arch.and_then(arch::Choice::binarize), &set)?;
            let set = set.binarized(choice.binarize)?;
            return self.of(arch, set, choice.binarize);
        }
        let image = self.image_size.map_or(MNIST_SHAPE, |size| size.0);
        let about = About {
            image,
            classes: CLASSES,
            is_real: image[2] > 1,
            range: None,
        };
        let model = self.model.build(arch, about)?;
        let binarize = arch.and_then(arch::Choice::binarize);
        let depth = match (image[2], binarize) {
            (1, None | Some(Binarize::Threshold)) => Depth::Bit,
            _ => Depth::Byte,
        };
        let bits = image.iter().product::<usize>() * depth.bits() as usize;
        let fitting = MOST_BYTES / bits.div_ceil(8);
        let count = fitting.clamp(1, MNIST_IMAGES);
        let packed = Packed {
            shape: image,
            count,
            depth,
            drawn: binarize == Some(Binarize::Stochastic),
            flipped: false,
            window: count,
        };
        Ok(Subject {
            model,
            images: None,
            set: None,
            packed,
        })
    }

    fn of(
        &self,
        arch: Option<&arch::Choice>,
        set: ImageSet,
        binarize: Binarize,
    ) -> anyhow::Result<Subject> {
        let most = MOST_BYTES / (4 * set.train.images.words_per_image());
        let images = set.train.images.clone().first(most.max(1));
        Ok(Subject {
            model: self.model.build(arch, About::set(&set, binarize)?)?,
            packed: Packed::training(&images, binarize),
            images: Some(images),
            set: Some(set),
        })
    }
}

impl Subject {
    /// At least so many training images. Those of a smaller set are repeated.
    pub fn images(&self, least: usize) -> anyhow::Result<PackedImages> {
        let Packed { shape, depth, .. } = self.packed;
        let images = match &self.images {
            Some(images) => images.clone(),
            None if shape == MNIST_SHAPE && depth == Depth::Bit => mnist::load()?.train.images,
            None => random(shape, depth, least),
        };
        let count = images.count();
        if count >= least {
            return Ok(images);
        }
        let repeated: Vec<usize> = (0..least).map(|i| i % count).collect();
        Ok(images.select(&repeated).unwrap_or(images))
    }
}

/// Images without meaning.
fn random(shape: [usize; 3], depth: Depth, count: usize) -> PackedImages {
    let values = count * shape.iter().product::<usize>();
    // Knuth's multiplicative hash of the index.
    let byte = |i: usize| (i as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0];
    let binarize = match depth {
        Depth::Bit => Binarize::Threshold,
        Depth::Byte | Depth::Float => Binarize::None,
    };
    PackedImages::from_bytes(shape, &(0..values).map(byte).collect::<Vec<_>>(), binarize)
}
