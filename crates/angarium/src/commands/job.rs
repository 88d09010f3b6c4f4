//! `angarium job`, and how it goes on.

use crate::client::{Client, ClientError, Connection, segment, with_query};
use crate::commands::{PageArgs, document};
use crate::output::{Column, Output};
use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};
use std::time::Duration;

const COLUMNS: &[Column] = &[
    ("ID", "/id"),
    ("TENANT", "/tenant"),
    ("ENDPOINT", "/endpoint"),
    ("STATUS", "/status"),
    ("WAITS FOR", "/waits_for"),
    ("DONE", "/done"),
    ("TOTAL", "/total"),
    ("RATE", "/rate"),
    ("CREATED", "/created_at"),
];

/// How often a job that is watched is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often in a row the server may not answer: it may be restarting.
const MOST_MISSED: u32 = 60;

/// What is done with jobs.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Lists jobs, newest first.
    List {
        /// Of this tenant only.
        #[arg(long)]
        tenant: Option<String>,
        /// Of this endpoint only.
        #[arg(long)]
        endpoint: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Shows one.
    Show {
        /// Its id (`job_…`).
        id: String,
        /// Goes on until the job has ended.
        #[arg(long)]
        watch: bool,
    },
    /// Ends one; what it has made goes on.
    Cancel {
        /// Its id.
        id: String,
    },
}

/// What is delivered anew.
#[derive(Debug, Args)]
pub(crate) struct Recovery {
    /// Of events accepted at or after.
    #[arg(long, value_name = "TIME")]
    since: String,
    /// Of events accepted before; until now if not given.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// In this state: `dead`, `suppressed` or `cancelled`; repeatable. The first two if not given.
    #[arg(long, value_delimiter = ',', value_name = "STATE")]
    state: Vec<String>,
    /// Of this event type or pattern (`a.*`); repeatable. Of every type if not given.
    #[arg(long = "type", value_delimiter = ',', value_name = "TYPE")]
    kind: Vec<String>,
    /// At most so many deliveries a second; 50 if not given.
    #[arg(long, value_name = "NUMBER")]
    rate: Option<u32>,
    /// Only counts.
    #[arg(long)]
    dry_run: bool,
    /// Goes on until the job has ended.
    #[arg(long, conflicts_with = "dry_run")]
    watch: bool,
}

impl Recovery {
    /// Begins the job, or counts.
    ///
    /// # Errors
    /// The call's; a watched job's end if it was not done.
    pub(crate) async fn begin(
        &self,
        client: &mut Client,
        output: Output,
        path: &str,
    ) -> anyhow::Result<()> {
        let answer = client.post(path, &self.document()).await?;
        if self.watch {
            return watch(client, output, answer).await;
        }
        output.object(&answer);
        Ok(())
    }

    fn document(&self) -> Value {
        let some = |texts: &[String]| (!texts.is_empty()).then(|| json!(texts));
        Value::Object(document([
            ("since", Some(json!(self.since))),
            ("until", self.until.as_ref().map(|text| json!(text))),
            ("states", some(&self.state)),
            ("types", some(&self.kind)),
            ("rate", self.rate.map(|rate| json!(rate))),
            ("dry_run", self.dry_run.then(|| json!(true))),
        ]))
    }
}

/// Runs the command.
///
/// # Errors
/// The call's; a watched job's end if it was not done.
pub(crate) async fn run(
    connection: Connection,
    output: Output,
    action: Action,
) -> anyhow::Result<()> {
    let mut client = Client::new(&connection)?;
    match action {
        Action::List { tenant, endpoint, page } => {
            let [limit, cursor] = page.parameters();
            let filters = [("tenant", tenant.as_deref()), ("endpoint", endpoint.as_deref())];
            let path = with_query("/v1/jobs", &[filters[0], filters[1], limit, cursor]);
            output.list(&client.get(&path).await?, COLUMNS);
        }
        Action::Show { id, watch } => {
            let job = client.get(&path(&id)).await?;
            match watch {
                true => self::watch(&mut client, output, job).await?,
                false => output.object(&job),
            }
        }
        Action::Cancel { id } => {
            let path = format!("{}/cancel", path(&id));
            output.object(&client.call(Method::POST, &path, None).await?);
        }
    }
    Ok(())
}

fn path(id: &str) -> String {
    format!("/v1/jobs/{}", segment(id))
}

/// Prints a line whenever the job got on, and the job once it has ended.
///
/// # Errors
/// The calls'; its end if it was not done.
pub(crate) async fn watch(
    client: &mut Client,
    output: Output,
    mut job: Value,
) -> anyhow::Result<()> {
    let id = job["id"].as_str().unwrap_or_default().to_owned();
    let (mut said, mut missed) = (String::new(), 0);
    loop {
        let line = progress(&job);
        if line != said {
            output.done(&line);
            said = line;
        }
        if job["status"] != "running" {
            break;
        }
        tokio::time::sleep(LOOK_EVERY).await;
        match client.get(&path(&id)).await {
            Ok(found) => (job, missed) = (found, 0),
            // The job outlives the server's process, and so does the watch.
            Err(ClientError::Unreachable { .. } | ClientError::Broken { .. })
                if missed < MOST_MISSED =>
            {
                missed += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
    output.either(&job, |_| {});
    match job["status"].as_str() {
        Some("done") => Ok(()),
        ended => anyhow::bail!("the job is {}", ended.unwrap_or("in a state that is not known")),
    }
}

/// One line: a bar, how much of it, and what the job waits for.
fn progress(job: &Value) -> String {
    const WIDTH: u64 = 30;
    let number = |name: &str| job[name].as_u64().unwrap_or_default();
    let (done, total) = (number("done"), number("total"));
    let filled = (done * WIDTH).checked_div(total).unwrap_or(WIDTH).min(WIDTH);
    let filled = usize::try_from(filled).unwrap_or_default();
    let bar = "#".repeat(filled) + &".".repeat(30 - filled);
    let status = job["status"].as_str().unwrap_or_default();
    let waits = job["waits_for"].as_str().or(job["reason"].as_str());
    let waits = waits.map_or(String::new(), |what| format!(": {what}"));
    format!("[{bar}] {done} of {total}  {status}{waits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_a_job_is_and_what_it_waits_for() {
        let half = json!({"done": 5, "total": 10, "status": "running", "waits_for": null});
        let bar = format!("[{}{}]", "#".repeat(15), ".".repeat(15));
        assert_eq!(progress(&half), format!("{bar} 5 of 10  running"));
        let nothing = json!({"done": 0, "total": 0, "status": "done"});
        assert_eq!(progress(&nothing), format!("[{}] 0 of 0  done", "#".repeat(30)));
        let lost = json!({"done": 0, "total": 3, "status": "failed", "reason": "endpoint_deleted"});
        assert!(progress(&lost).ends_with("0 of 3  failed: endpoint_deleted"));
    }
}
