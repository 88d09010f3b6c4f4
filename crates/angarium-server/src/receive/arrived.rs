//! A third party's request as it arrived, byte for byte.

use super::judge::Why;
use crate::api::App;
use crate::bodies::Sender;
use crate::origin::Origin;
use angarium_core::refusal::Refusal;
use angarium_core::scheme::Incoming;
use angarium_core::source::{Rejection, Source};
use angarium_core::time::Timestamp;
use axum::extract::Request;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

/// Bytes of a rejected body that are kept: enough to see whose it is.
const KEPT_BODY: usize = 4 * 1024;
/// Characters of the path and query of a rejected request, and of each of its headers, that are
/// kept.
const KEPT_CHARS: usize = 512;

/// See the module.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) method: Method,
    /// The URL by which the third party knows the source.
    pub(crate) url: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Arrived {
    /// Reads a request whole.
    ///
    /// # Errors
    /// `body_too_large`, `bad_request`.
    pub(crate) async fn read(app: &App, request: Request) -> Result<Self, Refusal> {
        let (head, body) = request.into_parts();
        let body = app.bodies.read(body, app.limits.body_bytes, Sender::Stranger).await?;
        let origin = Origin::of(&app.outside, &head, |host| {
            app.directory.environment_by_host(host).is_some()
        })?;
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
        let url = format!("{origin}{target}");
        Ok(Self { method: head.method, url, headers: head.headers, body })
    }

    /// As a scheme reads it.
    pub(crate) fn incoming(&self) -> Incoming<'_> {
        Incoming { method: &self.method, url: &self.url, headers: &self.headers, body: &self.body }
    }

    /// The headers that are kept: those that the scheme reads and those that the source names, but
    /// no passwords.
    pub(super) fn kept<'a>(
        &'a self,
        source: &'a Source,
    ) -> impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)> {
        let named = |name: &HeaderName| {
            source.config.headers.iter().any(|kept| kept == name.as_str())
                && !source.scheme.is_password(name)
        };
        let read = source.scheme.kept(&self.headers);
        let is_new = move |name: &HeaderName| {
            !source.scheme.kept(&self.headers).any(|(read, _)| read == name)
        };
        let beside = self.headers.iter().filter(move |(name, _)| named(name) && is_new(name));
        read.chain(beside)
    }

    /// What is kept of it when it is rejected. Passwords are not, wherever they stand.
    pub(super) fn rejection(&self, source: &Source, why: &Why, at: Timestamp) -> Rejection {
        let usual = [header::CONTENT_TYPE, header::USER_AGENT];
        let usual = usual.iter().filter_map(|name| Some((name, self.headers.get(name)?)));
        let kept = usual.chain(self.kept(source)).map(|(name, value)| {
            (name.to_string(), cut(&String::from_utf8_lossy(value.as_bytes())).to_owned())
        });
        let target = self.url.splitn(4, '/').nth(3).unwrap_or_default();
        Rejection {
            source: source.config.id,
            at,
            cause: why.code().to_owned(),
            reason: why.reason(),
            method: self.method.to_string(),
            target: format!("/{}", cut(target)),
            headers: kept.collect(),
            body: self.body.slice(..self.body.len().min(KEPT_BODY)),
            body_bytes: self.body.len() as u64,
        }
    }
}

fn cut(text: &str) -> &str {
    text.char_indices().nth(KEPT_CHARS).map_or(text, |(at, _)| &text[..at])
}
