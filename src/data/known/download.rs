//! Downloads: a file is complete and has the expected SHA-256, or is not kept.

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

use sha2::{Digest, Sha256};
use ureq::http::Response;
use ureq::tls::{RootCerts, TlsConfig};

use crate::data::{Listener, Progress};
use crate::files::atomic;
use crate::files::hash::hex;

/// Longest wait for a server.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes between two progress reports.
const PIECE: usize = 1 << 16;

/// A file as it was published.
#[derive(Debug, Clone, Copy)]
pub struct Remote {
    pub name: &'static str,
    pub bytes: u64,
    /// SHA-256 of the published, perhaps compressed, file in lower-case hexadecimal.
    pub sha256: &'static str,
}

/// Downloads a file into a folder, from the first address that has it.
///
/// # Errors
///
/// The failure of each address.
pub fn fetch(
    remote: &Remote,
    urls: &[String],
    folder: &Path,
    listener: &mut Listener<'_>,
) -> Result<(), String> {
    fs::create_dir_all(folder)
        .map_err(|e| format!("the folder {} cannot be made: {e}", folder.display()))?;
    // A file that cannot be removed does no harm.
    let _ = atomic::sweep_dead(folder);
    let mut failures = Vec::new();
    for url in urls {
        let path = folder.join(remote.name);
        let written = atomic::write_with(&path, |file| receive(remote, url, file, listener));
        match written {
            Ok(()) => return Ok(()),
            Err(e) => failures.push(format!("{url}: {e}")),
        }
    }
    Err(failures.join("; "))
}

fn receive(
    remote: &Remote,
    url: &str,
    file: &mut dyn Write,
    listener: &mut Listener<'_>,
) -> io::Result<()> {
    let of = remote.bytes;
    listener(Progress::Download { url, done: 0, of });
    let answer = match request(url, RootCerts::PlatformVerifier) {
        // The platform verifier fails where a container has no certificates.
        Err(ureq::Error::Rustls(_)) => request(url, RootCerts::WebPki),
        answer => answer,
    };
    let answer = answer.map_err(io::Error::other)?;
    // Reads at most one byte too many, which detects a file that is too long.
    let mut body = answer.into_body().into_reader().take(of + 1);
    let mut hash = Sha256::new();
    let mut piece = vec![0; PIECE];
    let mut done = 0;
    loop {
        let read = match body.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => &piece[..read],
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(io::Error::other(format!("{e}, after {done} of {of} bytes"))),
        };
        hash.update(read);
        file.write_all(read)?;
        done += read.len() as u64;
        listener(Progress::Download { url, done, of });
    }
    let problem = if done > of {
        format!("more bytes came instead of {of}")
    } else if done < of {
        format!("{done} bytes came instead of {of}")
    } else if hex(hash) != remote.sha256 {
        "the file there is another one, by its SHA-256".into()
    } else {
        return Ok(());
    };
    Err(io::Error::other(problem))
}

/// Requests a file from a server with a certificate of one of these authorities.
fn request(url: &str, authorities: RootCerts) -> Result<Response<ureq::Body>, ureq::Error> {
    let tls = TlsConfig::builder().root_certs(authorities).build();
    let config = ureq::Agent::config_builder()
        .tls_config(tls)
        .timeout_connect(Some(PATIENCE))
        .timeout_recv_response(Some(PATIENCE))
        .timeout_per_read(Some(PATIENCE))
        .user_agent(concat!("cvae-gpu/", env!("CARGO_PKG_VERSION")))
        .build();
    config.new_agent().get(url).call()
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;
    use std::thread;

    const CONTENT: &[u8] = b"what was published";
    const REMOTE: Remote = Remote {
        name: "file",
        bytes: CONTENT.len() as u64,
        sha256: "49d8f89a2fb4a8ed8b02b0cc33dd66c9a3a1e1ab3fe64bb6d76de4f4ae76d8f5",
    };

    /// Starts a server that gives each of these answers once; returns its address.
    pub fn serve(answers: Vec<Vec<u8>>) -> String {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = server.accept().unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                while lines
                    .next()
                    .is_some_and(|line| line.is_ok_and(|l| !l.is_empty()))
                {}
                stream.write_all(&answer).unwrap();
            }
        });
        format!("http://{address}")
    }

    /// An HTTP answer with this `Content-Length`.
    pub fn answer(status: &str, length: usize, body: &[u8]) -> Vec<u8> {
        let head =
            format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
        [head.as_bytes(), body].concat()
    }

    /// Downloads the file from these servers; returns the result and the files in the folder.
    fn download(urls: &[String]) -> (Result<(), String>, Vec<Vec<u8>>) {
        let folder = tempfile::tempdir().unwrap();
        let into = folder.path().join("new");
        let mut heard = Vec::new();
        let mut listener = |progress: Progress<'_>| {
            if let Progress::Download { done, of, .. } = progress {
                heard.push((done, of));
            }
        };
        let remote = Remote {
            sha256: Box::leak(hex(Sha256::new().chain_update(CONTENT)).into_boxed_str()),
            ..REMOTE
        };
        let result = fetch(&remote, urls, &into, &mut listener);
        assert_eq!(heard[0], (0, REMOTE.bytes));
        if result.is_ok() {
            assert_eq!(heard.last(), Some(&(REMOTE.bytes, REMOTE.bytes)));
        }
        let files = fs::read_dir(into).unwrap();
        let files = files.map(|entry| fs::read(entry.unwrap().path()).unwrap());
        (result, files.collect())
    }

    #[test]
    fn a_good_file_is_kept() {
        let url = serve(vec![answer("200 OK", CONTENT.len(), CONTENT)]);
        assert_eq!(download(&[url]), (Ok(()), vec![CONTENT.to_vec()]));
    }

    #[test]
    fn what_is_wrong_is_not_kept_and_the_next_mirror_is_tried() {
        let other = [b"X", &CONTENT[1..]].concat();
        let long = [CONTENT, b"!"].concat();
        let closed = {
            let server = TcpListener::bind("127.0.0.1:0").unwrap();
            format!("http://{}", server.local_addr().unwrap())
        };
        for (url, words) in [
            (
                serve(vec![answer("200 OK", other.len(), &other)]),
                "SHA-256",
            ),
            (
                serve(vec![answer("200 OK", long.len(), &long)]),
                "more bytes came",
            ),
            (
                serve(vec![answer("200 OK", 4, b"what")]),
                "4 bytes came instead of 18",
            ),
            (
                serve(vec![answer("200 OK", CONTENT.len(), b"what")]),
                "after 4 of 18",
            ),
            (serve(vec![answer("404 Not Found", 0, b"")]), "404"),
            (serve(vec![b"gibberish\r\n\r\n".to_vec()]), "http"),
            (closed, "refused"),
        ] {
            let (result, files) = download(std::slice::from_ref(&url));
            let text = result.unwrap_err();
            assert!(text.contains(words) && text.contains(&url), "{text}");
            assert!(files.is_empty(), "{text}");
        }
        let first = serve(vec![answer("503 Busy", 0, b"")]);
        let second = serve(vec![answer("200 OK", CONTENT.len(), CONTENT)]);
        let (result, files) = download(&[first, second]);
        assert_eq!((result, files), (Ok(()), vec![CONTENT.to_vec()]));
    }
}
