//! The demo on the terminal: a table that is drawn anew, or a line an attempt where standard output
//! is no terminal.

use super::board::{Board, Row};
use super::verify::Verdict;
use crate::output::{line, plain};
use std::io::{IsTerminal, Write};

/// Rows of the table.
const ROWS: usize = 16;

/// Where the run is shown.
pub(super) enum View {
    /// A terminal, with the number of lines drawn last.
    Table {
        /// To go back over them.
        drawn: usize,
    },
    /// A pipe or a file.
    Lines,
}

impl View {
    /// The view that suits standard output.
    pub(super) fn of_stdout() -> Self {
        match std::io::stdout().is_terminal() {
            true => View::Table { drawn: 0 },
            false => View::Lines,
        }
    }

    /// Shows an attempt as a line; a table waits for its next drawing.
    pub(super) fn attempt(&self, row: &Row) {
        match self {
            View::Table { .. } => {}
            View::Lines => {
                let [event, contract, endpoint, signature, status, attempts, latency] = cells(row);
                line(&format!(
                    "{event:34} {contract:14} {endpoint:15} {signature:17} {status:3}  \
                     attempt {attempts}  {latency}"
                ));
            }
        }
    }

    /// Draws the table over the one before.
    pub(super) fn draw(&mut self, board: &Board) {
        let View::Table { drawn } = self else { return };
        let picture = picture(board);
        let mut out = std::io::stdout().lock();
        if *drawn > 0 {
            let _ = write!(out, "\x1b[{drawn}A\x1b[J");
        }
        let _ = writeln!(out, "{picture}");
        *drawn = picture.lines().count();
    }

    /// Shows how it ended.
    pub(super) fn conclude(&mut self, board: &Board) {
        match self {
            View::Table { .. } => self.draw(board),
            View::Lines => line(&format!("\n{}", board.tally())),
        }
    }
}

fn picture(board: &Board) -> String {
    let mut table = plain();
    table.set_header([
        "EVENT",
        "CONTRACT",
        "ENDPOINT",
        "SIGNATURE",
        "STATUS",
        "ATTEMPTS",
        "LATENCY",
    ]);
    let rows = board.rows();
    for row in &rows[rows.len().saturating_sub(ROWS)..] {
        table.add_row(cells(row));
    }
    format!("{}\n\n{}", table.trim_fmt(), board.tally())
}

fn cells(row: &Row) -> [String; 7] {
    let signature = match &row.verdict {
        None => "…".to_owned(),
        Some(Verdict::Verified) => "verified".to_owned(),
        Some(Verdict::Unsigned) => "none in contract".to_owned(),
        Some(Verdict::Rejected(reason)) => format!("WRONG: {reason}"),
    };
    let latency = |latency: std::time::Duration| format!("{:.1} ms", latency.as_secs_f64() * 1e3);
    [
        row.kind.clone(),
        row.scene.contract.to_owned(),
        row.scene.endpoint.to_owned(),
        signature,
        row.status.map_or("…".to_owned(), |status| status.to_string()),
        row.attempts.to_string(),
        row.latency.map_or("…".to_owned(), latency),
    ]
}
