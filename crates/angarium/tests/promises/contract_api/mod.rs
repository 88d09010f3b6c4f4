//! The calls that platforms have published for their customers, under `/e/{environment}` and at an
//! environment's hosts: each answers as its page prints it, and nobody sees another's.

mod addresses;
mod guards;
mod operations;
mod stage;
mod visibility;
