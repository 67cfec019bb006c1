//! The packed set file.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;

use cvae_gpu::data::packed::{Provenance, read, write};
use cvae_gpu::data::{self, Binarize, DataError, Depth, ImageSet, PackedImages, Prepare, Split};
use flate2::read::GzDecoder;

use super::{load, load_prepared};
use crate::sets::{TEST_IMAGES, TRAIN_IMAGES, gzip, idx};

/// A binarized set of three train images and one test image of 3x3, with labels.
fn tiny() -> ImageSet {
    let split = |pixels: &[u8], labels: &[u32]| Split {
        images: PackedImages::from_bytes([3, 3, 1], pixels, Binarize::Threshold),
        labels: Some(labels.to_vec()),
        names: None,
    };
    let train = split(&[[0; 9], [255; 9], [200; 9]].concat(), &[5, 0, 4]);
    let test = split(&[0, 0, 0, 0, 255, 0, 0, 0, 0], &[7]);
    ImageSet::new("tiny \"set\"", train, test)
}

fn provenance() -> Provenance {
    Provenance {
        origin: "drawn by hand\nin a test".into(),
        licence: "CC0".into(),
        sources: BTreeMap::from([("a".into(), "0".repeat(64)), ("b".into(), "f".repeat(64))]),
    }
}

/// A folder of IDX files, packed.
fn pack(folder: &Path, binarize: Binarize, name: &str) -> Vec<u8> {
    let (source, prepare) = (folder.to_str().unwrap(), Prepare::default());
    let provenance = data::provenance(source, binarize, &prepare, &mut |_| ()).unwrap();
    let (set, name) = (data::load(source, binarize).unwrap(), name.into());
    write(&ImageSet { name, ..set }, &provenance).unwrap()
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
    plain
}

/// The packed file of a set before compression.
fn plain(set: &ImageSet) -> Vec<u8> {
    gunzip(&write(set, &provenance()).unwrap())
}

/// A packed file of this header and body.
fn raw(header: &str, body: &[u8]) -> Vec<u8> {
    let length = (header.len() as u64).to_le_bytes();
    gzip(&[&length, header.as_bytes(), body].concat())
}

/// What reading gives once `old` has become `new`, of the same length, in the file.
fn read_with(old: &str, new: &str) -> Result<(ImageSet, Provenance), DataError> {
    assert_eq!(old.len(), new.len());
    let mut bytes = plain(&tiny());
    let at = bytes
        .windows(old.len())
        .position(|part| part == old.as_bytes());
    bytes[at.unwrap()..][..new.len()].copy_from_slice(new.as_bytes());
    read(&gzip(&bytes), Path::new("tiny.gz"))
}

fn error_with(old: &str, new: &str) -> String {
    let error = read_with(old, new).unwrap_err();
    assert!(matches!(error, DataError::InvalidPacked(..)));
    let text = error.to_string();
    assert!(text.starts_with("tiny.gz: "), "{text}");
    text
}

#[test]
fn what_was_written_is_read_back() {
    let bytes = write(&tiny(), &provenance()).unwrap();
    let read = read(&bytes, Path::new("tiny.gz")).unwrap();
    assert_eq!(read, (tiny(), provenance()));
}

#[test]
fn numbers_beyond_0_to_1_are_read_back() {
    let split = |values: &[f32]| Split {
        images: PackedImages::from_floats([3, 3, 1], values),
        labels: None,
        names: None,
    };
    let mut values = [-1.5, 2e9, -0.0].repeat(6);
    let set = |values: &[f32]| ImageSet::new("reals", split(values), split(&values[..9]));
    let bytes = write(&set(&values), &provenance()).unwrap();
    let found = read(&bytes, Path::new("reals.gz")).unwrap().0;
    assert_eq!(found, set(&values));
    assert_eq!(found.train.images.range().unwrap(), Some([-1.5, 2e9]));
    // The third image of training is not finite.
    values.extend([0.25; 9]);
    let plain = plain(&set(&values));
    let at = plain
        .windows(4)
        .rposition(|four| four == 0.25f32.to_le_bytes());
    let mut wrong = plain.clone();
    wrong[at.unwrap()..][..4].copy_from_slice(&f32::NAN.to_le_bytes());
    let error = read(&gzip(&wrong), Path::new("reals.gz")).unwrap_err();
    assert!(
        error.to_string().contains("image 2 is not finite"),
        "{error}"
    );
}

#[test]
fn a_set_without_labels_is_read_back_without_labels() {
    let mut set = tiny();
    set.train.labels = None;
    let bytes = write(&set, &provenance()).unwrap();
    assert_eq!(read(&bytes, Path::new("tiny.gz")).unwrap().0, set);
}

#[test]
fn the_safetensors_crate_reads_what_is_written() {
    let bytes = plain(&tiny());
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let labels = file.tensor("train/labels").unwrap();
    assert_eq!((labels.shape(), labels.data()), (&[3][..], &[5, 0, 4][..]));
    assert_eq!(file.tensor("train/images").unwrap().shape(), [3, 2]);
}

#[test]
fn writing_is_deterministic_and_stores_no_time() {
    let bytes = write(&tiny(), &provenance()).unwrap();
    assert_eq!(bytes, write(&tiny(), &provenance()).unwrap());
    assert_eq!(bytes[4..8], [0; 4]);
    let plain = plain(&tiny());
    let header = "{\"__metadata__\":{\"name\":\"tiny \\\"set\\\"\",\"shape\":\"3,3,1\",";
    assert_eq!(&plain[8..][..header.len()], header.as_bytes());
    assert_eq!(u64::from_le_bytes(plain[..8].try_into().unwrap()) % 8, 0);
}

/// The tiny set with this number of named classes, and the last of them as a label.
fn named(classes: usize) -> ImageSet {
    let mut set = tiny();
    set.classes = (0..classes).map(|i| format!("\"{i}\", \u{9b}é")).collect();
    set.train.labels = Some(vec![0, classes as u32 - 1, 1]);
    set
}

#[test]
fn names_of_classes_and_more_than_256_of_them_are_kept() {
    for (classes, dtype) in [
        (8, "\"U8\",\"shape\":[3],"),
        (300, "\"U32\",\"shape\":[3],"),
    ] {
        let plain = plain(&named(classes));
        let header = String::from_utf8_lossy(&plain).into_owned();
        assert!(header.contains(dtype), "{header}");
        let (set, _) = read(&gzip(&plain), Path::new("x")).unwrap();
        assert_eq!(set, named(classes));
    }
}

#[test]
fn a_label_without_a_name_among_names_is_refused() {
    let mut set = named(9);
    set.classes.truncate(8);
    let text = write(&set, &provenance()).unwrap_err().to_string();
    assert!(text.contains("8 classes and the label 8"), "{text}");
    let json = r#"{"__metadata__":{"name":"","shape":"1,1,1","depth":"bit","origin":"",
        "licence":"","sources":"{}","classes":"CLASSES"},
        "test/images":{"dtype":"U8","shape":[1,1],"data_offsets":[0,1]},
        "test/labels":{"dtype":"U8","shape":[1],"data_offsets":[1,2]},
        "train/images":{"dtype":"U8","shape":[1,1],"data_offsets":[2,3]}}"#;
    for (classes, words) in [
        ("[]", None),
        (r#"[\"a\",\"b\"]"#, None),
        (r#"[\"a\"]"#, Some("1 classes, and there is the label 1")),
        ("[1]", Some("array of names")),
        ("{}", Some("array of names")),
    ] {
        let json = json.replace("CLASSES", classes);
        let refused = read(&raw(&json, &[0, 1, 0]), Path::new("x")).err();
        let refused = refused.map(|error| error.to_string());
        assert_eq!(refused.is_some(), words.is_some(), "{refused:?}");
        assert!(refused.is_none_or(|text| text.contains(words.unwrap())));
    }
}

#[test]
fn a_set_that_does_not_hold_together_is_not_written() {
    let bytes = |set: &ImageSet| write(set, &provenance()).unwrap_err().to_string();
    let mut labels = tiny();
    labels.test.labels = Some(vec![]);
    assert!(bytes(&labels).contains("1 images but 0 labels"));
    let mut shape = tiny();
    shape.test.images = PackedImages::from_bytes([9, 1, 1], &[0; 9], Binarize::Threshold);
    assert!(bytes(&shape).contains("differ in shape or depth"));
    let mut empty = tiny();
    empty.test.images = PackedImages::from_bytes([3, 3, 1], &[], Binarize::Threshold);
    assert!(bytes(&empty).contains("no images"));
}

#[test]
fn a_file_of_another_kind_is_not_taken_for_a_packed_set() {
    let plain = plain(&tiny());
    let idx = gzip(&idx(&[1, 1, 1], &[9]));
    for bytes in [&plain[..], &idx, b"", b"hello", &gzip(b""), &gzip(b"hello")] {
        let error = read(bytes, Path::new("x")).unwrap_err();
        assert!(matches!(error, DataError::UnknownFormat(..)), "{error}");
    }
}

#[test]
fn a_file_cut_anywhere_is_an_error_and_so_is_a_longer_one() {
    let plain = plain(&tiny());
    for length in 0..plain.len() {
        assert!(read(&gzip(&plain[..length]), Path::new("x")).is_err());
    }
    let packed = write(&tiny(), &provenance()).unwrap();
    for length in 0..packed.len() {
        assert!(read(&packed[..length], Path::new("x")).is_err());
    }
    let longer = [&plain[..], &[0]].concat();
    let error = read(&gzip(&longer), Path::new("x")).unwrap_err();
    assert!(error.to_string().contains("more bytes follow"), "{error}");
}

#[test]
fn no_changed_byte_makes_the_reader_panic() {
    let plain = plain(&tiny());
    for at in 0..plain.len() {
        for change in [0x01, 0x10, 0x80] {
            let mut bytes = plain.clone();
            bytes[at] ^= change;
            // Changed pixels and free text are not errors; only a panic would be wrong.
            let _ = read(&gzip(&bytes), Path::new("x"));
        }
    }
}

#[test]
fn a_missing_images_tensor_is_named() {
    let json = r#"{"__metadata__":{"name":"","shape":"1,1,1","depth":"bit","origin":"",
        "licence":"","sources":"{}"},
        "train/images":{"dtype":"U8","shape":[1,1],"data_offsets":[0,1]}}"#;
    let text = read(&raw(json, &[0]), Path::new("x"))
        .unwrap_err()
        .to_string();
    assert_eq!(text, "x: the packed set has no tensor `test/images`");
}

#[test]
fn a_tensor_the_format_does_not_have_is_named() {
    let text = error_with("test/labels", "test/lapels");
    assert!(text.contains("tensor `test/lapels` is invalid"), "{text}");
}

#[test]
fn a_tensor_of_the_wrong_type_or_size_is_named() {
    let text = error_with("\"U8\",\"shape\":[1,2]", "\"I8\",\"shape\":[1,2]");
    assert!(text.contains("`test/images`"), "{text}");
    assert!(
        text.contains("I8 [1, 2]; it should be U8 [images, 2]"),
        "{text}"
    );
    let text = error_with("\"shape\":[1,2]", "\"shape\":[2,1]");
    assert!(text.contains("U8 [2, 1]"), "{text}");
    let text = error_with("\"U8\",\"shape\":[3],", "\"I8\",\"shape\":[3],");
    assert!(text.contains("`train/labels`"), "{text}");
}

#[test]
fn a_header_that_announces_more_than_there_is_costs_no_memory() {
    let json = r#"{"__metadata__":{"name":"","shape":"1,1,1","depth":"byte","origin":"",
        "licence":"","sources":"{}"},
        "test/images":{"dtype":"U8","shape":[1,1],"data_offsets":[0,1]},
        "train/images":{"dtype":"U8","shape":[9000000000000000,1],
        "data_offsets":[1,9000000000000001]}}"#;
    let error = read(&raw(json, &[0]), Path::new("x")).unwrap_err();
    assert!(error.to_string().contains("it is truncated"), "{error}");
}

#[test]
fn overlapping_tensors_are_refused() {
    let text = error_with("\"data_offsets\":[2,3]", "\"data_offsets\":[1,2]");
    assert!(
        text.contains("the header of the packed set is invalid"),
        "{text}"
    );
}

#[test]
fn bad_metadata_is_named_by_its_key() {
    let zeros = "0".repeat(64);
    let upper = format!("{}A", "0".repeat(63));
    for (key, old, new) in [
        ("shape", "3,3,1", "3,3,0"),
        ("shape", "3,3,1", "3;3;1"),
        ("shape", "3,3,1", "3,331"),
        ("shape", "3,3,1", "-3,31"),
        ("depth", "\"bit\"", "\"bat\""),
        ("name", "\"name\"", "\"nome\""),
        ("origin", "\"origin\"", "\"onigin\""),
        ("licence", "\"licence\"", "\"license\""),
        ("sources", "\"sources\"", "\"souces_\""),
        ("sources", zeros.as_str(), upper.as_str()),
    ] {
        let text = error_with(old, new);
        let named = format!("metadata `{key}` is invalid");
        assert!(text.contains(&named), "{new}: {text}");
    }
}

#[test]
fn a_shape_beyond_any_memory_is_refused() {
    let json = r#"{"__metadata__":{"name":"","shape":"4294967296,4294967296,2","depth":"bit",
        "origin":"","licence":"","sources":"{}"},
        "test/images":{"dtype":"U8","shape":[1,0],"data_offsets":[0,0]},
        "train/images":{"dtype":"U8","shape":[1,0],"data_offsets":[0,0]}}"#;
    let text = read(&raw(json, &[]), Path::new("x"))
        .unwrap_err()
        .to_string();
    assert!(text.contains("metadata `shape` is invalid"), "{text}");
}

#[test]
fn unused_bits_that_are_set_are_refused() {
    let mut bytes = plain(&tiny());
    // The labels of the train split come last, its images before them.
    let at = bytes.len() - 4;
    bytes[at] |= 0x80;
    let error = read(&gzip(&bytes), Path::new("x")).unwrap_err();
    assert!(error.to_string().contains("unused bits"), "{error}");
}

#[test]
fn packing_a_folder_records_each_file_as_found_and_decompressed() {
    let folder = tempfile::tempdir().unwrap();
    let images = idx(&[1, 1, 2], &[127, 128]);
    let put = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    put("train-images-idx3-ubyte", &images);
    put("t10k-images-idx3-ubyte.gz", &gzip(&images));
    put("t10k-labels.idx1-ubyte", &gzip(&idx(&[1], &[6])));

    let bytes = pack(folder.path(), Binarize::Threshold, "pair");
    assert_eq!(bytes, pack(folder.path(), Binarize::Threshold, "pair"));
    let (set, provenance) = read(&bytes, Path::new("x")).unwrap();
    assert_eq!(set.name, "pair");
    assert_eq!(set.test.images.values(0).unwrap(), [0.0, 1.0]);
    assert_eq!((set.train.labels, set.test.labels), (None, Some(vec![6])));
    assert!(provenance.origin.contains("binarized"));
    assert_eq!(provenance.licence, "not stated");

    let names: Vec<&str> = provenance.sources.keys().map(String::as_str).collect();
    let expected = [
        "t10k-images-idx3-ubyte",
        "t10k-images-idx3-ubyte.gz",
        "t10k-labels.idx1-ubyte",
        "t10k-labels.idx1-ubyte.gz",
        "train-images-idx3-ubyte",
    ];
    assert_eq!(names, expected);
    let hash = |name: &str| &provenance.sources[name];
    assert_eq!(hash(expected[0]), hash(expected[4]));
    assert_ne!(hash(expected[0]), hash(expected[1]));
    assert_eq!(
        hash(expected[4]),
        "3b8b2bf52fe5c9d622642edf4c3cafcc9e1c20140b4a7633cab09948c56e350c"
    );
}

#[test]
fn packing_without_binarizing_keeps_the_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let images = idx(&[1, 1, 2], &[127, 128]);
    for name in [TRAIN_IMAGES, TEST_IMAGES] {
        fs::write(folder.path().join(name), &images).unwrap();
    }
    let bytes = pack(folder.path(), Binarize::None, "pair");
    let (set, provenance) = read(&bytes, Path::new("x")).unwrap();
    assert_eq!(set.train.images.depth(), Depth::Byte);
    assert_eq!(set.train.images.bytes().unwrap(), [127, 128]);
    assert!(!provenance.origin.contains("binarized"));
}

#[test]
fn writing_the_embedded_set_again_gives_the_same_content() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/mnist.safetensors.gz");
    let asset = fs::read(path).unwrap();
    let (set, provenance) = read(&asset, Path::new("mnist")).unwrap();
    let again = write(&set, &provenance).unwrap();
    assert!(gunzip(&again) == gunzip(&asset));
}

#[test]
fn packed_images_are_unpacked_to_be_prepared() {
    let values = [0, 128, 200, 255, 7, 1];
    for (binarize, levels) in [
        (Binarize::Threshold, [0, 255, 255, 255, 0, 0]),
        (Binarize::None, values),
    ] {
        let images = || PackedImages::from_bytes([1, 3, 1], &values, binarize);
        let set = ImageSet::unlabelled("two", images(), images());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("two");
        fs::write(&path, write(&set, &provenance()).unwrap()).unwrap();
        assert_eq!(load(&path).unwrap().train, set.train);
        let prepare = Prepare {
            channels: Some(3),
            ..Prepare::default()
        };
        let colour = load_prepared(&path, &prepare).unwrap().train.images;
        assert_eq!((colour.shape(), colour.depth()), ([1, 3, 3], Depth::Byte));
        assert_eq!(
            colour.bytes().unwrap(),
            levels.map(|level| [level; 3]).as_flattened()
        );
    }
}
