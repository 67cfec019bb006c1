//! Valid files of each kind, of this program and of others.

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};

use crate::common::case::case_file;
use crate::common::training::rectangles;
use crate::parsers::{ALL, IMAGES, LABELS, Parser, small_model};
use cvae_gpu::check::case::Case;
use cvae_gpu::data::{Binarize, ImageSet, PackedImages, Prepare, packed};
use cvae_gpu::files::npy;
use cvae_gpu::gpu::Selection;
use cvae_gpu::model::params;
use cvae_gpu::ops::adam::Adam;
use cvae_gpu::ops::state::StepState;
use cvae_gpu::rng::Stream;
use cvae_gpu::run::config::RunConfig;
use cvae_gpu::saved::Trained;
use cvae_gpu::saved::checkpoint::{Platform, checkpoint_bytes};
use cvae_gpu::train::Every;
use cvae_gpu::train::event::{Record, Snapshot};
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use image::{ImageFormat, Rgb, RgbImage};

/// A file and its parser.
pub struct Whole {
    pub name: &'static str,
    pub parser_name: &'static str,
    pub parser: Parser,
    /// The bytes to damage.
    pub bytes: Vec<u8>,
    /// It is compressed after the damage, so that gzip's checksum is right.
    compressed: bool,
    /// It may allocate so many bytes at once, however short it is.
    pub most: usize,
}

impl Whole {
    fn new(name: &'static str, parser: &'static str, bytes: Vec<u8>) -> Self {
        let (parser_name, parser) = ALL.into_iter().find(|(n, _)| *n == parser).expect(parser);
        Whole {
            name,
            parser_name,
            parser,
            bytes,
            compressed: false,
            most: 0,
        }
    }

    /// An image. Its header decides how much memory it takes, up to a limit of the decoder.
    fn image(name: &'static str, format: ImageFormat) -> Self {
        let picture = RgbImage::from_fn(19, 13, |x, y| Rgb([x, y, x * y].map(|v| v as u8 * 7)));
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).expect("an image");
        Whole {
            most: 1 << 30,
            ..Whole::new(name, "image", bytes.into_inner())
        }
    }

    /// The file of these bytes, damaged or not.
    pub fn file(&self, bytes: Vec<u8>) -> Vec<u8> {
        if self.compressed { gzip(&bytes) } else { bytes }
    }
}

pub fn all() -> Vec<Whole> {
    let images = IMAGES.concat();
    vec![
        Whole::new("gzip IDX images", "idx", gzip(&images)),
        Whole::new("IDX images", "idx", images),
        Whole::new("IDX labels", "labels", LABELS.concat()),
        Whole::new("packed set", "packed", packed_set()),
        Whole::new("array of images", "set", images_array()),
        Whole {
            compressed: true,
            ..Whole::new("CIFAR-10 archive", "set", archive())
        },
        Whole::new("arrays of images", "set", arrays()),
        Whole::new("shard", "set", shard()),
        Whole {
            compressed: true,
            ..Whole::new("compressed shard", "set", shard())
        },
        Whole::new("gzip shard", "set", gzip(&shard())),
        Whole::new("packed floats", "packed", packed_floats()),
        Whole::new("table of labels", "table", TABLE.into()),
        Whole::new("array of labels", "table", array_of("|i1", "(9,)", &[3; 9])),
        Whole::image("BMP", ImageFormat::Bmp),
        Whole::image("GIF", ImageFormat::Gif),
        Whole::image("JPEG", ImageFormat::Jpeg),
        Whole::image("PNG", ImageFormat::Png),
        Whole::image("PNM", ImageFormat::Pnm),
        Whole::image("QOI", ImageFormat::Qoi),
        Whole::image("TIFF", ImageFormat::Tiff),
        Whole::image("WebP", ImageFormat::WebP),
        Whole::new("codes", "array", npy::to_bytes(&[5, 3], &[0.5; 15])),
        Whole::new("model", "model", model()),
        Whole::new("checkpoint", "checkpoint", checkpoint()),
        Whole::new("recorded case", "case", case()),
        Whole::new(
            "run",
            "config",
            serde_json::to_vec_pretty(&run()).expect("JSON"),
        ),
    ]
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}

fn packed_set() -> Vec<u8> {
    packed_of(&rectangles(20, 10))
}

fn packed_floats() -> Vec<u8> {
    let images = |count: u8| {
        let values: Vec<f32> = (0..9 * count).map(|i| f32::from(i) - 50.0).collect();
        PackedImages::from_floats([3, 3, 1], &values)
    };
    packed_of(&ImageSet::unlabelled("reals", images(8), images(3)))
}

fn packed_of(set: &ImageSet) -> Vec<u8> {
    let whole = packed::write(set, &packed::Provenance::default()).expect("a packed set");
    let mut plain = Vec::new();
    let read = MultiGzDecoder::new(whole.as_slice()).read_to_end(&mut plain);
    read.expect("gzip");
    plain
}

const TABLE: &str = "file,label\n0.pgm,cat\n1.pgm,dog\n2.pgm,12\n3.pgm,cat\n4.pgm,\"a, b\"\n\
                     images/5.pgm,dog\n6.pgm,4\n7.pgm,5\n8.pgm,cat\n5.pgm,1\n";

fn images_array() -> Vec<u8> {
    array_of("|u1", "(30, 8, 8)", &[200; 30 * 64])
}

fn array_of(kind: &str, shape: &str, values: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let length = (header.len() as u16).to_le_bytes();
    let start = [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes()].concat();
    [start, values.to_vec()].concat()
}

/// Arrays of images and labels, compressed and not.
fn arrays() -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let methods = [
        zip::CompressionMethod::Deflated,
        zip::CompressionMethod::Stored,
    ];
    for (part, method) in ["train", "test"].into_iter().zip(methods) {
        let options = zip::write::SimpleFileOptions::default().compression_method(method);
        for (name, array) in [
            ("x", array_of("|u1", "(9, 4, 4)", &[200; 144])),
            ("y", array_of("|i1", "(9,)", &[3; 9])),
        ] {
            let started = zip.start_file(format!("{name}_{part}.npy"), options);
            started.expect("memory takes all");
            zip.write_all(&array).expect("memory takes all");
        }
    }
    zip.finish().expect("memory takes all").into_inner()
}

fn shard() -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for i in 0..4 {
        for (kind, bytes) in [("pgm", &b"P5 2 2 255\n0123"[..]), ("cls", b"3")] {
            let mut header = tar::Header::new_ustar();
            header.set_size(bytes.len() as u64);
            let added = archive.append_data(&mut header, format!("{i}.{kind}"), bytes);
            added.expect("memory takes all");
        }
    }
    archive.into_inner().expect("memory takes all")
}

fn archive() -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let train = (1..=5).map(|i| format!("data_batch_{i}.bin"));
    for name in train.chain(["test_batch.bin".into()]) {
        let mut header = tar::Header::new_ustar();
        header.set_size(3073);
        let added = archive.append_data(&mut header, name, &[1; 3073][..]);
        added.expect("memory takes all");
    }
    archive.into_inner().expect("memory takes all")
}

fn run() -> RunConfig {
    RunConfig {
        version: "0.1.0".into(),
        model: small_model(),
        data: "idx".into(),
        data_path: None,
        data_sha256: None,
        classes: Vec::new(),
        prepare: Prepare::default(),
        binarize: Binarize::Threshold,
        flip: true,
        epochs: 10,
        batch: 32,
        lr: 1e-4,
        extras: Default::default(),
        seed: 0,
        max_steps: Some(7),
        checkpoint_every: Every::Steps(3),
        eval_every: 2,
        val_fraction: Some(0.1),
        patience: Some(3),
        init: None,
        log_every: Some(5),
        images: true,
        device: Selection::default(),
    }
}

fn snapshot() -> Snapshot {
    let specs = small_model().params();
    let initial = params::initial(&specs, 1);
    let values = |v: Vec<f32>| [v.clone(), v.clone(), v];
    Snapshot {
        params: specs
            .into_iter()
            .zip(initial.into_iter().map(values))
            .collect(),
        state: StepState::start(0, Stream::Train).to_words().to_vec(),
        record: Record::default(),
    }
}

fn model() -> Vec<u8> {
    let trained = Trained::from_snapshot(&small_model(), Binarize::Threshold, &snapshot());
    trained.to_file().to_bytes().expect("a model")
}

fn checkpoint() -> Vec<u8> {
    let run = run();
    let bytes = checkpoint_bytes(&snapshot(), &run.model_config(), &run, &Platform::default());
    bytes.expect("a checkpoint")
}

fn case() -> Vec<u8> {
    let model = small_model();
    let specs = model.params();
    let names = specs.iter().map(|spec| spec.name.clone());
    let case = Case {
        name: "case".into(),
        batch: 3,
        x: vec![0.5; 3 * 64],
        labels: Vec::new(),
        adam: Adam::default(),
        eps: vec![vec![0.1; 6]; 2],
        params: names.zip(params::initial(&specs, 1)).collect(),
        expect: BTreeMap::from([("loss".to_owned(), vec![44.0, 43.0])]),
        unknown: Vec::new(),
        relu_margin: Some(0.1),
        model,
    };
    case_file(&case).to_bytes().expect("a case")
}
