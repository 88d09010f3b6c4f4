//! The audit log: an entry is written with the change that it tells of, and lists only read.

use super::fault::Fault;
use super::readers::View;
use super::writer::Tx;
use crate::read::{AuditBounds, AuditQuery, Page};
use angarium_core::audit::{Deed, Entry, EntryNo, Link, Names, Place};
use angarium_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::Deserialize;
use std::borrow::Cow;

pub(super) const INSERT: &str = "
    INSERT INTO audit (no, at, environment, tenant, text, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

pub(super) const MOVE_HEAD: &str = "UPDATE audit_head SET no = ?1, hash = ?2";

pub(super) const NAME_TENANT: &str = "
    SELECT environment, slug, tenant.id
    FROM tenant JOIN environment ON environment.no = environment WHERE tenant.no = ?1";

pub(super) const NAME_ENVIRONMENT: &str = "SELECT slug FROM environment WHERE no = ?1";

macro_rules! select_entries {
    ($place:literal, $order:literal) => {
        concat!("SELECT no, at, text, hash FROM audit WHERE ", $place, $order, " LIMIT ?3")
    };
}

pub(super) const NEWEST: &str = select_entries!("?1 IS NULL", " AND no < ?2 ORDER BY no DESC");
pub(super) const NEWEST_OF_ENVIRONMENT: &str =
    select_entries!("environment = ?1", " AND no < ?2 ORDER BY no DESC");
pub(super) const NEWEST_OF_TENANT: &str =
    select_entries!("tenant = ?1", " AND no < ?2 ORDER BY no DESC");
pub(super) const OLDEST: &str = select_entries!("?1 IS NULL", " AND no > ?2 ORDER BY no");
pub(super) const OLDEST_OF_ENVIRONMENT: &str =
    select_entries!("environment = ?1", " AND no > ?2 ORDER BY no");
pub(super) const OLDEST_OF_TENANT: &str =
    select_entries!("tenant = ?1", " AND no > ?2 ORDER BY no");

/// A place by its numbers and names.
#[derive(Debug, Clone, Default)]
pub(super) struct Named {
    environment: Option<i64>,
    tenant: Option<i64>,
    names: Names,
}

/// What a place is called now; nothing where it is not there.
pub(super) fn name(tx: &Tx<'_>, place: Place) -> Result<Named, Fault> {
    match place {
        Place::Instance => Ok(Named::default()),
        Place::Environment(no) => {
            let mut select = tx.connection.prepare_cached(NAME_ENVIRONMENT)?;
            let slug = select.query_row([no.get()], |row| row.get(0)).optional()?;
            let names = Names { environment: slug, tenant: None };
            Ok(Named { environment: Some(no.get()), tenant: None, names })
        }
        Place::Tenant(no) => {
            let mut select = tx.connection.prepare_cached(NAME_TENANT)?;
            let named = |row: &Row<'_>| {
                let names = Names { environment: row.get(1)?, tenant: row.get(2)? };
                Ok(Named { environment: row.get(0)?, tenant: Some(no.get()), names })
            };
            let there = select.query_row([no.get()], named).optional()?;
            Ok(there.unwrap_or(Named { tenant: Some(no.get()), ..Named::default() }))
        }
    }
}

/// Adds an entry behind the last one.
pub(super) fn add(
    tx: &mut Tx<'_>,
    deed: &Deed,
    place: &Named,
    now: Timestamp,
) -> Result<(), Fault> {
    let entry = Entry::new(&tx.state.audited, deed, &place.names, now);
    tx.connection.prepare_cached(INSERT)?.execute(params![
        entry.link.no.get(),
        now.as_millis(),
        place.environment,
        place.tenant,
        entry.text,
        entry.link.hash,
    ])?;
    let head = params![entry.link.no.get(), entry.link.hash];
    tx.connection.prepare_cached(MOVE_HEAD)?.execute(head)?;
    tx.state.audited = entry.link;
    Ok(())
}

/// Where the chain ends.
pub(super) fn head(connection: &Connection) -> Result<Link, Fault> {
    end(connection, "SELECT no, hash FROM audit_head")
}

/// Where it begins: the last entry that was removed for its age.
pub(super) fn base(connection: &Connection) -> Result<Link, Fault> {
    end(connection, "SELECT no, hash FROM audit_base")
}

fn end(connection: &Connection, select: &str) -> Result<Link, Fault> {
    let link = |row: &Row<'_>| Ok(Link { no: EntryNo::new(row.get(0)?), hash: hash(row, 1)? });
    Ok(connection.prepare_cached(select)?.query_row([], link)?)
}

/// Entries, newest first: a page reads a bounded number of rows, and may be short.
pub(super) fn page(view: &View<'_>, query: &AuditQuery) -> Result<Page<Entry, EntryNo>, Fault> {
    let (sql, place) = match query.bounds {
        AuditBounds { tenant: Some(no), .. } => (NEWEST_OF_TENANT, Some(no.get())),
        AuditBounds { environment: Some(no), .. } => (NEWEST_OF_ENVIRONMENT, Some(no.get())),
        AuditBounds { environment: None, tenant: None } => (NEWEST, None),
    };
    let before = query.cursor.map_or(i64::MAX, EntryNo::get);
    let most = i64::try_from(query.rows_read).unwrap_or(i64::MAX);
    let mut select = view.connection.prepare_cached(sql)?;
    let mut rows = select.query(params![place, before, most])?;
    let (mut items, mut last, mut rows_read) = (Vec::new(), None, 0);
    while let Some(row) = rows.next()? {
        if items.len() >= query.limit {
            return Ok(Page { items, next: last });
        }
        let (at, entry) = read(row)?;
        last = Some(entry.link.no);
        rows_read += 1;
        if is_wanted(query, at, &entry.text) {
            items.push(entry);
        }
    }
    Ok(Page { items, next: last.filter(|_| rows_read >= query.rows_read) })
}

/// Entries after one, upwards.
pub(super) fn after(
    view: &View<'_>,
    bounds: AuditBounds,
    after: EntryNo,
    limit: usize,
) -> Result<Vec<Entry>, Fault> {
    let (sql, place) = match bounds {
        AuditBounds { tenant: Some(no), .. } => (OLDEST_OF_TENANT, Some(no.get())),
        AuditBounds { environment: Some(no), .. } => (OLDEST_OF_ENVIRONMENT, Some(no.get())),
        AuditBounds { environment: None, tenant: None } => (OLDEST, None),
    };
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut select = view.connection.prepare_cached(sql)?;
    let entries = select.query_map(params![place, after.get(), most], |row| Ok(read(row)?.1))?;
    Ok(entries.collect::<Result<_, _>>()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<(Timestamp, Entry)> {
    let no: i64 = row.get(0)?;
    // Whatever somebody put there: it is found by its hash, and hides no other.
    let text = String::from_utf8_lossy(row.get_ref(2)?.as_bytes()?).into_owned();
    // One that stands under another number is shown without its hash, as is one whose hash is none:
    // whoever verifies finds it.
    let hash = match text.starts_with(&format!("{{\"no\":{no},")) {
        true => hash(row, 3)?,
        false => [0; 32],
    };
    let link = Link { no: EntryNo::new(no), hash };
    Ok((Timestamp::from_millis(row.get(1)?), Entry { link, text }))
}

fn hash(row: &Row<'_>, column: usize) -> rusqlite::Result<[u8; 32]> {
    Ok(row.get::<_, Vec<u8>>(column)?.try_into().unwrap_or_default())
}

/// The members that lists filter by.
#[derive(Deserialize)]
struct Filtered<'a> {
    #[serde(borrow)]
    tenant: Option<Cow<'a, str>>,
    #[serde(borrow)]
    actor: Id<'a>,
    #[serde(borrow)]
    action: Cow<'a, str>,
    #[serde(borrow)]
    object: Id<'a>,
}

#[derive(Deserialize)]
struct Id<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
}

/// Whether a query asks for an entry; one that cannot be read is never hidden.
fn is_wanted(query: &AuditQuery, at: Timestamp, text: &str) -> bool {
    let in_time = query.after.is_none_or(|after| at >= after)
        && query.before.is_none_or(|before| at < before);
    let AuditQuery { tenant, actor, action, object, .. } = query;
    let filters = [tenant, actor, object].into_iter().any(Option::is_some) || action.is_some();
    if !in_time || !filters {
        return in_time;
    }
    let Ok(entry) = serde_json::from_str::<Filtered<'_>>(text) else { return true };
    let is = |asked: &Option<String>, is: &str| asked.as_deref().is_none_or(|asked| asked == is);
    is(tenant, entry.tenant.as_deref().unwrap_or_default())
        && is(actor, &entry.actor.id)
        && is(object, &entry.object.id)
        && action.is_none_or(|action| action.as_str() == entry.action)
}
