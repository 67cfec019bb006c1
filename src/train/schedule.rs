//! When checkpoints are saved within an epoch.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use web_time::Instant;

use serde::{Deserialize, Serialize};

/// Time between two checkpoints, unless saving is slow.
const USUAL: Duration = Duration::from_secs(60);
/// By default, saving takes at most 1/`SHARE` of the time.
const SHARE: u32 = 100;

/// How often a checkpoint is saved. The end of each epoch always saves one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Every {
    /// Every minute, or less often where saving would take more than 1 % of the time.
    #[default]
    Auto,
    /// At multiples of this number of optimizer steps.
    Steps(u64),
    /// After this number of minutes.
    Minutes(f64),
}

impl FromStr for Every {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Every::Auto);
        }
        // At most a year, which fits every clock.
        let sane = |minutes: &f64| *minutes > 0.0 && *minutes <= 525_600.0;
        let every = match text.strip_suffix('m') {
            Some(minutes) => minutes.parse().ok().filter(sane).map(Every::Minutes),
            None => text.parse().ok().filter(|n| *n > 0).map(Every::Steps),
        };
        every.ok_or_else(|| "give steps, such as 500, or minutes, such as 5m".into())
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

/// Decides when the next checkpoint is due.
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

    /// True where a checkpoint is due by time.
    pub(super) fn is_due(&self) -> bool {
        match self.every {
            Every::Steps(_) => false,
            Every::Minutes(minutes) => self.saved.elapsed().as_secs_f64() >= 60.0 * minutes,
            Every::Auto => self.saved.elapsed() >= USUAL.max(SHARE * self.cost),
        }
    }

    /// Records that a checkpoint was saved, and its duration.
    pub(super) fn saved(&mut self, cost: Duration) {
        (self.saved, self.cost) = (Instant::now(), cost);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        // A clock that started less than a minute ago has no such time.
        let Some(past) = ago(61) else { return };
        schedule.saved = past;
        assert!(schedule.is_due());
        schedule.saved(Duration::from_secs(1));
        assert!(!schedule.is_due());
        schedule.saved = past;
        assert!(!schedule.is_due(), "saving would take more than 1 %");
        schedule.every = Every::Minutes(1.0);
        assert!(schedule.is_due(), "a given interval has no limit");
    }
}
