//! `angarium config`.

use crate::config::{Loaded, Settings, explain};
use crate::output::{line, plain};
use serde_json::{Map, Value, json};

/// What is shown.
#[derive(Debug, clap::Args)]
pub(crate) struct Show {
    #[command(flatten)]
    settings: Settings,
    /// Prints every key with default, unit, environment variable and reason, as a file to start
    /// from.
    #[arg(long)]
    explain: bool,
    /// Prints the values in force as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// None today.
pub(crate) fn run(loaded: &Loaded, show: &Show) -> anyhow::Result<()> {
    if show.explain {
        line(explain().trim_end());
    } else if show.json {
        line(&serde_json::to_string_pretty(&as_json(loaded))?);
    } else {
        let mut table = plain();
        table.set_header(["KEY", "VALUE", "ORIGIN"]);
        for (key, value, origin) in &loaded.origins {
            table.add_row([key.clone(), value.clone(), origin.to_string()]);
        }
        line(&table.trim_fmt());
    }
    Ok(())
}

fn as_json(loaded: &Loaded) -> Value {
    let entries = loaded.origins.iter().map(|(key, value, origin)| {
        let entry = json!({"value": value, "origin": origin.to_string()});
        (key.clone(), entry)
    });
    Value::Object(entries.collect::<Map<_, _>>())
}
