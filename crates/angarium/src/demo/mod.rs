//! `angarium demo`: server, receivers and sample events of every contract in one process.
//!
//! Everything is real: the server is the one of `serve`, spoken to by its API; the receivers have
//! sockets and certificates of their own, and verify what comes from the published pages alone.

mod board;
mod receiver;
mod scene;
mod stage;
mod table;
mod verify;

use crate::client::segment;
use crate::commands::serve::{self, Stop};
use crate::config::span;
use crate::logs::{self, LogFormat};
use crate::output::line;
use board::{Board, Tally};
use clap::Args;
use receiver::Receivers;
use scene::SCENES;
use stage::Stage;
use std::time::Duration;
use table::View;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

/// How long the demo waits for what is under way when it ends.
const SETTLE: Duration = Duration::from_secs(20);
/// How often the table is drawn.
const DRAW_EVERY: Duration = Duration::from_millis(200);
/// Requests that wait to be shown; the receivers wait for more.
const ARRIVALS: usize = 1_024;

/// How long, how much, how fast.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Ends after this time (`20s`); else it runs until Ctrl-C.
    #[arg(long = "for", value_name = "SPAN", value_parser = span)]
    duration: Option<Duration>,
    /// Ends after so many events.
    #[arg(long, value_name = "EVENTS")]
    count: Option<u64>,
    /// Events a second.
    #[arg(long, default_value = "4", value_name = "EVENTS")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rate: u32,
}

/// Runs the demo.
///
/// # Errors
/// It cannot be set up, or not everything arrived and was verified.
pub(crate) fn run(options: Options) -> anyhow::Result<()> {
    logs::start("error", LogFormat::Text)?;
    let tally = serve::runtime()?.block_on(perform(&options))?;
    anyhow::ensure!(tally.all_is_well(), "not every delivery arrived and was verified");
    Ok(())
}

async fn perform(options: &Options) -> anyhow::Result<Tally> {
    let mut stop = Stop::new()?;
    let (sender, arrivals) = mpsc::channel(ARRIVALS);
    let receivers = Receivers::start(sender).await?;
    let mut stage = Stage::set(&receivers).await?;
    line(&introduction(&stage));
    let mut show = Show { board: Board::default(), view: View::of_stdout(), arrivals };
    let shown = show.publish(&mut stage, options, &mut stop).await;
    tokio::select! {
        biased;
        _ = stop.wait() => {}
        () = show.settle() => {}
    }
    show.view.conclude(&show.board);
    stage.strike().await;
    shown.map(|()| show.board.tally())
}

/// The run while it lasts.
struct Show {
    board: Board,
    view: View,
    arrivals: mpsc::Receiver<receiver::Arrival>,
}

impl Show {
    /// Publishes until the time or the count is reached, or a signal comes. No publish is cut
    /// short: what the board knows is also on its way.
    async fn publish(
        &mut self,
        stage: &mut Stage,
        options: &Options,
        stop: &mut Stop,
    ) -> anyhow::Result<()> {
        let end = options.duration.map(|duration| Instant::now() + duration);
        let mut publish = interval(Duration::from_secs(1) / options.rate);
        publish.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut draw = interval(DRAW_EVERY);
        let mut left = options.count.unwrap_or(u64::MAX);
        while left > 0 && end.is_none_or(|end| Instant::now() < end) {
            tokio::select! {
                biased;
                _ = stop.wait() => break,
                Some(arrival) = self.arrivals.recv() => self.arrive(&arrival),
                _ = draw.tick() => self.view.draw(&self.board),
                _ = publish.tick() => {
                    stage.publish_next(&mut self.board).await?;
                    left -= 1;
                }
            }
        }
        Ok(())
    }

    /// Waits until everything has arrived, or long enough.
    async fn settle(&mut self) {
        let end = Instant::now() + SETTLE;
        while !self.board.tally().settled() {
            match timeout_at(end, self.arrivals.recv()).await {
                Ok(Some(arrival)) => self.arrive(&arrival),
                Ok(None) | Err(_) => break,
            }
        }
    }

    fn arrive(&mut self, arrival: &receiver::Arrival) {
        let row = self.board.arrive(arrival);
        self.view.attempt(row);
    }
}

/// What runs where, and what to try meanwhile.
fn introduction(stage: &Stage) -> String {
    let (url, key) = (stage.url(), stage.admin_key());
    let head = format!(
        "Angarium runs at {url} with {} endpoints that follow {} published contracts.\n\
         One receiver fails twice for every event, so that retries are seen.\n",
        SCENES.len(),
        scene::contracts().len(),
    );
    let auth = format!("-H 'Authorization: Bearer {key}' -H 'Angarium-Environment: standard'");
    let event = r#"{"tenant":"acme","type":"invoice.paid","data":{"total":42}}"#;
    let tenant = segment(scene::TENANT);
    format!(
        "{head}\nTry, in another terminal, while this runs:\n\
         \n  # publish an event of your own\
         \n  curl {url}/v1/events {auth} \\\n    -H 'Content-Type: application/json' -d '{event}'\
         \n  # see what became of it\
         \n  curl '{url}/v1/deliveries?tenant={tenant}&limit=5' {auth}\
         \n  # the same by command\
         \n  export ANGARIUM_URL={url} ANGARIUM_KEY={key} ANGARIUM_ENVIRONMENT=standard\
         \n  angarium delivery list\
         \n  # the API's reference\n  {url}/docs/api\n"
    )
}
