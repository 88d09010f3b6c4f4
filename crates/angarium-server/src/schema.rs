//! JSON Schema of event data: how one is compiled, and what it says of data and of contracts.

use angarium_core::contract::{Contract, ContractWarning, EventDescription, Weakness};
use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

/// Compiles a schema. References can fetch nothing, and patterns run in linear time
/// (reliability-security.md, P8 and R44).
///
/// # Errors
/// What is no JSON Schema about it.
pub(crate) fn compile(schema: &Value) -> Result<Validator, String> {
    let options = jsonschema::options().with_pattern_options(PatternOptions::regex());
    options.build(schema).map_err(|error| error.to_string())
}

/// What is wrong with data. The place is named and the value is not: data does not belong into logs
/// and answers.
pub(crate) fn violation(validator: &Validator, data: &[u8]) -> Option<String> {
    let value = match serde_json::from_slice(data) {
        Ok(value) => value,
        Err(error) => return Some(error.to_string()),
    };
    let error = validator.validate(&value).err()?;
    let place = error.instance_path().to_string();
    Some(format!("data{place}: {}", error.masked()))
}

/// The schemas of a contract that are none, and the examples that their schemas refuse.
pub fn warnings(contract: &Contract) -> Vec<ContractWarning> {
    let warning = |event: &EventDescription| {
        let name = event.name.as_str();
        let (weakness, key, reason) = match compile(event.schema.as_ref()?) {
            Err(reason) => (Weakness::NotASchema, "schema", reason),
            Ok(schema) => {
                let reason = violation(&schema, event.example.as_bytes())?;
                (Weakness::ExampleBreaksSchema, "example", reason)
            }
        };
        Some(contract.warning(weakness, &["events", name, key], format!("`{name}`: {reason}")))
    };
    contract.events().iter().filter_map(warning).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use angarium_core::contract::ContractLibrary;
    use angarium_core::limits::Limits;

    #[test]
    fn an_example_that_its_schema_refuses_is_told_and_the_built_in_ones_fit() {
        let limits = Limits::default();
        let library = ContractLibrary::built_in(&limits).expect("built-in contracts");
        for contract in library.iter() {
            assert_eq!(warnings(contract), [], "{}", contract.name());
        }
        let sound = library.get("aleta").expect("a contract").text();
        for (from, to, weakness) in [
            ("current_value = 0.27", "current_value = \"x\"", Weakness::ExampleBreaksSchema),
            ("type = \"object\"", "type = \"objekt\"", Weakness::NotASchema),
        ] {
            assert!(sound.contains(from), "{from}");
            let contract = Contract::parse("x.toml", &sound.replacen(from, to, 1), &limits);
            let told = warnings(&contract.expect(to));
            assert_eq!(told.first().map(|warning| warning.weakness), Some(weakness), "{told:?}");
            assert!(told[0].line > 1);
        }
    }
}
