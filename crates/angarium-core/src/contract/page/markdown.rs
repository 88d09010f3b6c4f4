//! Writes Markdown. What a contract says goes through [`plain`] or [`code`], so that no text of
//! it can become markup.

use std::fmt::Write;

/// A page that is being written.
#[derive(Debug, Default)]
pub(super) struct Markdown {
    text: String,
    /// How many levels the headings are moved down, for a page of several contracts.
    depth: usize,
}

impl Markdown {
    /// Moves the headings that follow.
    pub(super) fn set_depth(&mut self, depth: usize) {
        self.depth = depth;
    }

    /// A heading; 1 is the highest level.
    pub(super) fn heading(&mut self, level: usize, text: &str) {
        let marks = "#".repeat((level + self.depth).min(6));
        self.block(&format!("{marks} {text}"));
    }

    /// A paragraph.
    pub(super) fn say(&mut self, text: &str) {
        self.block(text);
    }

    /// A list; nothing where there are no items.
    pub(super) fn list(&mut self, items: impl IntoIterator<Item = String>) {
        let items: Vec<_> = items.into_iter().map(|item| format!("- {item}")).collect();
        self.block(&items.join("\n"));
    }

    /// A numbered list.
    pub(super) fn steps(&mut self, items: impl IntoIterator<Item = String>) {
        let items = items.into_iter().enumerate();
        let items: Vec<_> = items.map(|(i, item)| format!("{}. {item}", i + 1)).collect();
        self.block(&items.join("\n"));
    }

    /// A table; nothing where there are no rows.
    pub(super) fn table<const N: usize>(
        &mut self,
        head: [&str; N],
        rows: impl IntoIterator<Item = [String; N]>,
    ) {
        let row = |cells: [String; N]| {
            let cells = cells.map(|cell| cell.replace('|', "\\|"));
            format!("| {} |", cells.join(" | "))
        };
        let mut lines: Vec<_> = rows.into_iter().map(row).collect();
        if lines.is_empty() {
            return;
        }
        lines.insert(0, row(head.map(str::to_owned)));
        lines.insert(1, format!("|{}", "---|".repeat(N)));
        self.block(&lines.join("\n"));
    }

    /// A block of code. `language` may be followed by its name for people.
    pub(super) fn code(&mut self, language: &str, code: &str) {
        let longest = code.lines().map(|line| run_length(line.trim_start())).max().unwrap_or(0);
        let fence = "`".repeat(3.max(longest + 1));
        self.block(&format!("{fence}{language}\n{}\n{fence}", code.trim_end_matches('\n')));
    }

    /// The page.
    pub(super) fn finish(mut self) -> String {
        self.text.push('\n');
        self.text
    }

    fn block(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if !self.text.is_empty() {
            self.text.push_str("\n\n");
        }
        self.text.push_str(text);
    }
}

fn run_length(line: &str) -> usize {
    line.bytes().take_while(|byte| *byte == b'`').count()
}

/// Text of a contract as text of the page: on one line, and none of it markup. A pipe becomes an
/// entity because a table splits its cells before it reads anything else.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let words: Vec<_> = text.split_whitespace().collect();
    for c in words.join(" ").chars() {
        match c {
            '|' => out.push_str("&#124;"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '~' | '!' => {
                write!(out, "\\{c}").expect("writing to a String cannot fail");
            }
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    escape_start(out)
}

/// At the start of a line a few more characters would be markup: `1.`, `-`, `+`, `=`.
fn escape_start(text: String) -> String {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    match text.as_bytes().get(digits) {
        Some(b'.' | b')') if digits > 0 => format!("{}\\{}", &text[..digits], &text[digits..]),
        Some(b'-' | b'+' | b'=') if digits == 0 => format!("\\{text}"),
        Some(_) | None => text,
    }
}

/// Text of a contract as code inside a line.
pub(super) fn code(text: &str) -> String {
    let one_line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if one_line.trim().is_empty() {
        return String::new();
    }
    let longest = one_line.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    if longest == 0 {
        return format!("`{one_line}`");
    }
    let fence = "`".repeat(longest + 1);
    format!("{fence} {one_line} {fence}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_contract_is_never_markup() {
        let rows = [
            ("<b>x</b> & y", "&lt;b&gt;x&lt;/b&gt; &amp; y"),
            ("a | b", "a &#124; b"),
            ("[x](javascript:y) ![z](w)", "\\[x\\](javascript:y) \\!\\[z\\](w)"),
            ("# no\n\n## heading", "\\# no \\#\\# heading"),
            ("1. no list", "1\\. no list"),
            ("- no list", "\\- no list"),
            ("snake_case `code` *bold*", "snake\\_case \\`code\\` \\*bold\\*"),
        ];
        for (text, expected) in rows {
            assert_eq!(plain(text), expected);
        }
    }

    #[test]
    fn code_keeps_its_backticks_inside() {
        assert_eq!(code("a_b"), "`a_b`");
        assert_eq!(code("a`b"), "`` a`b ``");
        assert_eq!(code("a\n``b"), "``` a ``b ```");
        let mut page = Markdown::default();
        page.code("text", "x\n```\ny");
        assert_eq!(page.finish(), "````text\nx\n```\ny\n````\n");
    }

    #[test]
    fn a_pipe_in_code_does_not_split_a_cell() {
        let mut page = Markdown::default();
        page.table(["a"], [[code("x|y")]]);
        assert_eq!(page.finish(), "| a |\n|---|\n| `x\\|y` |\n");
    }
}
