//! Sums over rows in a fixed order.

use super::operation::{Operation, Operations};
use super::target::Target;
use super::wgsl::files;
use crate::plan::tensors::Tensors;
use crate::plan::{Plan, Role, SlotId, Source, Step, groups};

pub(super) static SOURCE: Source = Source::new("reduce", files!("common/sum", "reduce")).light();

/// Which invocations add the rows of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// One invocation per column or quad of columns.
    One,
    /// A workgroup per few columns.
    Workgroup,
}

/// Workgroup size, as in `shaders/common.wgsl`.
const GROUP_SIZE: usize = 128;

/// The sum of all rows of x. Slots may have any shape with that many elements.
#[derive(Clone, Debug)]
pub struct SumRows {
    /// Label of the step.
    pub label: String,
    /// `[rows, columns]`
    pub x: SlotId,
    /// Rows of x.
    pub rows: usize,
    /// `[columns]`
    pub y: SlotId,
}

/// Sums over contiguous ranges of the rows of x.
#[derive(Clone, Debug)]
pub struct ColumnSums {
    /// Label of the step.
    pub label: String,
    /// `[rows, columns]`
    pub x: SlotId,
    /// Rows of x.
    pub rows: usize,
    /// Number of ranges.
    pub ranges: usize,
    /// Which invocations add.
    pub by: By,
    /// `[ranges, columns]`
    pub y: SlotId,
}

/// The sum of all values of x.
#[derive(Clone, Debug)]
pub struct Total {
    /// Label of the step.
    pub label: String,
    /// `[rows, 4]`
    pub x: SlotId,
    /// Rows of x.
    pub rows: usize,
    /// `[1]`
    pub y: SlotId,
}

impl Operation for SumRows {
    /// One invocation adds few rows, a workgroup adds more. If a workgroup needs too many rounds of
    /// loads, several workgroups add ranges and a second operation adds their sums.
    fn expand(&self, plan: &mut Plan, target: &Target) -> Option<Operations> {
        let &SumRows { x, rows, y, .. } = self;
        let label = self.label.clone();
        let own = target.heuristics;
        let sums = |label, x, rows, ranges, by, y| -> Box<dyn Operation> {
            Box::new(ColumnSums {
                label,
                x,
                rows,
                ranges,
                by,
                y,
            })
        };
        if rows <= own.serial_rows {
            return Some(vec![sums(label, x, rows, 1, By::One, y)]);
        }
        let columns = plan[x].len() / rows;
        // With one column, four rows form a quad; the sum of the four columns is one more addition.
        let is_total = columns == 1 && rows.is_multiple_of(4);
        let (rows, at_once) = match is_total {
            true => (rows / 4, GROUP_SIZE),
            false => (rows, GROUP_SIZE / span(target, columns)),
        };
        let last = |label, x, rows| match is_total {
            true => Box::new(Total { label, x, rows, y }),
            false => sums(label, x, rows, 1, By::Workgroup, y),
        };
        if rows <= own.sum_rounds.saturating_mul(at_once) {
            return Some(vec![last(label, x, rows)]);
        }
        // About as many ranges as rows per range, so that both operations are short.
        let ranges = rows.isqrt().min(1024);
        let name = format!("{}.partials", plan[y].name);
        let columns = plan[x].len() / rows;
        let partials = plan.slot(name, &[ranges, columns], Role::Activation);
        let first = format!("{label} (ranges)");
        Some(vec![
            sums(first, x, rows, ranges, By::Workgroup, partials),
            last(label, partials, ranges),
        ])
    }
}

/// Columns, or quads of columns, per workgroup.
fn span(target: &Target, columns: usize) -> usize {
    let count = if columns.is_multiple_of(4) {
        columns / 4
    } else {
        columns
    };
    let most = target.heuristics.sum_columns;
    let spans = [8, 4, 2, 1].into_iter();
    let mut spans = spans.filter(|&s| s <= most && count.is_multiple_of(s));
    spans.next().unwrap_or(1)
}

impl Operation for ColumnSums {
    fn lower(&self, plan: &mut Plan, target: &Target) {
        let &ColumnSums {
            rows, ranges, by, ..
        } = self;
        let columns = plan[self.x].len() / rows;
        let quads = columns.is_multiple_of(4);
        let ((from, to), entry) = match (by, quads) {
            (By::Workgroup, true) if target.heuristics.texels => {
                (("texels", "y4"), "column_sums_texels_deep")
            }
            (By::Workgroup, true) => (("x4", "y4"), "column_sums4_deep"),
            (By::Workgroup, false) => (("x", "y"), "column_sums_deep"),
            (By::One, true) => (("x4", "y4"), "column_sums4"),
            (By::One, false) => (("x", "y"), "column_sums"),
        };
        let count = if quads { columns / 4 } else { columns };
        let span = match by {
            By::Workgroup => span(target, columns),
            By::One => 64,
        };
        let x = if from == "texels" {
            plan.mirror(self.x)
        } else {
            self.x
        };
        let twin = move |t: &Tensors| {
            let x = t.floats(from);
            let mut y = t.floats_mut(to);
            y.fill(0.0);
            let size = rows.div_ceil(ranges);
            for (r, row) in x.chunks(columns).take(rows).enumerate() {
                let sum = &mut y[r / size * columns..][..columns];
                sum.iter_mut().zip(row).for_each(|(s, v)| *s += v);
            }
        };
        let constants = [
            ("ROWS", rows as f64),
            ("COLUMNS", columns as f64),
            ("RANGES", ranges as f64),
            ("SPAN", span as f64),
        ];
        plan.push(Step {
            label: self.label.clone(),
            kernel: SOURCE.kernel(entry, constants, twin),
            bindings: vec![(from, x), (to, self.y)],
            grid: [groups(count, span), groups(ranges, 1), 1],
            flops: (rows * columns) as u64,
        });
    }
}

impl Operation for Total {
    fn lower(&self, plan: &mut Plan, _: &Target) {
        let twin = |t: &Tensors| t.floats_mut("y")[0] = t.floats("x4").iter().sum();
        let constants = [
            ("ROWS", self.rows as f64),
            ("COLUMNS", 4.0),
            ("RANGES", 1.0),
            ("SPAN", 1.0),
        ];
        plan.push(Step {
            label: self.label.clone(),
            kernel: SOURCE.kernel("total_deep", constants, twin),
            bindings: vec![("x4", self.x), ("y", self.y)],
            grid: [1; 3],
            flops: 4 * self.rows as u64,
        });
    }
}
