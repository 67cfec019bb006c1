//! The sets known by name: what they are, where they are stored, and where they are published.
//!
//! A set is searched in the user's cache folder, then in the folders of Debian's packages of data
//! sets. A set that is requested by name and found in neither is downloaded into the cache.
//! `CVAE_GPU_CACHE` names another cache folder. `CVAE_GPU_MIRROR` replaces the published addresses
//! by `<address>/<set>/<file>`. Files in the cache are checked before use ([`Known::verify`]).

mod download;
pub mod mnist;
mod verify;

pub use verify::{Checked, State};

use std::path::{Path, PathBuf};

use super::names::NAMES;
use super::read::cifar;
use super::{DataError, Listener};
use crate::files::cache;
use download::Remote;

/// Where the system's packages install data sets.
const SYSTEM: [&str; 2] = ["/usr/local/share/datasets", "/usr/share/datasets"];

/// A set known by name.
#[derive(Debug)]
#[non_exhaustive]
pub struct Known {
    /// The name to load it by.
    pub name: &'static str,
    /// Its content, in one line.
    pub about: &'static str,
    /// Who made it.
    pub origin: &'static str,
    /// The licence.
    pub licence: &'static str,
    /// Names of its classes, separated by `, `; empty for digits.
    pub classes: &'static str,
    files: &'static [Remote],
    mirrors: &'static [&'static str],
}

/// Where a known set is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Part of this program.
    BuiltIn,
    /// In this folder or archive.
    Found(PathBuf),
    /// Not on this machine; loading it downloads it.
    Missing {
        /// The folder to download it to.
        folder: PathBuf,
        /// Bytes to download.
        bytes: u64,
    },
}

/// Every set known by name.
pub static KNOWN: [Known; 4] = [
    Known {
        name: NAMES[0],
        about: "handwritten digits, 60000 + 10000 images of 28×28, black and white",
        origin: mnist::ORIGIN,
        licence: mnist::LICENCE,
        classes: "",
        files: &[],
        mirrors: &[],
    },
    Known {
        name: NAMES[1],
        about: "pieces of clothing, 60000 + 10000 images of 28×28, grey",
        origin: "Fashion-MNIST, by Han Xiao, Kashif Rasul and Roland Vollgraf, Zalando SE",
        licence: "MIT",
        classes: "T-shirt/top, Trouser, Pullover, Dress, Coat, Sandal, Shirt, Sneaker, Bag, Ankle boot",
        files: &[
            Remote {
                name: "train-images-idx3-ubyte.gz",
                bytes: 26_421_880,
                sha256: "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            },
            Remote {
                name: "train-labels-idx1-ubyte.gz",
                bytes: 29_515,
                sha256: "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            },
            Remote {
                name: "t10k-images-idx3-ubyte.gz",
                bytes: 4_422_102,
                sha256: "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            },
            Remote {
                name: "t10k-labels-idx1-ubyte.gz",
                bytes: 5_148,
                sha256: "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            },
        ],
        mirrors: &[
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
        ],
    },
    Known {
        name: NAMES[2],
        about: "cursive Japanese characters, 60000 + 10000 images of 28×28, grey",
        origin: "Kuzushiji-MNIST, by CODH, adapted from Kuzushiji Dataset by NIJL and others",
        licence: "CC BY-SA 4.0",
        classes: "o, ki, su, tsu, na, ha, ma, ya, re, wo",
        files: &[
            Remote {
                name: "train-images-idx3-ubyte.gz",
                bytes: 18_165_135,
                sha256: "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
            },
            Remote {
                name: "train-labels-idx1-ubyte.gz",
                bytes: 29_497,
                sha256: "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
            },
            Remote {
                name: "t10k-images-idx3-ubyte.gz",
                bytes: 3_041_136,
                sha256: "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
            },
            Remote {
                name: "t10k-labels-idx1-ubyte.gz",
                bytes: 5_120,
                sha256: "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
            },
        ],
        mirrors: &[
            "https://codh.rois.ac.jp/kmnist/dataset/kmnist",
            "http://codh.rois.ac.jp/kmnist/dataset/kmnist",
            "https://web.archive.org/web/2id_/http://codh.rois.ac.jp/kmnist/dataset/kmnist",
        ],
    },
    Known {
        name: NAMES[3],
        about: "photographs of ten kinds of things, 50000 + 10000 images of 32×32, colour",
        origin: "CIFAR-10, by Alex Krizhevsky, Vinod Nair and Geoffrey Hinton",
        licence: "not stated",
        classes: cifar::CLASSES,
        files: &[Remote {
            name: cifar::ARCHIVE,
            bytes: 170_052_171,
            sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        }],
        mirrors: &[
            "https://www.cs.toronto.edu/~kriz",
            "https://storage.googleapis.com/s4tf-hosted-binaries/datasets/CIFAR10",
        ],
    },
];

/// The known set of that name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.name == name)
}

/// Where known sets are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// The folder to download to, each set into a folder of its name. `None` where the user has
    /// no home.
    pub cache: Option<PathBuf>,
    /// Further folders to search.
    pub system: Vec<PathBuf>,
    /// The address to download from, instead of the published ones.
    pub mirror: Option<String>,
}

impl Places {
    /// The places of the current user.
    #[must_use]
    pub fn of_user() -> Places {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        Places {
            cache: cache::folder(),
            system: SYSTEM.map(PathBuf::from).to_vec(),
            mirror: set("CVAE_GPU_MIRROR").map(|m| m.to_string_lossy().into_owned()),
        }
    }
}

impl Known {
    /// Where the set is now, without a download.
    ///
    /// # Errors
    ///
    /// [`DataError::NoCache`] where it is missing and the user has no cache folder.
    pub fn place(&self, places: &Places) -> Result<Place, DataError> {
        if self.files.is_empty() {
            return Ok(Place::BuiltIn);
        }
        for parent in places.cache.iter().chain(&places.system) {
            let folder = parent.join(self.name);
            if self.missing(&folder).next().is_none() {
                // CIFAR-10 may be an archive or a folder within.
                let is_cifar = self.files[0].name == cifar::ARCHIVE;
                let found = cifar::find(&folder).filter(|_| is_cifar);
                return Ok(Place::Found(found.unwrap_or(folder)));
            }
        }
        let cache = places.cache.as_ref();
        let folder = cache.ok_or(DataError::NoCache(self.name))?.join(self.name);
        let bytes = self.missing(&folder).map(|file| file.bytes).sum();
        Ok(Place::Missing { folder, bytes })
    }

    /// The files that `folder` lacks, packed and unpacked.
    fn missing(&self, folder: &Path) -> impl Iterator<Item = &'static Remote> {
        self.files.iter().filter(|file| file.find(folder).is_none())
    }

    /// Downloads the set if it is missing, checks it, and returns where it is.
    pub(crate) fn fetch(
        &self,
        places: &Places,
        listener: &mut Listener<'_>,
    ) -> Result<Place, DataError> {
        if let Place::Missing { folder, .. } = self.place(places)? {
            for file in self.missing(&folder) {
                let urls: Vec<String> = match &places.mirror {
                    Some(mirror) => {
                        let mirror = mirror.trim_end_matches('/');
                        vec![format!("{mirror}/{}/{}", self.name, file.name)]
                    }
                    None => {
                        let url = |mirror| format!("{mirror}/{}", file.name);
                        self.mirrors.iter().map(url).collect()
                    }
                };
                download::fetch(file, &urls, &folder, listener).map_err(|reason| {
                    let files: Vec<&str> = self.files.iter().map(|file| file.name).collect();
                    DataError::Download {
                        name: self.name,
                        reason,
                        files: files.join(", "),
                        folder: folder.clone(),
                    }
                })?;
            }
        }
        self.verify_touched(places)?;
        self.place(places)
    }
}

impl Remote {
    /// The file that loading a folder reads: unpacked, or as published.
    fn find(&self, folder: &Path) -> Option<PathBuf> {
        if self.name == cifar::ARCHIVE {
            return cifar::find(folder);
        }
        let packed = folder.join(self.name);
        let mut paths = [packed.with_extension(""), packed].into_iter();
        paths.find(|path| path.is_file())
    }
}

#[cfg(test)]
mod tests {
    use super::download::tests::{answer, serve};
    use super::*;
    use sha2::{Digest, Sha256};

    /// A set of one file with that content.
    fn of(content: &[u8]) -> Known {
        let hash = crate::files::hash::hex(Sha256::new().chain_update(content));
        let file = Remote {
            name: "images.gz",
            bytes: content.len() as u64,
            sha256: hash.leak(),
        };
        Known {
            name: "tiny",
            about: "",
            origin: "",
            licence: "",
            classes: "",
            files: vec![file].leak(),
            mirrors: &["http://127.0.0.1:9"],
        }
    }

    #[test]
    fn a_missing_set_is_downloaded_once_into_the_cache() {
        let content = b"images, so to speak";
        let (set, folder) = (of(content), tempfile::tempdir().unwrap());
        let places = Places {
            cache: Some(folder.path().into()),
            system: vec![],
            // The server answers once.
            mirror: Some(serve(vec![answer("200 OK", content.len(), content)])),
        };
        let folder = folder.path().join("tiny");
        let missing = Place::Missing {
            folder: folder.clone(),
            bytes: content.len() as u64,
        };
        assert_eq!(set.place(&places).unwrap(), missing);
        let found = Place::Found(folder.clone());
        for _ in 0..2 {
            assert_eq!(set.fetch(&places, &mut |_| ()).unwrap(), found);
        }
        assert_eq!(std::fs::read(folder.join("images.gz")).unwrap(), content);
    }

    #[test]
    fn a_downloaded_file_is_checked_again_where_it_was_touched() {
        let content = b"images, so to speak";
        let (set, cache) = (of(content), tempfile::tempdir().unwrap());
        let places = Places {
            cache: Some(cache.path().into()),
            system: vec![],
            mirror: Some(serve(vec![answer("200 OK", content.len(), content)])),
        };
        let folder = cache.path().join("tiny");
        let path = folder.join("images.gz");
        let fetch = || set.fetch(&places, &mut |_| ());
        let verify = || {
            let checked = set.verify(&places).unwrap().into_iter();
            checked.map(|c| (c.path, c.state)).collect::<Vec<_>>()
        };
        assert_eq!(verify(), vec![]);
        fetch().unwrap();
        assert_eq!(verify(), vec![(path.clone(), State::Published)]);
        let time = std::fs::metadata(&path).unwrap().modified().unwrap();
        let write = |content: &[u8], seconds| {
            std::fs::write(&path, content).unwrap();
            let file = std::fs::File::options().write(true).open(&path).unwrap();
            let later = std::time::Duration::from_secs(seconds);
            file.set_modified(time + later).unwrap();
        };
        // Of the same size at another time, and of another size at the same time.
        for (content, seconds) in [(&b"images, as you like"[..], 2), (b"images", 0)] {
            write(content, seconds);
            let text = fetch().unwrap_err().to_string();
            for word in ["images.gz", "`tiny`", "SHA-256"] {
                assert!(text.contains(word), "no {word} in {text}");
            }
            assert_eq!(verify(), vec![(path.clone(), State::Changed)]);
        }
        // A file with a new time but the same content is valid, and is hashed once.
        write(content, 5);
        fetch().unwrap();
        write(b"images, as you like", 5);
        fetch().unwrap();
        assert_eq!(verify(), vec![(path.clone(), State::Changed)]);
        // After a failed check it is not trusted.
        assert!(matches!(fetch(), Err(DataError::Changed(..))));
        // An unpacked file has no published hash.
        std::fs::write(folder.join("images"), "images").unwrap();
        assert_eq!(verify(), vec![(folder.join("images"), State::Unpacked)]);
    }

    #[test]
    fn a_set_of_the_system_is_found_packed_or_not() {
        let system = tempfile::tempdir().unwrap();
        let folder = system.path().join("tiny");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("images"), "").unwrap();
        let places = Places {
            cache: None,
            system: vec![system.path().into()],
            mirror: None,
        };
        assert_eq!(of(b"").place(&places).unwrap(), Place::Found(folder));
        let nowhere = Places {
            system: vec![],
            ..places
        };
        let error = of(b"").place(&nowhere).unwrap_err();
        assert!(matches!(error, DataError::NoCache("tiny")));
    }

    #[test]
    fn offline_the_error_says_which_files_to_put_where() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places {
            cache: Some(folder.path().into()),
            system: vec![],
            mirror: Some("http://127.0.0.1:9/".into()),
        };
        for name in ["fashion-mnist", "kmnist", "cifar10"] {
            let known = by_name(name).unwrap();
            let error = known.fetch(&places, &mut |_| ()).unwrap_err();
            let DataError::Download {
                reason,
                files,
                folder: into,
                ..
            } = error
            else {
                panic!("{error}");
            };
            assert_eq!(into, folder.path().join(name));
            assert!(reason.contains("http://127.0.0.1:9/"), "{reason}");
            for file in known.files {
                assert!(files.contains(file.name), "no {} in {files}", file.name);
            }
        }
    }

    #[test]
    fn every_file_of_a_known_set_has_a_hash_and_mirrors() {
        for set in &KNOWN[1..] {
            assert!(set.mirrors.len() >= 2, "{}", set.name);
            for file in set.files {
                assert_eq!(file.sha256.len(), 64, "{}", file.name);
                let digit = |c: char| matches!(c, '0'..='9' | 'a'..='f');
                assert!(file.sha256.chars().all(digit), "{}", file.name);
            }
        }
    }
}
