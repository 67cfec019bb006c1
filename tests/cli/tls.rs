//! Downloads trust the authorities of the system, and no other server.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::program::Cli;

/// A certificate for `localhost` and its key, from an unknown authority, valid for a hundred years.
/// tests/cli/tls/make regenerates all three.
const CERTIFICATE: &[u8] = include_bytes!("tls/server.der");
const KEY: &[u8] = include_bytes!("tls/server.key.der");
const AUTHORITY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/tls/authority.pem");

/// Starts a server that answers each request with five bytes; returns its address.
fn serve() -> String {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(KEY));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("protocols")
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(CERTIFICATE)], key)
        .expect("a certificate and its key");
    let config = Arc::new(config);
    let server = TcpListener::bind("localhost:0").expect("a port");
    let port = server.local_addr().expect("an address").port();
    thread::spawn(move || {
        for stream in server.incoming().flatten() {
            let connection = ServerConnection::new(config.clone()).expect("a connection");
            let mut stream = BufReader::new(StreamOwned::new(connection, stream));
            let mut line = String::new();
            // A client that does not trust the certificate sends nothing.
            while stream.read_line(&mut line).is_ok_and(|n| n > 2) {
                line.clear();
            }
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
            let _ = stream.get_mut().write_all(answer.as_bytes());
        }
    });
    format!("https://localhost:{port}")
}

#[test]
fn a_server_is_trusted_where_the_system_trusts_its_authority() {
    let root = tempfile::tempdir().expect("a folder");
    let download = |authorities: &Path| {
        let authorities = authorities.to_str().expect("a plain path");
        let cache = root.path().join("cache");
        Cli::new("data info kmnist")
            .env("CVAE_GPU_MIRROR", &serve())
            .env("CVAE_GPU_CACHE", cache.to_str().expect("a plain path"))
            .env("SSL_CERT_FILE", authorities)
            .env("SSL_CERT_DIR", "/nonexistent")
            .run()
    };
    // Trusted, so its answer arrives, although with the wrong content.
    let trusted = download(Path::new(AUTHORITY));
    let words = "5 bytes came instead of 18165135";
    assert!(trusted.stderr.contains(words), "{trusted}");
    // A system without authorities uses the built-in ones.
    for authorities in [root.path().join("none"), empty(root.path())] {
        let stranger = download(&authorities);
        assert!(stranger.stderr.contains("UnknownIssuer"), "{stranger}");
    }
}

fn empty(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("empty.pem");
    std::fs::write(&path, "").expect("a file");
    path
}
