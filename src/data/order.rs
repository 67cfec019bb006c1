//! The order of files and classes in a folder.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// The order of the images and of the classes in a folder.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Numbers by value: `2.png` before `10.png`.
    #[default]
    Natural,
    /// By the bytes of the names, as in older versions.
    Bytes,
}

/// A run of digits, compared by value, or the text between two of them.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Piece {
    /// The number of digits without leading zeros, and the digits.
    Number(usize, String),
    Text(String),
}

impl Order {
    /// The order of runs whose configuration names none.
    pub(super) fn of_old_runs() -> Order {
        Order::Bytes
    }

    /// Sorts distinct names or paths.
    pub fn sort<T: AsRef<Path> + Ord>(self, names: &mut [T]) {
        names.sort_unstable();
        if self == Order::Natural {
            // Names of equal value, such as `1` and `01`, stay in the order of their bytes.
            names.sort_by_cached_key(|name| key(name.as_ref()));
        }
    }
}

/// The pieces of each component of a path.
fn key(path: &Path) -> Vec<Vec<Piece>> {
    let parts = path.components();
    parts
        .map(|part| pieces(&part.as_os_str().to_string_lossy()))
        .collect()
}

fn pieces(mut text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    while let Some(first) = text.chars().next() {
        let is_number = first.is_ascii_digit();
        let end = text.find(|c: char| c.is_ascii_digit() != is_number);
        let (piece, rest) = text.split_at(end.unwrap_or(text.len()));
        pieces.push(if is_number {
            let digits = piece.trim_start_matches('0');
            Piece::Number(digits.len(), digits.to_owned())
        } else {
            Piece::Text(piece.to_owned())
        });
        text = rest;
    }
    pieces
}
