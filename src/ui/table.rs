//! Tables: columns as wide as their widest cell, two spaces between them.

use super::{Page, Paint, escape};

/// Where a column's text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A column: its heading, and where its text stands.
#[derive(Clone, Copy, Debug)]
pub struct Column(pub &'static str, pub Align);

/// A table that is being filled.
#[derive(Debug)]
pub struct Table {
    columns: &'static [Column],
    rows: Vec<Vec<(Paint, String)>>,
}

impl Table {
    /// A table without rows.
    #[must_use]
    pub fn new(columns: &'static [Column]) -> Self {
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row with one cell a column.
    pub fn push(&mut self, cells: Vec<(Paint, String)>) {
        debug_assert_eq!(cells.len(), self.columns.len(), "a cell for each column");
        self.rows.push(cells.into_iter().map(|(paint, text)| (paint, escape(&text).into_owned())).collect());
    }

    /// Writes the table.
    pub fn render(&self, page: &mut Page) {
        let width = |at: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(at)).map(|(_, text)| text.chars().count());
            cells.chain([self.columns[at].0.len()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let heads: Vec<_> = self.columns.iter().map(|column| (Paint::Dim, column.0.to_owned())).collect();
        for row in [&heads].into_iter().chain(&self.rows) {
            self.render_row(page, &widths, row);
        }
    }

    fn render_row(&self, page: &mut Page, widths: &[usize], row: &[(Paint, String)]) {
        // Nothing is padded behind the last cell that says something.
        let end = row.iter().rposition(|(_, text)| !text.is_empty()).map_or(0, |last| last + 1);
        for (at, (paint, text)) in row.iter().enumerate().take(end) {
            let padding = " ".repeat(widths[at] - text.chars().count());
            let gap = if at == 0 { "" } else { "  " };
            match self.columns[at].1 {
                Align::Right => page.put(Paint::Plain, gap).put(Paint::Plain, &padding).put(*paint, text),
                Align::Left if at + 1 == end => page.put(Paint::Plain, gap).put(*paint, text),
                Align::Left => page.put(Paint::Plain, gap).put(*paint, text).put(Paint::Plain, &padding),
            };
        }
        page.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_have_no_spaces_behind() {
        static COLUMNS: &[Column] =
            &[Column("NAME", Align::Left), Column("SIZE", Align::Right), Column("X", Align::Left)];
        let mut table = Table::new(COLUMNS);
        let cell = |text: &str| (Paint::Plain, text.to_owned());
        table.push(vec![cell("größe"), cell("7"), cell("")]);
        table.push(vec![cell("a\nb"), cell("12345"), cell("y")]);
        let mut page = Page::new(false, 0);
        table.render(&mut page);
        assert_eq!(page.finish(), "NAME    SIZE  X\ngröße      7\na\\nb   12345  y\n");
    }
}
