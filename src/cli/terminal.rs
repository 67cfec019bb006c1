//! All output to standard output and standard error, except progress bars.
//!
//! Names of sets, files and adapters are untrusted and may hold control characters. They are escaped
//! here only; `clippy.toml` forbids other output.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, IsTerminal, Read, Write};
use std::iter;

use serde::Serialize;

/// True for characters that control a terminal or reorder text: control characters, line separators
/// and marks of bidirectional text.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{feff}')
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text with each character that passes `test` replaced by `escape`.
fn escaped(text: &str, test: impl Fn(char) -> bool, escape: impl Fn(char) -> String) -> String {
    let safe = |c| if test(c) { escape(c) } else { c.into() };
    text.chars().map(safe).collect()
}

/// The text as one line, with control characters escaped as `\n`, `\u{1b}` and so on.
pub fn line(text: &str) -> String {
    escaped(text, acts, |c| c.escape_default().to_string())
}

/// The text as a paragraph: line breaks stay, and lines after the first are indented, so that a line
/// break in a name cannot forge a message.
pub fn paragraph(text: &str) -> String {
    let lines = text.split('\n').enumerate().map(|(i, text)| {
        let indent = i > 0 && !text.is_empty() && !text.starts_with("  ");
        format!("{}{}", if indent { "  " } else { "" }, line(text))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// JSON without control characters; serde escapes ASCII ones only.
fn json(text: &str) -> String {
    let test = |c| acts(c) && c != '\n';
    escaped(text, test, |c| format!("\\u{:04x}", u32::from(c)))
}

/// Writes a message to standard error; errors are ignored.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn say(message: &str) {
    let _ = writeln!(io::stderr(), "{}", paragraph(message));
}

/// Writes a line of the result to standard output.
pub fn print(text: &str) -> io::Result<()> {
    write_bytes(format!("{}\n", line(text)).as_bytes())
}

/// A JSON document: the version of its form, then the fields of an object (docs/json.md).
#[derive(Serialize)]
pub struct Versioned<T> {
    schema: u32,
    #[serde(flatten)]
    fields: T,
}

impl<T: Serialize> Versioned<T> {
    pub fn new(fields: T) -> Self {
        Versioned { schema: 1, fields }
    }
}

/// Writes a JSON document with the fields of an object to standard output, indented.
pub fn print_json(fields: &impl Serialize) -> anyhow::Result<()> {
    write_json(&serde_json::to_string_pretty(&Versioned::new(fields))?)
}

/// Writes a JSON document with one field, a list.
pub fn print_list(name: &str, rows: &[impl Serialize]) -> anyhow::Result<()> {
    print_json(&BTreeMap::from([(name, rows)]))
}

/// Writes a JSON document to standard output, as one line.
pub fn print_json_line(value: &impl Serialize) -> anyhow::Result<()> {
    write_json(&serde_json::to_string(value)?)
}

fn write_json(text: &str) -> anyhow::Result<()> {
    Ok(write_bytes(format!("{}\n", json(text)).as_bytes())?)
}

/// A column of a table: its header, and its text for a row.
pub type Column<T> = (&'static str, fn(&T) -> String);

/// Prints a table: a header, then rows; columns of numbers are aligned to the right.
pub fn print_table<T>(rows: &[T], columns: &[Column<T>]) -> anyhow::Result<()> {
    let header = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
    let cells = |row| columns.iter().map(|(_, text)| line(&text(row))).collect();
    let table: Vec<Vec<String>> = iter::once(header).chain(rows.iter().map(cells)).collect();
    let width = |column: usize| {
        table
            .iter()
            .map(move |row| row[column].chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..columns.len()).filter_map(width).collect();
    for row in &table {
        let mut text = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let first = table.get(1).map(|row| row[column].as_str());
            text += &match first {
                Some(first) if first.starts_with(|c: char| c.is_ascii_digit()) => {
                    format!("{cell:>width$}  ")
                }
                _ => format!("{cell:<width$}  "),
            };
        }
        print(text.trim_end())?;
    }
    Ok(())
}

/// True if the reader of standard output, such as `head`, has closed it.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |e: &io::Error| e.kind() == io::ErrorKind::BrokenPipe;
    error.chain().any(|e| e.downcast_ref().is_some_and(broken))
}

/// Writes the program's own content, such as a manual page, to standard output unescaped.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn write_bytes(content: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout();
    let written = stdout.write_all(content);
    written.and_then(|()| stdout.flush()).map_err(unwritable)
}

/// The error with the place where it happened.
fn unwritable(error: io::Error) -> io::Error {
    let text = format!("cannot write to standard output: {error}");
    io::Error::new(error.kind(), text)
}

/// Copies an output file to standard output: as it is to a file or a program, and as escaped text to a
/// terminal.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn copy(file: &mut dyn Read) -> io::Result<()> {
    let stdout = io::stdout();
    if stdout.is_terminal() {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let text = String::from_utf8(bytes).map_err(|_| {
            let reason = "it is a terminal, and the file is no text: redirect it or pipe it";
            unwritable(io::Error::new(ErrorKind::InvalidInput, reason))
        })?;
        let shown = escaped(
            &text,
            |c| acts(c) && c != '\n',
            |c| c.escape_default().to_string(),
        );
        return write_bytes(shown.as_bytes());
    }
    let copied = io::copy(file, &mut stdout.lock());
    // The end of a file without a line break would wait, and at exit an error would get lost.
    copied
        .and_then(|_| stdout.lock().flush())
        .map_err(unwritable)
}

/// Writes a part of a bar to standard error. Its texts were made by [`line`].
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn draw(text: &str) -> io::Result<()> {
    io::stderr().write_all(text.as_bytes())
}

/// True if standard error is a terminal.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn is_shown() -> bool {
    io::stderr().is_terminal()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal_is_escaped_and_other_text_is_not() {
        for (text, shown) in [
            ("plain é 猫 👩‍🔬", "plain é 猫 👩‍🔬"),
            ("\x1b[31mred", "\\u{1b}[31mred"),
            ("a\rb\tc\x07\x7f", "a\\rb\\tc\\u{7}\\u{7f}"),
            // The control sequence introducer as one character, and a right-to-left override.
            ("\u{9b}2J \u{202e}gpj.exe", "\\u{9b}2J \\u{202e}gpj.exe"),
            ("two\nlines\u{2028}", "two\\nlines\\u{2028}"),
        ] {
            assert_eq!(line(text), shown);
        }
    }

    #[test]
    fn a_line_break_stays_in_a_paragraph_and_starts_no_message() {
        let found = paragraph("no adapter:\n  0: \x1b[2Jone\n\nerror: forged");
        assert_eq!(found, "no adapter:\n  0: \\u{1b}[2Jone\n\n  error: forged");
    }

    #[test]
    fn json_stays_what_it_means() {
        let name = "\x1b\u{9b}\u{202e}\n\u{2028}é";
        let text = serde_json::to_string_pretty(&[name]).unwrap();
        let safe = json(&text);
        assert!(!safe.chars().any(|c| acts(c) && c != '\n'), "{safe:?}");
        assert_eq!(serde_json::from_str::<[String; 1]>(&safe).unwrap(), [name]);
    }
}
