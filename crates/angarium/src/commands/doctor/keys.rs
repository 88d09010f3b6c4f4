//! The master keys, and whether the store opens with one of them.

use super::{Finding, Level};
use crate::commands::serve;
use crate::config::{self, Settings};
use angarium_server::clock::{Clock as _, SystemClock};
use angarium_server::next_master_key::NextMasterKey;
use angarium_store::seal::MasterKeyId;
use angarium_store::{Store as _, StoreError};
use std::time::{Duration, Instant};

pub(super) fn master_key(settings: &Settings) -> Finding {
    let subject = "master key";
    match config::find_master_key(settings) {
        Ok(found) => Finding::ok(subject, format!("from {} ({})", found.origin, found.key.id())),
        Err(error) => {
            let error = error.to_string();
            let finding = error.lines().next().unwrap_or_default();
            let cure = "angarium key generate-master > master.key; --master-key-file master.key";
            let level = match settings.dev {
                true => Level::Warn,
                false => Level::Fail,
            };
            Finding::new(level, subject, finding, cure)
        }
    }
}

pub(super) fn next_master_key(settings: &Settings) -> Finding {
    let subject = "next master key";
    let found = config::next_master_key(settings).map_err(anyhow::Error::from).and_then(|next| {
        let key = next.find()?;
        Ok((next, key))
    });
    let finding = match found {
        Ok((NextMasterKey::Nowhere, _)) => "none; --next-master-key-file would name one".to_owned(),
        Ok((next, None)) => format!("none in {}", next.place().unwrap_or_default()),
        Ok((next, Some(key))) => {
            format!("from {} ({})", next.place().unwrap_or_default(), key.id())
        }
        Err(error) => {
            let cure = "angarium key generate-master makes one; a rotation waits for it";
            return Finding::new(Level::Warn, subject, format!("{error:#}"), cure);
        }
    };
    Finding::ok(subject, finding)
}

/// Opens the store only if there is one: the doctor makes none.
pub(super) fn store(settings: &Settings) -> Finding {
    let subject = "store";
    if !settings.data.join("angarium.db").exists() {
        return Finding::ok(subject, "none yet; the first start makes it");
    }
    match opened(settings) {
        Ok(Opened { took, by_next: None }) => {
            let finding = format!("opens; a commit takes {:.2} ms", took.as_secs_f64() * 1e3);
            Finding::ok(subject, finding)
        }
        Ok(Opened { by_next: Some(id), .. }) => Finding::new(
            Level::Warn,
            subject,
            format!("opens with the next master key only ({id})"),
            "put the next master key in the place of the one before: the rotation is done",
        ),
        Err(error) => match error.downcast_ref::<StoreError>() {
            Some(StoreError::InUse { .. }) => {
                let cure = "if no server should be running, find the process that holds it";
                Finding::new(Level::Warn, subject, "a server is using it now", cure)
            }
            _ => Finding::new(
                Level::Fail,
                subject,
                format!("{error:#}"),
                "use the master key and the program that it was last opened with, or a backup",
            ),
        },
    }
}

struct Opened {
    took: Duration,
    /// The next master key, if it was that which opened the store.
    by_next: Option<MasterKeyId>,
}

fn opened(settings: &Settings) -> anyhow::Result<Opened> {
    let present = config::find_master_key(settings)?.key.id();
    serve::runtime()?.block_on(async {
        let store = serve::open_store(settings)?;
        let started = Instant::now();
        let pinged = store.ping(SystemClock.now()).await;
        let took = started.elapsed();
        let encryption = store.encryption().await;
        store.close().await;
        pinged?;
        let used = encryption?.master_key;
        Ok(Opened { took, by_next: (used != present).then_some(used) })
    })
}
