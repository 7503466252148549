//! Tables on the terminal: one header, rows of text, columns that line up.
//!
//! Never colours, and wraps only to the width of a terminal: a log or a file gets whole lines.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// Lays `rows` out under `header`; the columns named in `numeric` are aligned to the right.
pub(crate) fn render(header: &[&str], rows: &[Vec<String>], numeric: &[usize]) -> String {
    let mut table = Table::new();
    table
        .load_preset(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header.to_vec());
    for row in rows {
        table.add_row(row.clone());
    }
    for &index in numeric {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_line_up_on_the_right() {
        let rows = [vec!["saxpy".into(), "8".into()], vec!["sum".into(), "128".into()]];
        let text = render(&["kernel", "registers"], &rows, &[1]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[1].ends_with(" 8") && lines[2].ends_with(" 128"), "{text}");
        assert_eq!(lines[1].len(), lines[2].len(), "{text}");
    }
}
