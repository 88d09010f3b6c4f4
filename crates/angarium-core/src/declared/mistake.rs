//! What is wrong with a file, where, and how it is cured.
//!
//! A reader hands back everything that it found: [`together`] and [`each`] read things that do not
//! depend on each other, and gather the mistakes of all. A mistake that only follows from another
//! one is not told.

use super::toml_value::place;
use std::fmt;

/// What a reader makes of a part of the file, or everything that is wrong with it.
pub(crate) type Read<T> = Result<T, Mistakes>;

/// One mistake. It prints as `contracts/x.toml:12:3: reason; cure`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The file, as its reader named it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong and what is allowed.
    pub reason: String,
    /// What to write instead, where that can be said.
    pub cure: Option<String>,
    /// Which key is missing here, or was meant here.
    pub(crate) about: About,
}

/// Which key a mistake is about, as its whole path; so that one misspelling is not told twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum About {
    /// A value.
    Value,
    /// This key is missing.
    Missing(String),
    /// An unknown key stands where probably this one was meant.
    Meant(String),
}

impl Mistake {
    /// A mistake that shows only beside other files, at a path of this one.
    pub(crate) fn at(
        file: &str,
        text: &str,
        path: &[&str],
        reason: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        let (line, column) = place(text, path);
        let (reason, cure) = (reason.into(), Some(cure.into()));
        Self { file: file.to_owned(), line, column, reason, cure, about: About::Value }
    }

    /// Whether the same is wrong at the same place, whatever would be allowed there: a shape that
    /// is used twice may be filled from different facts.
    fn says_as(&self, other: &Self) -> bool {
        (self.line, self.column, self.wrong()) == (other.line, other.column, other.wrong())
    }

    /// The reason without what would be allowed.
    fn wrong(&self) -> &str {
        self.reason.split_once(';').map_or(&self.reason, |(wrong, _)| wrong)
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.reason)?;
        match &self.cure {
            Some(cure) => write!(f, "; {cure}"),
            None => Ok(()),
        }
    }
}

/// Everything that is wrong with a file, one mistake or more, in the order of its lines.
/// Each prints on a line of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes(Vec<Mistake>);

impl std::error::Error for Mistakes {}

impl From<Mistake> for Mistakes {
    fn from(mistake: Mistake) -> Self {
        Self(vec![mistake])
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, mistake) in self.0.iter().enumerate() {
            let end = if number == 0 { "" } else { "\n" };
            write!(f, "{end}{mistake}")?;
        }
        Ok(())
    }
}

impl Mistakes {
    /// Each mistake, the first line first.
    pub fn iter(&self) -> impl Iterator<Item = &Mistake> {
        self.0.iter()
    }

    /// Puts the mistakes in the order of the file, without those that only follow from another: a
    /// key is not missing where it is misspelt, and a shape that is used twice is wrong once.
    pub(crate) fn settled(mut self) -> Self {
        let about = |mistake: &Mistake| mistake.about.clone();
        let meant: Vec<About> = self.0.iter().map(about).collect();
        self.0.retain(|mistake| match &mistake.about {
            About::Missing(key) => !meant.contains(&About::Meant(key.clone())),
            About::Value | About::Meant(_) => true,
        });
        self.0.sort_by_key(|mistake| (mistake.line, mistake.column));
        self.0.dedup_by(|again, told| again.says_as(told));
        self
    }
}

/// Gathers readings that do not depend on each other: all of them, or the mistakes of all.
pub(crate) fn together<T: Together>(readings: T) -> Read<T::All> {
    readings.together()
}

/// A tuple of readings.
pub(crate) trait Together {
    /// What they read.
    type All;
    /// See the function of this name.
    fn together(self) -> Read<Self::All>;
}

macro_rules! tuples {
    ($first:ident $($name:ident)*) => {
        impl<$first, $($name),*> Together for (Read<$first>, $(Read<$name>,)*) {
            type All = ($first, $($name,)*);

            #[expect(non_snake_case, reason = "a type's name is its value's, too")]
            fn together(self) -> Read<Self::All> {
                let ($first, $($name,)*) = self;
                let mut mistakes = Vec::new();
                let mut note = |wrong: Mistakes| mistakes.extend(wrong.0);
                let $first = $first.map_err(&mut note).ok();
                $(let $name = $name.map_err(&mut note).ok();)*
                match ($first, $($name,)*) {
                    (Some($first), $(Some($name),)*) => Ok(($first, $($name,)*)),
                    _ => Err(Mistakes(mistakes)),
                }
            }
        }
        tuples!($($name)*);
    };
    () => {};
}

tuples!(A B C D E F G H I J K L);

/// Gathers readings of the same kind: all of them, or the mistakes of all.
pub(crate) fn each<T>(readings: impl IntoIterator<Item = Read<T>>) -> Read<Vec<T>> {
    let (mut all, mut mistakes) = (Vec::new(), Vec::new());
    for reading in readings {
        match reading {
            Ok(value) => all.push(value),
            Err(wrong) => mistakes.extend(wrong.0),
        }
    }
    if mistakes.is_empty() { Ok(all) } else { Err(Mistakes(mistakes)) }
}
