//! When checkpoints are saved between the ends of epochs.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// The longest time between two checkpoints, unless saving them is slow.
const USUAL: Duration = Duration::from_secs(60);
/// Unless told otherwise, saving takes at most one part in so many of the time.
const SHARE: u32 = 100;

/// How often a checkpoint is saved. There is one at the end of each epoch in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Every {
    /// Each minute, or so rarely that saving takes no more than 1 % of the time.
    #[default]
    Auto,
    /// At each multiple of so many optimizer steps.
    Steps(u64),
    /// After so many minutes.
    Minutes(f64),
}

impl FromStr for Every {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "give steps, such as 500, or minutes, such as 5m".to_owned();
        if text == "auto" {
            return Ok(Every::Auto);
        }
        match text.strip_suffix('m') {
            Some(minutes) => match minutes.parse() {
                // A year is as good as never, and fits every clock.
                Ok(minutes) if minutes > 0.0 && minutes <= 525_600.0 => Ok(Every::Minutes(minutes)),
                _ => Err(wrong()),
            },
            None => match text.parse() {
                Ok(steps) if steps > 0 => Ok(Every::Steps(steps)),
                _ => Err(wrong()),
            },
        }
    }
}

impl TryFrom<String> for Every {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Every> for String {
    fn from(every: Every) -> String {
        every.to_string()
    }
}

impl fmt::Display for Every {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Every::Auto => f.write_str("auto"),
            Every::Steps(steps) => write!(f, "{steps}"),
            Every::Minutes(minutes) => write!(f, "{minutes}m"),
        }
    }
}

/// Knows when the next checkpoint is due.
pub(super) struct Schedule {
    every: Every,
    saved: Instant,
    cost: Duration,
}

impl Schedule {
    pub(super) fn new(every: Every) -> Self {
        Schedule {
            every,
            saved: Instant::now(),
            cost: Duration::ZERO,
        }
    }

    /// The step after `step` at which training pauses for a checkpoint.
    pub(super) fn next_step(&self, step: u64) -> u64 {
        match self.every {
            Every::Steps(n) => (step / n + 1).saturating_mul(n),
            Every::Auto | Every::Minutes(_) => u64::MAX,
        }
    }

    /// True when so much time has passed that a checkpoint is due.
    pub(super) fn is_due(&self) -> bool {
        match self.every {
            Every::Steps(_) => false,
            Every::Minutes(minutes) => self.saved.elapsed().as_secs_f64() >= 60.0 * minutes,
            Every::Auto => self.saved.elapsed() >= USUAL.max(SHARE * self.cost),
        }
    }

    /// Takes note of a checkpoint, which took so long.
    pub(super) fn saved(&mut self, cost: Duration) {
        (self.saved, self.cost) = (Instant::now(), cost);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_and_minutes_are_told_apart_and_written_as_they_are_read() {
        for (text, every) in [
            ("500", Every::Steps(500)),
            ("5m", Every::Minutes(5.0)),
            ("0.5m", Every::Minutes(0.5)),
            ("auto", Every::Auto),
        ] {
            assert_eq!(text.parse(), Ok(every));
            assert_eq!(every.to_string(), text);
        }
        for text in [
            "", "0", "-1", "1.5", "0m", "-1m", "nanm", "infm", "m", "5s", "1e300m",
        ] {
            let error = text.parse::<Every>().unwrap_err();
            assert!(error.contains("5m"), "{text}: {error}");
        }
    }

    #[test]
    fn steps_pause_training_at_their_multiples() {
        let schedule = Schedule::new(Every::Steps(10));
        let next = [0, 9, 10, 11].map(|step| schedule.next_step(step));
        assert_eq!(next, [10, 10, 20, 20]);
        assert!(!schedule.is_due());
    }

    #[test]
    fn slow_checkpoints_come_rarely() {
        let mut schedule = Schedule::new(Every::Auto);
        let ago = |seconds| Instant::now().checked_sub(Duration::from_secs(seconds));
        // A machine that has just started has no such past.
        let Some(past) = ago(61) else { return };
        schedule.saved = past;
        assert!(schedule.is_due());
        schedule.saved(Duration::from_secs(1));
        assert!(!schedule.is_due());
        schedule.saved = past;
        assert!(!schedule.is_due(), "saving would take more than 1 %");
        schedule.every = Every::Minutes(1.0);
        assert!(schedule.is_due(), "what a user asks for is done");
    }
}
