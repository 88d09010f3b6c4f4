//! `/v1/endpoints/{id}/deliveries`: what became of every sequence number of an endpoint, so that a
//! receiver can show that it missed nothing (design.md, rule 8).

use super::as_memory_knows;
use super::view::{DeliveryView, view};
use crate::api::auth::Reader;
use crate::api::endpoints::Endpoints;
use crate::api::page::{self, ListName, Listed, Query};
use crate::api::problem::Problem;
use crate::api::{App, Named};
use angarium_core::refusal::{Code, Refusal};
use angarium_store::read::{SequenceQuery, SequenceRow};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::api) struct NumbersQuery {
    /// The first number; 1 if absent.
    #[param(value_type = Option<u64>, minimum = 1)]
    from: Option<String>,
    /// The last number; the newest if absent.
    #[param(value_type = Option<u64>, minimum = 1)]
    to: Option<String>,
    /// Items of the page.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 250)]
    limit: Option<String>,
    /// The page before gave it as `next`.
    cursor: Option<String>,
}

/// A sequence number of an endpoint with its delivery.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NumberedDelivery)]
pub(in crate::api) struct NumberView {
    /// The delivery that got the number.
    #[serde(flatten)]
    first: DeliveryView,
    /// Deliveries that repeat it, newest first; they carry the same number.
    redeliveries: Vec<DeliveryView>,
}

/// List an endpoint's sequence numbers
///
/// Every number between `from` and `to`, upwards, none left out: cancelled and suppressed
/// deliveries stay listed. A receiver that compares its `webhook-sequence` numbers with these knows
/// that it missed nothing, or what. A page may have fewer items than asked for although there are
/// more.
#[utoipa::path(get, path = "/v1/endpoints/{id}/deliveries", tag = "deliveries",
    params(("id" = String, Path, description = "The endpoint's id"), NumbersQuery),
    responses((status = 200, description = "A page", body = Listed<NumberView>)))]
pub(in crate::api) async fn numbers(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
    Named(id): Named,
    Query(query): Query<NumbersQuery>,
) -> Result<Json<Listed<NumberView>>, Problem> {
    let endpoint = Endpoints::of(&app, &caller)?.find(&id).await?.no;
    let from = number("from", query.from.as_deref())?.unwrap_or(1);
    let to = number("to", query.to.as_deref())?.unwrap_or(u64::MAX);
    if from > to {
        let message = "the last number is not below the first";
        return Err(Refusal::field(Code::InvalidParameter, "to", message).into());
    }
    let name = ListName(format!("numbers/{endpoint}/{from}/{to}"));
    let asked = SequenceQuery {
        endpoint,
        from,
        to,
        cursor: name.parse(query.cursor.as_deref())?,
        limit: page::limit(query.limit.as_deref(), &app.limits)?,
        rows_read: app.limits.page_rows_read,
    };
    let page = app.store.deliveries_by_sequence(asked).await?;
    Ok(Json(name.page(page, |row| shown(&app, row))))
}

fn shown(app: &App, mut row: SequenceRow) -> NumberView {
    as_memory_knows(app, std::slice::from_mut(&mut row.first));
    as_memory_knows(app, &mut row.again);
    let redeliveries = row.again.into_iter().map(|again| view(app, again)).collect();
    NumberView { first: view(app, row.first), redeliveries }
}

fn number(name: &str, text: Option<&str>) -> Result<Option<u64>, Refusal> {
    let read = |text: &str| match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        Ok(_) | Err(_) => {
            let message = "sequence numbers are whole and begin with 1";
            Err(Refusal::field(Code::InvalidParameter, name, message))
        }
    };
    text.map(read).transpose()
}
