//! Standard error as a place for bars although it is no terminal.

use std::io;

use indicatif::TermLike;

use crate::cli::terminal::draw as write;

/// Standard error, with the movements of a common terminal.
#[derive(Debug)]
pub struct Plain;

fn movement(count: usize, direction: char) -> io::Result<()> {
    match count {
        0 => Ok(()),
        _ => write(&format!("\x1b[{count}{direction}")),
    }
}

impl TermLike for Plain {
    fn width(&self) -> u16 {
        80
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        movement(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        movement(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        movement(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        movement(n, 'D')
    }

    fn write_line(&self, line: &str) -> io::Result<()> {
        write(&format!("{line}\n"))
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        write(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        write("\r\x1b[2K")
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}
