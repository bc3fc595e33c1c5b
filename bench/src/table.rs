//! Tables of figures, one column for each thing that was measured.

use comfy_table::{Cell, CellAlignment, Table, presets};

/// A figure's name, and how it is read and written.
pub(crate) type Row<T> = (&'static str, fn(&T) -> String);

/// A table of `rows` about `columns`, in Markdown. `subject` is above the names of the figures, `head` above a column.
pub(crate) fn markdown<T>(subject: &str, columns: &[T], head: fn(&T) -> String, rows: &[Row<T>]) -> Table {
    let number = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(std::iter::once(Cell::new(subject)).chain(columns.iter().map(|column| number(head(column)))));
    for (name, figure) in rows {
        table.add_row(std::iter::once(Cell::new(name)).chain(columns.iter().map(|column| number(figure(column)))));
    }
    table
}

pub(crate) fn whole(number: f64) -> String {
    format!("{number:.0}")
}

pub(crate) fn tenths(number: f64) -> String {
    format!("{number:.1}")
}

/// Memory in MiB.
#[allow(clippy::cast_precision_loss, reason = "memory is far below 2^52 KiB")]
pub(crate) fn mib(kib: u64) -> String {
    tenths(kib as f64 / 1024.0)
}
