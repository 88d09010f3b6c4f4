//! `/v1/events`: publish, and read what was published.

mod accept;
mod publish;
mod replay;
mod view;

pub(super) use accept::{admit, tenant_of, warning};
pub(super) use publish::{
    __path_publish, __path_publish_batch, Accepted, EventBody, publish, publish_any, publish_batch,
};
pub(super) use replay::{__path_replay, refuse_gone, replay};
pub(super) use view::{__path_list, __path_show, EventOf, accepted, find, list, raw_data, show};
