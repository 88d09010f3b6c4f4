//! Values that are moved in the real database file: by the server itself they are told, and never
//! decrypted.

use super::Keyed;
use super::platform::Platform;
use crate::support::client::Answer;
use crate::support::figure;
use crate::support::server::Server;
use rusqlite::Connection;
use serde_json::json;

/// A column with sealed values.
struct Column {
    table: &'static str,
    column: &'static str,
    /// Tells the rows of a tenant apart.
    order: &'static str,
    /// How many a tenant has.
    rows: u8,
}

const COLUMNS: [Column; 4] = [
    Column { table: "endpoint", column: "secrets", order: "no", rows: 2 },
    Column { table: "source", column: "keys", order: "rowid", rows: 2 },
    Column { table: "tenant_key", column: "keys", order: "contract", rows: 1 },
    Column { table: "idempotency", column: "body", order: "scope", rows: 2 },
];

const ALL_OF: [&str; 2] = [
    "tenant = (SELECT no FROM tenant WHERE id = 't0')",
    "tenant = (SELECT no FROM tenant WHERE id = 't1')",
];

impl Column {
    /// The n-th value of a tenant.
    fn value(&self, of: usize, n: u8) -> String {
        let Self { table, column, order, .. } = self;
        let rows = ALL_OF[of];
        format!("(SELECT {column} FROM {table} WHERE {rows} ORDER BY {order} LIMIT 1 OFFSET {n})")
    }

    /// SQL that puts something else in the place of the first value of a tenant.
    fn changes(&self) -> Vec<String> {
        let Self { table, column, order, rows } = self;
        let named = |id: &str| format!("CAST(x'02' || {id} || substr({column}, 10) AS BLOB)");
        let of_other = format!("(SELECT id FROM data_key WHERE {})", ALL_OF[1]);
        let mut values = vec![
            self.value(1, 0),
            named(&of_other),
            named("randomblob(8)"),
            format!("substr({column}, 1, length({column}) - 1)"),
        ];
        values.extend((1..*rows).map(|n| self.value(0, n)));
        let others = COLUMNS.iter().filter(|other| other.table != *table);
        values.extend(others.map(|other| other.value(0, 0)));
        let all = ALL_OF[0];
        let first = format!("(SELECT min({order}) FROM {table} WHERE {all})");
        let update = |value: &String| {
            format!("UPDATE {table} SET {column} = {value} WHERE {all} AND {order} = {first}")
        };
        values.iter().map(update).collect()
    }
}

/// A call that makes an endpoint, as it was made before if it was.
fn make_endpoint(server: &Server, tenant: &str, n: u64) -> Answer {
    let body = json!({"url": format!("https://example.com/{n}"), "types": ["none"]});
    let key = format!("key-{n}");
    let api = server.admin().with("angarium-environment", "shop").with("idempotency-key", &key);
    api.post(&format!("/v1/tenants/{tenant}/endpoints"), &body)
}

fn furnish(server: &Server) {
    let _platform = Platform::make(server);
    let api = server.admin().with("angarium-environment", "shop");
    api.patch("/v1/environments/shop", &json!({"contracts": ["standard", "aleta"]})).expect(200);
    for (tenant, n) in [("t0", 0), ("t0", 1), ("t1", 2)] {
        make_endpoint(server, tenant, n).expect(201);
        let source = json!({"name": "a", "scheme": "github", "secret": "0123456789abcdef"});
        api.post(&format!("/v1/tenants/{tenant}/sources"), &source).expect(201);
        let rotate = format!("/v1/tenants/{tenant}/signing-keys/rotate");
        api.post(&rotate, &json!({"contract": "aleta"})).expect(200);
    }
}

#[test]
fn a_secret_that_is_moved_under_a_running_server_is_told_by_the_calls_about_it() {
    let keyed = Keyed::new();
    let server = keyed.start().run();
    furnish(&server);
    let api = server.admin().with("angarium-environment", "shop");
    let file = Connection::open(keyed.folder.path().join("data/angarium.db")).expect("the file");
    let [change, ..] = &COLUMNS[0].changes()[..] else { panic!("there are changes") };
    assert_eq!(file.execute(change, []).expect(change), 1);
    let refused = api.get("/v1/endpoints?tenant=t0");
    assert_eq!((refused.status, refused.code()), (500, "internal"));
    assert_eq!(api.get("/v1/endpoints?tenant=t1").status, 200);
    assert_eq!(make_endpoint(&server, "t0", 3).status, 201);
    let log = server.log();
    assert!(log.contains("endpoint.secrets of ep_") && !log.contains("panicked"), "{log}");
}

#[test]
fn a_secret_that_was_moved_in_the_file_is_told_and_never_decrypted() {
    let keyed = Keyed::new();
    let [file, first, log] =
        ["data/angarium.db", "first.db", "data.log"].map(|name| keyed.folder.path().join(name));
    let server = keyed.start().run();
    furnish(&server);
    server.stop();
    std::fs::copy(&file, &first).expect("a copy");
    let mut tries = 0;
    for column in COLUMNS {
        for change in column.changes() {
            std::fs::copy(&first, &file).expect("a copy");
            let _ = std::fs::remove_file(&log);
            let connection = Connection::open(&file).expect("the file");
            assert_eq!(connection.execute(&change, []).expect(&change), 1, "{change}");
            drop(connection);
            match keyed.start().try_run() {
                Err(log) => {
                    let told = log.lines().find(|line| line.contains("stored data is damaged"));
                    let told = told.unwrap_or_else(|| panic!("{change}: {log}"));
                    let place = format!("{}.{}", column.table, column.column);
                    assert!(told.contains(&place), "{change}: {told}");
                    assert!(!log.contains("panicked"), "{change}: {log}");
                }
                Ok(server) => {
                    assert_eq!(column.table, "idempotency", "{change}");
                    let answers = [("t0", 0), ("t0", 1), ("t1", 2)]
                        .map(|(tenant, n)| make_endpoint(&server, tenant, n));
                    let refused: Vec<_> = answers.iter().filter(|it| it.status == 500).collect();
                    let [refused] = refused[..] else { panic!("{change}: {answers:?}") };
                    assert_eq!(refused.code(), "internal", "{change}");
                    assert_eq!(answers[2].status, 201, "{change}: others are as before");
                    assert!(!server.log().contains("panicked"), "{change}");
                }
            }
            tries += 1;
        }
    }
    figure(format_args!("{tries} values moved, cut or renamed in the file: 0 decrypted, all told"));
}
