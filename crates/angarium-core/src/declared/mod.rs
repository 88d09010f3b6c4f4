//! Declarative files: TOML in which every key is known.
//!
//! A file is read once. Everything that is wrong with it is told at once, each mistake with its
//! line, the reason and the cure; nothing in it is ignored.

mod braces;
mod fault;
mod kind;
mod mistake;
mod toml_value;
mod tree;
mod values;

pub use mistake::{Mistake, Mistakes};

pub(crate) use braces::{Piece, split, split_word, unknown_placeholder};
pub(crate) use fault::{Fault, known, not_visible, quoted};
pub(crate) use kind::Kind;
pub(crate) use mistake::{Read, each, together};
pub(crate) use toml_value::place;
pub(crate) use tree::{Item, Section, Source, Spot};
pub(crate) use values::{
    one_of, parsed, read_choices, read_count, read_range, read_share, read_span, read_unlike,
};
