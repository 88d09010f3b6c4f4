//! Is a request genuine? The scheme says; here it is given what it asks for: a certificate that the
//! request names, a visit by which a subscription is confirmed, a place for the secret that a third
//! party hands over.

use super::arrived::Arrived;
use crate::api::App;
use crate::api::problem::Problem;
use crate::api::sources::take_over_secret;
use angarium_core::refusal::{Code, Refusal};
use angarium_core::scheme::{Answer, Cause, Received, Verified};
use angarium_core::source::Source;
use http::Method;
use std::sync::Arc;

/// What a request is, when nothing more is asked for.
#[derive(Debug)]
pub(super) enum Judged {
    /// A genuine event.
    Event(Verified),
    /// The third party asks whether the source is there; the answer.
    Challenge(Answer),
    /// Nothing to believe.
    Rejected(Why),
}

/// Why a request is rejected.
#[derive(Debug)]
pub(super) enum Why {
    /// As the scheme says.
    Cause(Cause),
    /// The source takes nothing in.
    Off,
    /// A secret that is handed over to a source that was just given one.
    Late,
    /// An event that comes by a method by which none does.
    Method(Method),
}

impl Why {
    /// For programs.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Why::Cause(cause) => cause.code(),
            Why::Off => "disabled",
            Why::Late => "secret_known",
            Why::Method(_) => "wrong_method",
        }
    }

    /// For people.
    pub(super) fn reason(&self) -> String {
        match self {
            Why::Cause(cause) => cause.to_string(),
            Why::Off => "the source takes nothing in: it is switched off".to_owned(),
            Why::Late => "the source has a secret already".to_owned(),
            Why::Method(method) => format!("an event comes by POST, not by {method}"),
        }
    }

    /// Whether a signature was computed over the body, which is what a rejection costs.
    pub(super) fn has_cost(&self) -> bool {
        match self {
            Why::Cause(cause) => *cause == Cause::WrongSignature,
            Why::Off | Why::Late => false,
            Why::Method(_) => true,
        }
    }
}

/// Judges a request to a source.
///
/// # Errors
/// The store's, where a secret is handed over.
pub(super) async fn judge(
    app: &Arc<App>,
    source: &Source,
    arrived: &Arrived,
) -> Result<Judged, Problem> {
    if !source.config.status.takes_in() {
        return Ok(Judged::Rejected(Why::Off));
    }
    let received = match ask(app, source, arrived).await {
        Received::Event(verified) => match arrived.method {
            Method::POST | Method::PUT | Method::PATCH => Ok(Judged::Event(verified)),
            _ => Ok(Judged::Rejected(Why::Method(arrived.method.clone()))),
        },
        Received::Challenge(answer) => Ok(Judged::Challenge(answer)),
        // It is stored before the third party is told that it was taken.
        Received::Handshake { answer, secret } => {
            match take_over_secret(app, source.config.id, secret).await {
                Ok(()) => Ok(Judged::Challenge(answer)),
                Err(Problem(Refusal { code: Code::Conflict, .. })) => {
                    Ok(Judged::Rejected(Why::Late))
                }
                Err(problem) => return Err(problem),
            }
        }
        Received::Visit { document, answer } => {
            let policy = app.directory.egress_of(source.config.tenant);
            let visited = app.certificates.visit(document, policy).await;
            visited.map(|()| Judged::Challenge(answer))
        }
        Received::Needs(document) => Err(Cause::Needs(document)),
        Received::Rejected(cause) => Err(cause),
    };
    Ok(received.unwrap_or_else(|cause| Judged::Rejected(Why::Cause(cause))))
}

/// What the scheme says, with the certificate that it needs, if it does.
async fn ask(app: &App, source: &Source, arrived: &Arrived) -> Received {
    let verifier = source.verifier(app.now());
    let (incoming, id) = (arrived.incoming(), source.config.id.to_string());
    match verifier.receive(incoming, &id, app.clock.wall()) {
        Received::Needs(document) => {
            let policy = app.directory.egress_of(source.config.tenant);
            match app.certificates.fetch(document, policy).await {
                Ok(evidence) => {
                    verifier.receive_with(incoming, &id, Some(&evidence), app.clock.wall())
                }
                Err(cause) => Received::Rejected(cause),
            }
        }
        received => received,
    }
}
