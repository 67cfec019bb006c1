//! Comparison of device values with their twins, and the verdict over many of them.

use std::fmt;

/// How far a device value may lie from its twin's.
#[derive(Clone, Copy, Debug)]
pub enum Limit {
    /// A share of the largest twin value of the slot: for sums, whose rounding follows the size
    /// of their terms and not that of the one result.
    OfLargest(f64),
    /// A share of each twin value, and so much more.
    Each { relative: f64, absolute: f64 },
    /// Units in the last place of the twin rounded to single precision.
    Ulps(f64),
    /// The same number.
    Exact,
}

impl Limit {
    fn allowed(self, twin: f64, largest: f64) -> f64 {
        // A device may flush numbers below the smallest normal one to zero.
        let tiny = f64::from(f32::MIN_POSITIVE);
        match self {
            Limit::OfLargest(share) => share * largest + tiny,
            Limit::Each { relative, absolute } => relative * twin.abs() + absolute + tiny,
            Limit::Ulps(count) => count * ulp(twin as f32),
            Limit::Exact => 0.0,
        }
    }
}

/// Distance from a number to the next.
pub fn ulp(value: f32) -> f64 {
    let bits = value.abs().to_bits();
    f64::from(f32::from_bits(bits + 1)) - f64::from(f32::from_bits(bits))
}

/// The worst value of one slot of one case.
pub struct Row {
    case: String,
    slot: String,
    index: usize,
    device: f64,
    twin: f64,
    limit: Limit,
    allowed: f64,
    share: f64,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row {
            case,
            slot,
            index,
            device,
            twin,
            limit,
            allowed,
            share,
        } = self;
        write!(
            f,
            "{case}: `{slot}`[{index}] is {device:.9e} on the device and {twin:.9e} on the twin, \
             {:.2e} apart with {allowed:.2e} allowed by {limit:?} (share {share:.2})",
            (device - twin).abs()
        )
    }
}

/// All comparisons of a test. Nothing fails before `finish`, so that one fault hides no other.
#[derive(Default)]
pub struct Report {
    rows: Vec<Row>,
}

impl Report {
    /// Compares a slot. A value which the twin does not write stays not a number on both sides.
    pub fn floats(&mut self, case: &str, slot: &str, device: &[f64], twin: &[f64], limit: Limit) {
        assert_eq!(device.len(), twin.len(), "{case}: `{slot}`");
        let known = twin.iter().filter(|v| !v.is_nan());
        let largest = known.clone().fold(0.0, |m: f64, v| m.max(v.abs()));
        assert!(
            known.count() > 0,
            "{case}: the twin wrote nothing to `{slot}`"
        );
        let share = |device: f64, twin: f64| {
            let twin = match limit {
                Limit::Ulps(_) => f64::from(twin as f32),
                _ => twin,
            };
            let allowed = limit.allowed(twin, largest);
            match (device.is_nan(), twin.is_nan()) {
                (true, true) => 0.0,
                _ if device == twin => 0.0,
                (false, false) if allowed > 0.0 => (device - twin).abs() / allowed,
                _ => f64::INFINITY,
            }
        };
        let pairs = device.iter().zip(twin).enumerate();
        let worst = pairs
            .map(|(index, (d, t))| (share(*d, *t), index))
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let (share, index) = worst.expect("slots have elements");
        self.rows.push(Row {
            case: case.into(),
            slot: slot.into(),
            index,
            device: device[index],
            twin: twin[index],
            limit,
            allowed: limit.allowed(twin[index], largest),
            share,
        });
    }

    /// Compares a slot of integers, which must be equal.
    pub fn words(&mut self, case: &str, slot: &str, device: &[u32], twin: &[u32]) {
        let floats = |words: &[u32]| words.iter().map(|&w| f64::from(w)).collect::<Vec<_>>();
        self.floats(case, slot, &floats(device), &floats(twin), Limit::Exact);
    }

    /// Fails if a value is beyond its limit, or if fewer than `least` slots were compared.
    pub fn finish(mut self, least: usize) {
        let compared = self.rows.len();
        self.rows.sort_by(|a, b| b.share.total_cmp(&a.share));
        println!("{compared} slots; the nearest to their limits:");
        self.rows.iter().take(5).for_each(|r| println!("  {r}"));
        let bad: Vec<_> = self
            .rows
            .iter()
            .take_while(|r| r.share > 1.0)
            .map(ToString::to_string)
            .collect();
        assert!(
            bad.is_empty(),
            "{} of {compared} slots are off on {}:\n{}",
            bad.len(),
            super::adapter_name(),
            bad.join("\n")
        );
        assert!(compared >= least, "compared only {compared} slots");
    }
}
