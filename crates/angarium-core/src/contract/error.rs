//! What is wrong with a contract file, where, and how it is cured.
//!
//! A reader hands back everything that it found: [`together`] and [`each`] read things that do not
//! depend on each other, and gather the mistakes of all. A mistake that only follows from another
//! one is not told.

use super::Contract;
use super::source::place;
use std::fmt;

/// What a reader makes of a part of the file, or everything that is wrong with it.
pub(super) type Read<T> = Result<T, ContractMistakes>;

/// One mistake. It prints as `contracts/x.toml:12:3: reason; cure`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContractError {
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
    pub(super) about: About,
}

/// Which key a mistake is about, as its whole path; so that one misspelling is not told twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum About {
    /// A value.
    Value,
    /// This key is missing.
    Missing(String),
    /// An unknown key stands where probably this one was meant.
    Meant(String),
}

impl ContractError {
    /// A mistake that shows only beside other contracts, at a path of the file.
    pub fn at(
        contract: &Contract,
        path: &[&str],
        reason: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        let (line, column) = place(&contract.text, path);
        let (reason, cure) = (reason.into(), Some(cure.into()));
        let file = contract.file.to_string();
        Self { file, line, column, reason, cure, about: About::Value }
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

impl fmt::Display for ContractError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.reason)?;
        match &self.cure {
            Some(cure) => write!(f, "; {cure}"),
            None => Ok(()),
        }
    }
}

/// Everything that is wrong with a contract file, one mistake or more, in the order of its lines.
/// Each prints on a line of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContractMistakes(Vec<ContractError>);

impl std::error::Error for ContractMistakes {}

impl From<ContractError> for ContractMistakes {
    fn from(mistake: ContractError) -> Self {
        Self(vec![mistake])
    }
}

impl fmt::Display for ContractMistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, mistake) in self.0.iter().enumerate() {
            let end = if number == 0 { "" } else { "\n" };
            write!(f, "{end}{mistake}")?;
        }
        Ok(())
    }
}

impl ContractMistakes {
    /// Each mistake, the first line first.
    pub fn iter(&self) -> impl Iterator<Item = &ContractError> {
        self.0.iter()
    }

    /// Puts the mistakes in the order of the file, without those that only follow from another: a
    /// key is not missing where it is misspelt, and a shape that is used twice is wrong once.
    pub(super) fn settled(mut self) -> Self {
        let about = |mistake: &ContractError| mistake.about.clone();
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
pub(super) fn together<T: Together>(readings: T) -> Read<T::All> {
    readings.together()
}

/// A tuple of readings.
pub(super) trait Together {
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
                let mut note = |wrong: ContractMistakes| mistakes.extend(wrong.0);
                let $first = $first.map_err(&mut note).ok();
                $(let $name = $name.map_err(&mut note).ok();)*
                match ($first, $($name,)*) {
                    (Some($first), $(Some($name),)*) => Ok(($first, $($name,)*)),
                    _ => Err(ContractMistakes(mistakes)),
                }
            }
        }
        tuples!($($name)*);
    };
    () => {};
}

tuples!(A B C D E F G H I J K L);

/// Gathers readings of the same kind: all of them, or the mistakes of all.
pub(super) fn each<T>(readings: impl IntoIterator<Item = Read<T>>) -> Read<Vec<T>> {
    let (mut all, mut mistakes) = (Vec::new(), Vec::new());
    for reading in readings {
        match reading {
            Ok(value) => all.push(value),
            Err(wrong) => mistakes.extend(wrong.0),
        }
    }
    if mistakes.is_empty() { Ok(all) } else { Err(ContractMistakes(mistakes)) }
}
