//! Each hot query uses its index: no list, refill or recovery ever reads a big table from end to
//! end.

use super::{Mode, SqliteConfig, Synchronous};
use super::{
    api_keys, audit, commit, data_keys, deliveries, endpoints, erasures, events, guards, holds,
    jobs, keyring, lists, open, purge, recoverable, recovery, rejections, removal, reseal, rows,
    sequence, sources, sweep, upkeep, usage,
};
use crate::seal::MasterKey;
use rusqlite::{Connection, StatementStatus};

const DELIVERY: &str = "INDEX sqlite_autoindex_delivery_1 (event=?";
const PENDING: &str = "SEARCH pending USING PRIMARY KEY";

/// Each hot query, and a part of the plan that it must have.
const HOT: &[(&str, &str)] = &[
    (events::SELECT, "SEARCH event USING INTEGER PRIMARY KEY (rowid=?)"),
    (deliveries::UPDATE_PENDING, PENDING),
    (deliveries::DELETE_PENDING, PENDING),
    (deliveries::SELECT_PENDING, PENDING),
    (deliveries::MAKE_DUE, PENDING),
    (deliveries::SELECT_ENDED, DELIVERY),
    (deliveries::LAST_GENERATION, DELIVERY),
    (commit::CLAIM, "SEARCH shard USING INTEGER PRIMARY KEY"),
    (commit::MOVE_CHECKPOINT, "SEARCH shard USING INTEGER PRIMARY KEY"),
    (audit::NAME_TENANT, "SEARCH tenant USING INTEGER PRIMARY KEY (rowid=?)"),
    (audit::NEWEST, "SEARCH audit USING INTEGER PRIMARY KEY (rowid<?)"),
    (audit::NEWEST_OF_ENVIRONMENT, "INDEX audit_by_environment (environment=? AND no<?)"),
    (audit::NEWEST_OF_TENANT, "INDEX audit_by_tenant (tenant=? AND no<?)"),
    (audit::OLDEST, "SEARCH audit USING INTEGER PRIMARY KEY (rowid>?)"),
    (audit::OLDEST_OF_ENVIRONMENT, "INDEX audit_by_environment (environment=? AND no>?)"),
    (audit::OLDEST_OF_TENANT, "INDEX audit_by_tenant (tenant=? AND no>?)"),
    (guards::SELECT, "SEARCH idempotency USING PRIMARY KEY"),
    (endpoints::SELECT_BY_ID, "SEARCH endpoint USING INDEX sqlite_autoindex_endpoint_1"),
    (endpoints::SELECT_OF_TENANT, "USING INDEX endpoint_by_tenant (tenant=? AND no<?)"),
    (endpoints::SELECT_OF_ENVIRONMENT, "USING INDEX endpoint_by_environment (environment=?"),
    (endpoints::WAITING, "INDEX pending_by_due (endpoint=?)"),
    (endpoints::COUNT_WAITING, "INDEX pending_by_due (endpoint=?)"),
    (endpoints::UNPARK, "INDEX pending_by_due (endpoint=? AND due=?)"),
    (endpoints::PARK, "INDEX pending_by_due (endpoint=? AND due>?)"),
    (recovery::ENDPOINTS, "INDEX endpoint_by_shard (shard=? AND deleted_at=?)"),
    (recovery::DELETED_WITH_ROWS, "INDEX endpoint_by_shard (shard=? AND deleted_at>?)"),
    (recovery::NEXT_DUE, "INDEX pending_by_due (endpoint=? AND due>?)"),
    (recovery::OLDEST_DUE, "INDEX pending_by_due (endpoint=? AND due>?)"),
    (recovery::PARKED, "INDEX pending_by_due (endpoint=? AND due=?)"),
    (recovery::TENANTS, "INDEX tenant_by_shard (shard=?)"),
    (recovery::TENANT_KEYS, "SEARCH tenant_key USING PRIMARY KEY (tenant=?)"),
    (recovery::EVENTS_ABOVE, "SEARCH event USING INTEGER PRIMARY KEY (rowid>?)"),
    (recovery::RECORDED, DELIVERY),
    (recovery::LANES, "INDEX pending_by_lane (endpoint=?"),
    (recovery::BEHIND, "INDEX pending_by_lane (endpoint=? AND lane=?)"),
    (recovery::DUE, "INDEX pending_by_due (endpoint=? AND due>?)"),
    (rows::REPLAYED, DELIVERY),
    (rows::REPLAYED, PENDING),
    (rows::ENDED_OF_PAIR, DELIVERY),
    (rows::WAITING_OF_PAIR, PENDING),
    (rows::LAST_ATTEMPT, "INDEX sqlite_autoindex_attempt_1 (event=? AND endpoint=?"),
    (rows::ATTEMPTS, "INDEX sqlite_autoindex_attempt_1 (event=? AND endpoint=?"),
    (rows::ENDED_WITH, DELIVERY),
    (lists::TAIL, "SEARCH event USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
    (lists::BY_TENANT, "SEARCH event_by_tenant USING PRIMARY KEY (tenant=? AND event<?)"),
    (lists::BY_ENDPOINT, "SEARCH pair_by_endpoint USING PRIMARY KEY (endpoint=? AND event<?)"),
    (lists::INDEXED, "SEARCH pair_by_endpoint USING PRIMARY KEY (endpoint=? AND event=?)"),
    (lists::UNDELIVERED_BY_ENDPOINT, "undelivered_by_endpoint (endpoint=? AND state=? AND"),
    (lists::UNDELIVERED_BY_TENANT, "undelivered_by_tenant (tenant=? AND state=? AND event<?)"),
    (lists::UNDELIVERED, "undelivered_by_state (state=? AND event<?)"),
    (sequence::PAIRS, "pair_by_endpoint USING PRIMARY KEY (endpoint=? AND event>? AND event<?)"),
    (sequence::TAIL, "SEARCH event USING INTEGER PRIMARY KEY (rowid>?)"),
    (recoverable::IN_STATE, "undelivered_by_endpoint (endpoint=? AND state=? AND event>? AND"),
    (recoverable::NEWEST, DELIVERY),
    (recoverable::EVENT, "SEARCH event USING INTEGER PRIMARY KEY (rowid=?)"),
    (holds::RELEASE, "SEARCH lane_hold USING PRIMARY KEY (endpoint=? AND event=?)"),
    (holds::RELEASE_ALL, "SEARCH lane_hold USING PRIMARY KEY (endpoint=?)"),
    (holds::OF_ENDPOINT, "SEARCH lane_hold USING PRIMARY KEY (endpoint=?)"),
    (jobs::SELECT, "SEARCH job USING PRIMARY KEY (id=?)"),
    (jobs::MOVE, "SEARCH job USING PRIMARY KEY (id=?)"),
    (jobs::COUNT_RUNNING, "USING COVERING INDEX running_job (tenant=?)"),
    (jobs::RUNNING, "SCAN job USING INDEX running_job"),
    (jobs::OF_ENVIRONMENT, "INDEX job_by_environment (environment=? AND id<?)"),
    (jobs::OF_TENANT, "INDEX job_by_tenant (tenant=? AND id<?)"),
    (jobs::OF_ENDPOINT, "INDEX job_by_endpoint (endpoint=? AND id<?)"),
    (api_keys::NOTE_USE, "SEARCH api_key USING INDEX sqlite_autoindex_api_key_1 (id=?)"),
    (api_keys::FORGET, "INDEX api_key_by_forgetting (forget_at<?)"),
    (sources::COUNT, "USING COVERING INDEX source_by_tenant (tenant=?)"),
    (rejections::INSERT, "SEARCH source USING COVERING INDEX sqlite_autoindex_source_1 (id=?)"),
    (rejections::KEEP_NEWEST, "INDEX rejection_by_source (source=? AND no<?)"),
    (rejections::DELETE, "INDEX rejection_by_source (source=?)"),
    (rejections::FORGET, "INDEX rejection_by_age (at<?)"),
    (rejections::PAGE, "INDEX rejection_by_source (source=? AND no<?)"),
    (keyring::SELECT, "SEARCH data_key USING PRIMARY KEY (id=?)"),
    (keyring::CURRENT, "INDEX current_data_key (tenant=?)"),
    (data_keys::AFTER, "SEARCH data_key USING PRIMARY KEY (id>?)"),
    (data_keys::RETIRE_OF_TENANT, "INDEX current_data_key (tenant=?)"),
    (data_keys::OF_TENANT, "INDEX data_key_by_tenant (tenant=?)"),
    (data_keys::FORGET_ANSWERS, "INDEX idempotency_by_data_key (<expr>=?)"),
    (reseal::NEXT_RETIRED, "INDEX retired_data_key (id>?)"),
    (reseal::COLUMNS[0].select, "INDEX endpoint_by_data_key (<expr>>? AND <expr><?)"),
    (reseal::COLUMNS[1].select, "INDEX tenant_key_by_data_key (<expr>>? AND <expr><?)"),
    (reseal::COLUMNS[2].select, "INDEX source_by_data_key (<expr>>? AND <expr><?)"),
    (reseal::COLUMNS[3].select, "INDEX idempotency_by_data_key (<expr>>? AND <expr><?)"),
    (events::STRIP, "SEARCH event USING INTEGER PRIMARY KEY (rowid=?)"),
    (events::HAS_PAYLOAD, "SEARCH event USING INTEGER PRIMARY KEY (rowid=?)"),
    (removal::WAITING, PENDING),
    (removal::RECORDED, DELIVERY),
    (removal::DELETE_ATTEMPTS, "INDEX sqlite_autoindex_attempt_1 (event=?)"),
    (removal::STRIP_DELIVERIES, DELIVERY),
    (removal::DELETE_DELIVERIES, DELIVERY),
    (removal::DELETE_EVENT, "SEARCH event USING INTEGER PRIMARY KEY (rowid=?)"),
    (removal::DELETE_OF_TENANT, "event_by_tenant USING PRIMARY KEY (tenant=? AND event=?)"),
    (removal::DELETE_PAIR, "pair_by_endpoint USING PRIMARY KEY (endpoint=? AND event=?)"),
    (removal::DELETE_OWN_ID, "own_id USING PRIMARY KEY (slice=? AND tenant=? AND hash=? AND"),
    (removal::HOLDS, "SEARCH lane_hold USING PRIMARY KEY (endpoint=? AND event=?)"),
    (removal::DELETE_HOLD, "SEARCH lane_hold USING PRIMARY KEY (endpoint=? AND event=?)"),
    (removal::DAMAGED, "SEARCH event USING INTEGER PRIMARY KEY (rowid=?)"),
    (sweep::CURSOR, "SEARCH swept USING PRIMARY KEY (environment=? AND part=?)"),
    (sweep::OF_AGE, "SEARCH event USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
    (sweep::EXPIRING, "SEARCH pending USING PRIMARY KEY ((event,endpoint,generation)>(?,?,?)"),
    (sweep::ENDED_JOBS, "INDEX job_by_environment (environment=? AND id<?)"),
    (sweep::DELETED_ENDPOINTS, "INDEX endpoint_by_end (environment=? AND deleted_at>? AND"),
    (sweep::OLDEST_ENTRIES, "SEARCH audit USING INTEGER PRIMARY KEY (rowid<?)"),
    (purge::EVENTS_OF_TENANT, "SEARCH event_by_tenant USING PRIMARY KEY (tenant=?)"),
    (purge::UNINDEXED_OF_TENANT, "SEARCH event USING INTEGER PRIMARY KEY (rowid>?)"),
    (purge::ENDPOINTS_OF_TENANT, "INDEX deleted_endpoint_by_tenant (tenant=?)"),
    (erasures::COUNT_RUNNING, "running_erasure (tenant=?)"),
    (erasures::PLACE, "SEARCH erasure USING PRIMARY KEY (id=?)"),
    (erasures::MOVE, "SEARCH erasure USING PRIMARY KEY (id=?)"),
    (erasures::CANDIDATES, "event_by_tenant USING PRIMARY KEY (tenant=? AND event>? AND"),
    (erasures::SELECT, "SEARCH erasure USING PRIMARY KEY (id=?)"),
    (erasures::OF_TENANT, "INDEX erasure_by_tenant (tenant=? AND id<?)"),
    (upkeep::UNINDEXED, "SEARCH event USING INTEGER PRIMARY KEY (rowid>?)"),
    (usage::SETTLE, ""),
    (usage::OWNER, "SEARCH endpoint USING INTEGER PRIMARY KEY (rowid=?)"),
    (upkeep::FORGET, "INDEX idempotency_by_expiry (expires_at<?)"),
    (upkeep::OWN_ID_TAIL, "SEARCH event USING INTEGER PRIMARY KEY (rowid>?)"),
    (upkeep::FIND_IN_TAIL, "SEARCH event USING INTEGER PRIMARY KEY (rowid>?)"),
    (upkeep::FIND_IN_SLICE, "SEARCH own_id USING PRIMARY KEY (slice=? AND tenant=? AND hash=?)"),
];

/// An empty database with the schema.
fn database() -> Connection {
    let config = SqliteConfig {
        path: None,
        master_key: MasterKey::from_bytes([0; 32]),
        next_master_key: None,
        synchronous: Synchronous::Full,
        mode: Mode::InPlace,
    };
    let database = open::Database::acquire(&config).expect("memory");
    let mut connection = database.connect_writer().expect("a connection");
    open::migrate(&mut connection).expect("the schema");
    connection
}

/// What SQLite says that it would do, a line for each step.
fn plan(connection: &Connection, sql: &str) -> String {
    let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect(sql);
    let nulls = vec![rusqlite::types::Null; explain.parameter_count()];
    let steps = explain
        .query_map(rusqlite::params_from_iter(nulls), |row| row.get::<_, String>(3))
        .expect("a plan")
        .collect::<Result<Vec<_>, _>>();
    steps.expect("steps").join("\n")
}

#[test]
fn each_hot_query_uses_its_index() {
    let connection = database();
    for (sql, index) in HOT {
        let plan = plan(&connection, sql);
        assert!(plan.contains(index), "{sql}\nshould use {index}, but:\n{plan}");
        let big = ["event", "delivery", "pending", "attempt", "own_id", "rejection", "audit"];
        let reads_whole = |table: &&str| plan.contains(&format!("SCAN {table}"));
        assert!(!big.iter().any(reads_whole), "{sql}\n{plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{sql}\nsorts:\n{plan}");
    }
}

#[test]
fn no_hot_query_is_prepared_anew_for_another_value() {
    let connection = database();
    for (sql, _) in HOT {
        let mut statement = connection.prepare(sql).expect(sql);
        for value in 1..=3 {
            for place in 1..=statement.parameter_count() {
                statement.raw_bind_parameter(place, value).expect(sql);
            }
            let mut rows = statement.raw_query();
            // What is written need not be sound.
            while let Ok(Some(_)) = rows.next() {}
        }
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0, "{sql}");
    }
}
