//! The hot path first, then the router.

use crate::api::{App, is_direct, publish_directly};
use crate::origin::Peer;
use axum::Router;
use axum::response::Response;
use http::Request;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;

/// Answers the calls that come from one address.
#[derive(Clone)]
pub(super) struct Front {
    pub(super) app: Arc<App>,
    pub(super) router: TowerToHyperService<Router>,
    pub(super) peer: Peer,
}

impl Front {
    pub(super) async fn answer(self, mut request: Request<Incoming>) -> Response {
        request.extensions_mut().insert(self.peer);
        if is_direct(&self.app, &request) {
            return publish_directly(&self.app, request).await;
        }
        match self.router.call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}
