//! The `retention` of an environment: how long what it accepts is kept.

use angarium_core::refusal::Refusal;
use angarium_core::retention::{Part, Retention, WrittenRetention};
use angarium_core::time::print_span;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How long what an environment accepts is kept, counted from the acceptance of each event. What is
/// absent is as by default.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RetentionForm {
    /// Data of events and headers of received ones: 1 hour to 10 years; 30 days by default. What
    /// still waits for its delivery then is given up as `expired`.
    #[schema(pattern = "^[0-9]{1,12}(ms|s|m|h|d)$", example = "30d")]
    payload: Option<String>,
    /// Attempts with what receivers answered: 1 hour to 10 years; 30 days by default.
    #[schema(pattern = "^[0-9]{1,12}(ms|s|m|h|d)$", example = "30d")]
    attempts: Option<String>,
    /// Everything else of an event: 1 day to 10 years, not shorter than the other two; 90 days by
    /// default.
    #[schema(pattern = "^[0-9]{1,12}(ms|s|m|h|d)$", example = "90d")]
    metadata: Option<String>,
    /// Entries of the audit log: 1 day to 10 years; for ever if absent.
    #[schema(pattern = "^[0-9]{1,12}(ms|s|m|h|d)$", example = "400d")]
    audit: Option<String>,
}

/// How long what an environment accepts is kept: the ages in force.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Retention)]
pub(super) struct RetentionView {
    /// Data of events and headers of received ones.
    #[schema(example = "30d")]
    payload: String,
    /// Attempts with what receivers answered.
    #[schema(example = "30d")]
    attempts: String,
    /// Everything else of an event.
    #[schema(example = "90d")]
    metadata: String,
    /// Entries of the audit log; null where they are kept for ever.
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
            payload: print_span(ages.of(Part::Payload)),
            attempts: print_span(ages.of(Part::Attempts)),
            metadata: print_span(ages.of(Part::Metadata)),
            audit: ages.audit.map(print_span),
        }
    }
}
