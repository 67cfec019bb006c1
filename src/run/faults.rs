//! Faults that tests inject into a run.

use std::io::{self, ErrorKind, Write};
use std::str::FromStr;
use std::time::Duration;

/// The faults to inject; none by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// The device is lost once, after this optimizer step.
    pub lose_device: Option<u64>,
    /// The disk is full from the checkpoint with this number, from 0.
    pub full_disk: Option<u64>,
    /// Writing a checkpoint pauses halfway.
    pub slow_disk: Option<Duration>,
}

impl FromStr for Faults {
    type Err = String;

    /// Parses `lose-device=12,full-disk=3,slow-disk=200`, the last in milliseconds.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut faults = Faults::default();
        for fault in text.split(',') {
            let (name, number) = fault.split_once('=').unwrap_or((fault, ""));
            let number: u64 = number
                .parse()
                .map_err(|_| format!("`{fault}`: no number"))?;
            match name {
                "lose-device" => faults.lose_device = Some(number),
                "full-disk" => faults.full_disk = Some(number),
                "slow-disk" => faults.slow_disk = Some(Duration::from_millis(number)),
                _ => return Err(format!("`{name}` is no fault")),
            }
        }
        Ok(faults)
    }
}

impl Faults {
    /// Writes the checkpoint with this number in two halves, with the faults between them.
    pub fn write(&self, number: u64, bytes: &[u8], file: &mut dyn Write) -> io::Result<()> {
        let (first, second) = bytes.split_at(bytes.len() / 2);
        file.write_all(first)?;
        if self.full_disk.is_some_and(|full| number >= full) {
            return Err(ErrorKind::StorageFull.into());
        }
        if let Some(pause) = self.slow_disk {
            file.flush()?;
            std::thread::sleep(pause);
        }
        file.write_all(second)
    }
}
