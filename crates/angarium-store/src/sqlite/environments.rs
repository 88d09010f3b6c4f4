//! Environments: their hosts, and where requests may go on their behalf.

use super::accounts::{done, exists, from_json, json};
use super::fault::Fault;
use super::readers::View;
use super::writer::Tx;
use crate::AccountChanged;
use crate::seal::SealedPlace;
use angarium_core::account::Environment;
use angarium_core::egress::EgressSettings;
use angarium_core::id::EnvironmentNo;
use angarium_core::retention::Retention;
use angarium_core::time::Timestamp;
use rusqlite::params;

/// Whether another environment has the slug or one of the hosts.
fn is_taken(tx: &Tx<'_>, environment: &Environment) -> Result<bool, Fault> {
    let no = environment.no.get();
    let slug = "SELECT 1 FROM environment WHERE slug = ?1 AND no <> ?2";
    if exists(tx.connection, slug, params![environment.slug, no])? {
        return Ok(true);
    }
    for host in &environment.hosts {
        let other = "SELECT 1 FROM host WHERE host = ?1 AND environment <> ?2";
        if exists(tx.connection, other, params![host, no])? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Makes an environment, unless its slug or one of its hosts is taken.
pub(super) fn create(tx: &Tx<'_>, environment: &Environment) -> Result<AccountChanged, Fault> {
    let unnumbered = Environment { no: EnvironmentNo::default(), ..environment.clone() };
    if is_taken(tx, &unnumbered)? {
        return Ok(AccountChanged::Taken);
    }
    tx.connection.execute(
        "INSERT INTO environment (slug, title, contracts, created_at, egress, retention)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            environment.slug,
            environment.title,
            json("environment.contracts", &environment.contracts)?,
            environment.created_at.as_millis(),
            sealed_egress(tx, environment)?,
            retention_text(environment)?,
        ],
    )?;
    let no = tx.connection.last_insert_rowid();
    put_hosts(tx, no, &environment.hosts)?;
    Ok(AccountChanged::Created(no))
}

/// Takes the place of an environment of the same number.
pub(super) fn replace(tx: &Tx<'_>, environment: &Environment) -> Result<AccountChanged, Fault> {
    if is_taken(tx, environment)? {
        return Ok(AccountChanged::Taken);
    }
    let no = environment.no.get();
    let replaced = tx.connection.execute(
        "UPDATE environment SET slug = ?2, title = ?3, contracts = ?4, egress = ?5, retention = ?6
         WHERE no = ?1",
        params![
            no,
            environment.slug,
            environment.title,
            json("environment.contracts", &environment.contracts)?,
            sealed_egress(tx, environment)?,
            retention_text(environment)?,
        ],
    )?;
    if replaced > 0 {
        tx.connection.execute("DELETE FROM host WHERE environment = ?1", [no])?;
        put_hosts(tx, no, &environment.hosts)?;
    }
    Ok(done(replaced))
}

fn put_hosts(tx: &Tx<'_>, environment: i64, hosts: &[String]) -> Result<(), Fault> {
    let insert = "INSERT INTO host (host, environment, place) VALUES (?1, ?2, ?3)
                  ON CONFLICT DO NOTHING";
    for (host, place) in hosts.iter().zip(0_i64..) {
        tx.connection.execute(insert, params![host, environment, place])?;
    }
    Ok(())
}

/// Deletes an environment that has no tenant, with its keys and event types.
pub(super) fn delete(
    tx: &Tx<'_>,
    no: EnvironmentNo,
    now: Timestamp,
) -> Result<AccountChanged, Fault> {
    if exists(tx.connection, "SELECT 1 FROM tenant WHERE environment = ?1", [no.get()])? {
        return Ok(AccountChanged::InUse);
    }
    tx.connection.execute(
        "UPDATE api_key SET revoked_at = ?2 WHERE environment = ?1 AND revoked_at IS NULL",
        params![no.get(), now.as_millis()],
    )?;
    for delete in [
        "DELETE FROM host WHERE environment = ?1",
        "DELETE FROM event_type WHERE environment = ?1",
        "DELETE FROM swept WHERE environment = ?1",
    ] {
        tx.connection.execute(delete, [no.get()])?;
    }
    Ok(done(tx.connection.execute("DELETE FROM environment WHERE no = ?1", [no.get()])?))
}

/// A slug stays what it is for as long as its environment is there.
fn egress_place(slug: &str) -> SealedPlace<'_> {
    SealedPlace { table: "environment", tenant: 0, row: slug, column: "egress" }
}

fn sealed_egress(tx: &Tx<'_>, environment: &Environment) -> Result<Option<Vec<u8>>, Fault> {
    let egress = Some(&environment.egress).filter(|egress| **egress != EgressSettings::default());
    let seal = |egress: &EgressSettings| {
        tx.vault().seal(egress_place(&environment.slug), &egress.to_sealed_form())
    };
    egress.map(seal).transpose()
}

fn unseal_egress(
    view: &View<'_>,
    slug: &str,
    sealed: Option<Vec<u8>>,
) -> Result<EgressSettings, Fault> {
    let Some(sealed) = sealed else { return Ok(EgressSettings::default()) };
    let plain = view.vault().unseal(egress_place(slug), &sealed)?;
    EgressSettings::from_sealed_form(&plain).map_err(|e| Fault::damaged("environment.egress", e))
}

fn retention_text(environment: &Environment) -> Result<Option<String>, Fault> {
    let set = Some(environment.retention.written()).filter(|set| *set != Default::default());
    set.map(|set| json("environment.retention", &set)).transpose()
}

fn retention(text: Option<String>) -> Result<Retention, Fault> {
    let Some(text) = text else { return Ok(Retention::default()) };
    Retention::try_new(&from_json("environment.retention", &text)?)
        .map_err(|e| Fault::damaged("environment.retention", e))
}

/// All environments, in the order of their making.
pub(super) fn all(view: &View<'_>) -> Result<Vec<Environment>, Fault> {
    let mut select = view.connection.prepare_cached(
        "SELECT no, slug, title, contracts, created_at, egress, retention FROM environment
         ORDER BY no",
    )?;
    let mut hosts = view
        .connection
        .prepare_cached("SELECT host FROM host WHERE environment = ?1 ORDER BY place")?;
    let mut rows = select.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let no: i64 = row.get(0)?;
        let slug: String = row.get(1)?;
        all.push(Environment {
            no: EnvironmentNo::new(no),
            egress: unseal_egress(view, &slug, row.get(5)?)?,
            retention: retention(row.get(6)?)?,
            slug,
            title: row.get(2)?,
            contracts: from_json("environment.contracts", &row.get::<_, String>(3)?)?,
            hosts: hosts.query_map([no], |row| row.get(0))?.collect::<Result<_, _>>()?,
            created_at: Timestamp::from_millis(row.get(4)?),
        });
    }
    Ok(all)
}
