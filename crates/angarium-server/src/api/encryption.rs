//! `/v1/encryption`: which keys the secrets of the store are encrypted with, and their rotation.
//! Keys themselves are in no call (docs/secrets.md).

use super::App;
use super::auth::Reader;
use super::idempotency::Command;
use super::json::{Answer, Empty};
use super::problem::{Problem, internal};
use angarium_core::audit::{Action, Place};
use angarium_core::refusal::{Code, Refusal};
use angarium_store::seal::{MasterKey, MasterKeyId};
use angarium_store::{Encryption, MasterKeyRotated};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// What the secrets of the store are encrypted with.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Encryption)]
pub(super) struct EncryptionView {
    /// Name of the master key that the store is under; it tells nothing of the key.
    #[schema(example = "5f3a91c2")]
    master_key: String,
    /// Name of the master key that a rotation would take; null while there is no other.
    #[schema(example = "90b2d4e7")]
    next_master_key: Option<String>,
    /// Where the next master key is looked for; null if nobody said.
    #[schema(example = "/etc/angarium/master.key.next")]
    next_master_key_from: Option<String>,
    /// Data keys, one for each tenant with secrets, one for what is no tenant's, and those on
    /// their way out.
    data_keys: u64,
    /// Data keys on their way out: secrets are being sealed anew until there are none.
    retired_data_keys: u64,
    /// Secrets are there that an earlier version wrote; they are being sealed anew.
    has_earlier_form: bool,
}

/// The master key was rotated.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MasterKeyRotated)]
pub(super) struct MasterKeyRotatedView {
    /// Name of the master key that the store is under now.
    #[schema(example = "90b2d4e7")]
    master_key: String,
    /// Name of the one before, which opens the store no more.
    #[schema(example = "5f3a91c2")]
    previous: String,
    /// Where the new one was found; it has to take the place of the one before.
    #[schema(example = "/etc/angarium/master.key.next")]
    from: String,
}

/// Whose data key to rotate: one of the two.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DataKeyRotation {
    /// This tenant's.
    #[schema(example = "acme")]
    tenant: Option<String>,
    /// Every tenant's, and the one of what is no tenant's.
    #[serde(default)]
    all: bool,
}

/// A data key gets a successor.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DataKeysRotated)]
pub(super) struct DataKeysRotatedView {
    /// Whose; null for all.
    tenant: Option<String>,
}

/// Show what secrets are encrypted with
///
/// For keys of the instance.
#[utoipa::path(get, path = "/v1/encryption", tag = "encryption",
    responses((status = 200, description = "The keys by their names", body = EncryptionView)))]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    _reader: Reader,
) -> Result<Json<EncryptionView>, Problem> {
    let now = app.store.encryption().await?;
    // A file that is wrong is told where it is to be used.
    let next = find_next(&app).await.ok().flatten().map(|next| next.id());
    Ok(Json(view(&app, &now, next)))
}

fn view(app: &App, now: &Encryption, next: Option<MasterKeyId>) -> EncryptionView {
    EncryptionView {
        master_key: now.master_key.to_string(),
        next_master_key: next.filter(|next| *next != now.master_key).map(|next| next.to_string()),
        next_master_key_from: app.next_master_key.place(),
        data_keys: now.data_keys,
        retired_data_keys: now.retired_data_keys,
        has_earlier_form: now.has_earlier_form,
    }
}

/// Rotate the master key
///
/// The store is put under the next master key, which the server reads from its own file or
/// environment, in one commit; the one before opens it no more. For keys of the instance.
#[utoipa::path(post, path = "/v1/encryption/rotate-master-key", tag = "encryption",
    responses((status = 200, description = "The store is under the next master key",
        body = MasterKeyRotatedView)))]
pub(super) async fn rotate_master_key(
    State(app): State<Arc<App>>,
    call: Command<Empty>,
) -> Result<Answer, Problem> {
    let _turn = app.turns.turn(&"master key").await;
    let next = find_next(&app).await?.ok_or_else(|| no_next_key(&app))?;
    let before = app.store.encryption().await?.master_key;
    let id = next.id();
    let answer = Answer::ok(&MasterKeyRotatedView {
        master_key: id.to_string(),
        previous: before.to_string(),
        from: app.next_master_key.place().unwrap_or_default(),
    });
    let action = Action::EncryptionRotateMaster;
    let deed =
        call.caller.does(action, Place::Instance, &id).noting("previous", before.to_string());
    let trace = call.trace(&answer, deed);
    let rotated = app.store.rotate_master_key(next, trace, app.now()).await?;
    match rotated {
        MasterKeyRotated::Done => {
            tracing::info!(master_key = %id, previous = %before, "the master key is rotated");
            app.runner.look_after_store();
            Ok(answer)
        }
        MasterKeyRotated::Same => Err(same_key(&app, id).into()),
    }
}

/// Rotate data keys
///
/// What is written from this answer on is encrypted with a new key; what is stored is encrypted
/// anew in the background, and then the key before is deleted. For keys of the instance.
#[utoipa::path(post, path = "/v1/encryption/rotate-data-keys", tag = "encryption",
    request_body = DataKeyRotation,
    responses((status = 202, description = "Begun; GET /v1/encryption shows when it is done",
        body = DataKeysRotatedView)))]
pub(super) async fn rotate_data_keys(
    State(app): State<Arc<App>>,
    call: Command<DataKeyRotation>,
) -> Result<Answer, Problem> {
    let tenant = match (&call.body.tenant, call.body.all) {
        (Some(id), false) => Some(call.caller.tenant(&app, id)?),
        (None, true) => None,
        (None, false) => {
            let message = "name a tenant, or say `\"all\": true`";
            return Err(Refusal::field(Code::MissingField, "tenant", message).into());
        }
        (Some(_), true) => {
            let message = "either a tenant or all";
            return Err(Refusal::field(Code::InvalidField, "all", message).into());
        }
    };
    let named = tenant.as_ref().map(|tenant| tenant.id.clone());
    let answer = Answer::accepted(&DataKeysRotatedView { tenant: named });
    let whose = tenant.map(|tenant| tenant.no);
    let place = whose.map_or(Place::Instance, Place::Tenant);
    let object = call.body.tenant.as_deref().unwrap_or("all");
    let deed = call.caller.does(Action::EncryptionRotateData, place, &object);
    app.store.rotate_data_keys(whose, call.trace(&answer, deed), app.now()).await?;
    app.runner.look_after_store();
    Ok(answer)
}

async fn find_next(app: &Arc<App>) -> Result<Option<MasterKey>, Problem> {
    let app = Arc::clone(app);
    let found = tokio::task::spawn_blocking(move || app.next_master_key.find()).await;
    let found = found.map_err(|_| internal())?;
    found.map_err(|error| Refusal::whole(Code::InvalidState, error.to_string()).into())
}

fn no_next_key(app: &App) -> Refusal {
    let message = match app.next_master_key.place() {
        Some(place) => format!("there is no next master key in {place}; put one there first"),
        None => "the server does not know where the next master key is: start it with \
                 --next-master-key-file or ANGARIUM_NEXT_MASTER_KEY"
            .to_owned(),
    };
    Refusal::whole(Code::InvalidState, message)
}

fn same_key(app: &App, id: MasterKeyId) -> Refusal {
    let place = app.next_master_key.place().unwrap_or_default();
    let message = format!("the store is under the key of {place} ({id}) already");
    Refusal::whole(Code::InvalidState, message)
}
