//! `/v1/events`: publish, and read what was published.

mod accept;
mod publish;
mod view;

pub use publish::publish_directly;
pub(super) use publish::{__path_publish, __path_publish_batch, publish, publish_batch};
pub(super) use view::{__path_list, __path_show, list, show};
