//! The `retention` of an environment: how long what it accepts is kept.

use super::json::present;
use angarium_core::refusal::Refusal;
use angarium_core::retention::{Retention, WrittenAge, WrittenRetention};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How long what an environment accepts is kept, counted from the acceptance of each event. What is
/// absent is as by default; null keeps it for ever.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RetentionForm {
    /// Data of events and headers of received ones: 1 hour to 10 years; 30 days by default. What
    /// still waits for its delivery then is given up as `expired`.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, pattern = "^[0-9]{1,12}(ms|s|m|h|d)$", example = "30d")]
    payload: WrittenAge,
    /// Attempts with what receivers answered: 1 hour to 10 years; 30 days by default.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, pattern = "^[0-9]{1,12}(ms|s|m|h|d)$", example = "30d")]
    attempts: WrittenAge,
    /// Everything else of an event: 1 day to 10 years, not shorter than the other two; 90 days by
    /// default.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, pattern = "^[0-9]{1,12}(ms|s|m|h|d)$", example = "90d")]
    metadata: WrittenAge,
    /// Entries of the audit log: 1 day to 10 years; for ever if absent.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, pattern = "^[0-9]{1,12}(ms|s|m|h|d)$", example = "400d")]
    audit: WrittenAge,
}

/// How long what an environment accepts is kept: the ages in force, null where it is for ever.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Retention)]
pub(super) struct RetentionView {
    /// Data of events and headers of received ones.
    #[schema(example = "30d")]
    payload: Option<String>,
    /// Attempts with what receivers answered.
    #[schema(example = "30d")]
    attempts: Option<String>,
    /// Everything else of an event.
    #[schema(example = "90d")]
    metadata: Option<String>,
    /// Entries of the audit log.
    audit: Option<String>,
}

impl RetentionForm {
    /// What is set; nothing if there is no form.
    ///
    /// # Errors
    /// What is wrong with it, by its member below `retention`.
    pub(super) fn settings(form: Option<&Self>) -> Result<Retention, Refusal> {
        let Some(form) = form else { return Ok(Retention::default()) };
        let written = WrittenRetention {
            payload: form.payload.clone(),
            attempts: form.attempts.clone(),
            metadata: form.metadata.clone(),
            audit: form.audit.clone(),
        };
        Retention::try_new(&written).map_err(|refusal| refusal.below("retention"))
    }
}

impl RetentionView {
    /// The ages in force.
    pub(super) fn of(retention: &Retention) -> Self {
        let ages = retention.ages();
        Self {
            payload: ages.payload.written(),
            attempts: ages.attempts.written(),
            metadata: ages.metadata.written(),
            audit: ages.audit.written(),
        }
    }
}
