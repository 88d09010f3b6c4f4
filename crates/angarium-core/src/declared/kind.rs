//! The kinds of files, and what to write where something is missing.

/// A kind of file.
#[derive(Debug)]
pub(crate) struct Kind {
    /// What such a file is called: "a contract".
    pub(crate) name: &'static str,
    /// Where a key stands, its name, and a line that may be written for it. A place is the
    /// beginning of a section's path; the longest that fits is taken.
    pub(crate) lines: &'static [(&'static str, &'static str, &'static str)],
}

impl Kind {
    /// The line for a key of a section.
    pub(super) fn line(&self, section: &str, key: &str) -> Option<&'static str> {
        let fits = |(place, name, _): &&(&str, &str, &str)| {
            *name == key && section.starts_with(place) && (place.is_empty() == section.is_empty())
        };
        let lines = self.lines.iter().filter(fits);
        lines.max_by_key(|(place, ..)| place.len()).map(|(.., line)| *line)
    }
}
