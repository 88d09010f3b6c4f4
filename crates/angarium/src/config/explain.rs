//! The reference of the configuration, printed as the file that it describes: every key with its
//! default, unit, environment variable and reason.

use super::Settings;
use angarium_core::limits::{LimitRow, Limits};
use clap::{Arg, ArgAction, Args, Command};
use std::fmt::Write;

const HEAD: &str = "\
# Angarium's configuration: every key with its default.
# Precedence: flag, environment variable, this file, default.
# Secrets stand in the environment only: ANGARIUM_MASTER_KEY (32 bytes, base64),
# ANGARIUM_NEXT_MASTER_KEY (the one that a rotation puts in its place),
# ANGARIUM_ADMIN_KEY (the instance's admin key, 32 characters or more; without it the first start
# makes one).
";

/// The whole reference, itself a configuration file that sets every default.
pub(crate) fn explain() -> String {
    let mut page = HEAD.to_owned();
    let command = Settings::augment_args(Command::new("angarium"));
    for arg in command.get_arguments() {
        let name = arg.get_long().unwrap_or_default();
        if name != "config" && name != "limit" {
            page.push_str(&key(arg, name));
        }
    }
    page.push_str("\n[limits]\n");
    for row in Limits::default().rows() {
        page.push_str(&limit(&row));
    }
    page
}

fn key(arg: &Arg, name: &str) -> String {
    let reason = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let unit = arg.get_value_names().and_then(|names| names.first());
    let unit = unit.map_or("TEXT", |unit| unit.as_str());
    let variable = arg.get_env().unwrap_or_default().display();
    let default = arg.get_default_values().first();
    let setting = match (default, arg.get_action()) {
        (Some(value), _) if unit == "BOOL" => format!("{name} = {}", value.display()),
        (Some(value), _) => format!("{name} = \"{}\"", value.display()),
        (None, ArgAction::Append) => format!("{name} = []"),
        (None, _) => format!("# {name} = \"{unit}\""),
    };
    format!("\n# {reason}.\n# {unit}; --{name}; {variable}\n{setting}\n")
}

fn limit(row: &LimitRow) -> String {
    let mut text = format!("# {}\n# {}", row.reason, row.unit);
    if let Some(code) = row.code {
        let _ = write!(text, "; refused with {}", code.as_str());
    }
    let _ = writeln!(text, "; --limit {}=…\n{} = {}\n", row.name, row.name, row.value);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Loaded;

    #[test]
    fn the_reference_is_itself_a_configuration_file_that_sets_the_defaults() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), explain()).expect("it can be written");
        let load = |arguments: &[String]| {
            let command = Settings::augment_args(Command::new("x").no_binary_name(true));
            let matches = command.try_get_matches_from(arguments).expect("right");
            Loaded::new(&matches).expect("the reference is a right file")
        };
        let explained = load(&[format!("--config={}", file.path().display())]);
        let default = load(&[]);
        // It follows the cores only where it is not set.
        let tenant_commit_rate = Limits::default().tenant_commit_rate;
        let unset = Limits { tenant_commit_rate, ..default.settings.limits(usize::MAX) };
        assert_eq!(explained.settings.limits(usize::MAX), unset);
        assert_eq!(explained.settings.listen, default.settings.listen);
        assert_eq!(explained.settings.grace, default.settings.grace);
    }

    #[test]
    fn every_key_has_a_reason_a_unit_and_an_environment_variable() {
        let command = Settings::augment_args(Command::new("angarium"));
        for arg in command.get_arguments() {
            let id = arg.get_id().as_str();
            assert!(arg.get_help().is_some(), "{id}");
            assert!(arg.get_value_names().is_some(), "{id}");
            let variable = format!("ANGARIUM_{}", id.to_uppercase());
            assert_eq!(arg.get_env(), Some(std::ffi::OsStr::new(&variable)));
        }
    }
}
