//! Refusals as RFC 9457: the one place that turns "no" into an answer.

use angarium_core::refusal::{Code, Refusal};
use angarium_store::StoreError;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

/// The media type of problems.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Why a call was refused (RFC 9457). Programs match on `code`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// Names the kind of problem; the last part is the code.
    #[serde(rename = "type")]
    #[schema(example = "urn:angarium:problem:invalid_field")]
    kind: String,
    /// The kind of problem, for people.
    #[schema(example = "Invalid field")]
    title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599, example = 422)]
    status: u16,
    /// The stable code.
    #[schema(example = "invalid_field")]
    code: &'static str,
    /// What is wrong and what is allowed.
    detail: String,
    /// The member, parameter or header at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
}

/// A refusal on its way out.
#[derive(Debug)]
pub struct Problem(pub Refusal);

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

/// The store's failure is logged here, once; the caller learns only whether to try again.
impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let refusal = match &error {
            StoreError::NotCommitted(_) | StoreError::Unavailable(_) => {
                tracing::warn!(%error, "the store refused a call");
                Refusal::whole(Code::Unavailable, "nothing was changed; send it again")
            }
            StoreError::Ambiguous(_) => {
                tracing::warn!(%error, "the outcome of a call is not known");
                let message = "it is not known whether this took place; ask, or send it again with \
                               the same Idempotency-Key";
                Refusal::whole(Code::Unavailable, message)
            }
            StoreError::Corrupt(_)
            | StoreError::NewerSchema { .. }
            | StoreError::DivergentSchema(_)
            | StoreError::WrongMasterKey
            | StoreError::CannotOpen { .. }
            | StoreError::InUse { .. } => {
                tracing::error!(%error, "the store failed a call");
                internal()
            }
        };
        Self(refusal)
    }
}

/// The refusal for what should not have happened.
pub fn internal() -> Refusal {
    Refusal::whole(Code::Internal, "something failed here; it is logged")
}

/// Nothing there, or nothing that the caller may see: the two read alike.
pub fn not_found(what: &str) -> Refusal {
    Refusal::whole(Code::NotFound, format!("there is no such {what}"))
}

/// A refusal in its printed form.
pub fn body(refusal: &Refusal) -> ProblemBody {
    let code = refusal.code.as_str();
    ProblemBody {
        kind: format!("urn:angarium:problem:{code}"),
        title: title(code),
        status: refusal.code.status(),
        code,
        detail: refusal.message.clone(),
        field: refusal.field.clone(),
    }
}

/// `event_id_conflict` reads "Event id conflict".
fn title(code: &str) -> String {
    let words = code.replace('_', " ");
    let (first, rest) = words.split_at(1);
    first.to_uppercase() + rest
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let code = self.0.code;
        let wait = self.0.seconds_to_wait();
        let text = serde_json::to_vec(&body(&self.0)).unwrap_or_default();
        let status =
            StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, text).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer realm=\"angarium\"");
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
        if let Some(seconds) = wait {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_prints_with_its_status_its_type_and_a_title() {
        for code in Code::ALL {
            let shown = body(&Refusal::field(*code, "a.b", "why"));
            assert_eq!(shown.status, code.status());
            assert!(shown.kind.ends_with(code.as_str()));
            assert!(shown.title.starts_with(|c: char| c.is_uppercase()));
            assert_eq!(shown.field.as_deref(), Some("a.b"));
        }
    }

    #[test]
    fn a_401_says_how_to_authenticate_and_a_503_when_to_come_back() {
        let headers =
            |code| Problem(Refusal::whole(code, "no")).into_response().into_parts().0.headers;
        assert!(headers(Code::Unauthorized).contains_key(header::WWW_AUTHENTICATE));
        for code in [Code::Unavailable, Code::NodeOverloaded, Code::Overloaded, Code::RateLimited] {
            assert_eq!(headers(code)[header::RETRY_AFTER], "1", "{}", code.as_str());
        }
        let wait = std::time::Duration::from_millis(1_001);
        let limited = Problem(Refusal::whole(Code::RateLimited, "no").after(wait)).into_response();
        assert_eq!(limited.headers()[header::RETRY_AFTER], "2");
        assert_eq!(headers(Code::NotFound)[header::CONTENT_TYPE], PROBLEM_JSON);
    }

    #[test]
    fn the_store_s_words_do_not_reach_the_caller() {
        let problem = Problem::from(StoreError::Corrupt("row 7 of secrets".into()));
        assert!(!problem.0.message.contains("secrets"));
        assert_eq!(problem.0.code, Code::Internal);
    }
}
