//! An event type with its schema: compiled once, and nothing is fetched for it.

use crate::schema::{compile, violation};
use angarium_core::account::{EventTypeConfig, Validation};
use angarium_core::refusal::{Code, Refusal};

/// An event type of an environment, its schema compiled.
#[derive(Debug)]
pub struct EventTypeEntry {
    /// As it was put.
    pub config: EventTypeConfig,
    /// The schema, where data is held against it.
    validator: Option<jsonschema::Validator>,
}

impl EventTypeEntry {
    /// Compiles the schema.
    ///
    /// # Errors
    /// `invalid_schema`.
    pub fn try_new(config: EventTypeConfig) -> Result<Self, Refusal> {
        let compile =
            |schema| compile(schema).map_err(|e| Refusal::field(Code::InvalidSchema, "schema", e));
        let validator = config.schema.as_ref().map(compile).transpose()?;
        Ok(Self { config, validator })
    }

    /// One that was stored; its schema is left out, and this logged, if it no longer compiles.
    pub(super) fn stored(config: EventTypeConfig) -> Self {
        Self::try_new(config.clone()).unwrap_or_else(|refusal| {
            tracing::error!(event_type = config.name, %refusal, "a stored schema does not compile");
            Self { config, validator: None }
        })
    }

    /// What is wrong with data; nothing where it is not held against a schema.
    pub fn violation(&self, data: &[u8]) -> Option<String> {
        let validator = match self.config.validate {
            Validation::Off => return None,
            Validation::Warn | Validation::Reject => self.validator.as_ref()?,
        };
        violation(validator, data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use angarium_core::time::Timestamp;
    use serde_json::json;

    const NOW: Timestamp = Timestamp::from_millis(1_776_686_400_000);

    #[test]
    fn a_schema_is_applied_as_its_type_says_and_never_quotes_the_data() {
        let entry = |validate| {
            EventTypeEntry::try_new(EventTypeConfig {
                name: "a.b".into(),
                description: String::new(),
                schema: Some(json!({"properties": {"n": {"type": "integer"}}})),
                example: None,
                validate,
                updated_at: NOW,
            })
            .expect("a schema")
        };
        let bad = br#"{"n":"secret"}"#;
        assert_eq!(entry(Validation::Off).violation(bad), None);
        let said = entry(Validation::Reject).violation(bad).expect("a violation");
        assert!(said.starts_with("data/n:") && !said.contains("secret"), "{said}");
        assert_eq!(entry(Validation::Warn).violation(br#"{"n":1}"#), None);
    }

    #[test]
    fn a_schema_that_refers_to_the_network_or_a_file_is_refused_without_fetching() {
        for reference in ["http://127.0.0.1:1/s.json", "file:///etc/passwd"] {
            let config = EventTypeConfig {
                name: "a.b".into(),
                description: String::new(),
                schema: Some(json!({"$ref": reference})),
                example: None,
                validate: Validation::Reject,
                updated_at: NOW,
            };
            let refusal = EventTypeEntry::try_new(config).expect_err(reference);
            assert_eq!(refusal.code, Code::InvalidSchema);
        }
    }
}
