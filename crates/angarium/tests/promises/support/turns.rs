//! Tests that measure time run alone: beside them no other test has a server. All others run beside
//! each other.
//!
//! Who waits to be alone lets no test begin that has no server yet, and lets those go on that have
//! one, so that neither waits for ever.

use std::collections::HashMap;
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};

static TURNS: LazyLock<Turns> = LazyLock::new(Turns::default);

#[derive(Default)]
struct Turns {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Servers that run, by their tests.
    servers: HashMap<String, usize>,
    /// The test that is alone.
    alone: Option<String>,
    /// Tests that wait to be.
    waiting: usize,
}

/// The test that this thread belongs to: libtest names threads so. Threads that a test starts have
/// no name, and belong to a test that is under way.
fn test() -> String {
    std::thread::current().name().unwrap_or_default().to_owned()
}

fn lock() -> MutexGuard<'static, State> {
    TURNS.state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wait(state: MutexGuard<'static, State>) -> MutexGuard<'static, State> {
    TURNS.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
}

/// A server's place among those that run.
pub(crate) struct Place(String);

/// Waits until another server may run.
pub(crate) fn place() -> Place {
    let test = test();
    let mut state = lock();
    let is_under_way = |state: &State| {
        test.is_empty() || state.servers.contains_key(&test) || state.alone.as_ref() == Some(&test)
    };
    while !is_under_way(&state) && (state.alone.is_some() || state.waiting > 0) {
        state = wait(state);
    }
    *state.servers.entry(test.clone()).or_default() += 1;
    Place(test)
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = lock();
        if let Some(count) = state.servers.get_mut(&self.0) {
            *count -= 1;
            if *count == 0 {
                state.servers.remove(&self.0);
            }
        }
        TURNS.changed.notify_all();
    }
}

/// That no other test has a server.
pub(crate) struct Alone(());

/// Waits until no server runs; until this is dropped none runs but the caller's.
pub(crate) fn alone() -> Alone {
    let mut state = lock();
    state.waiting += 1;
    while state.alone.is_some() || !state.servers.is_empty() {
        state = wait(state);
    }
    state.waiting -= 1;
    state.alone = Some(test());
    Alone(())
}

impl Drop for Alone {
    fn drop(&mut self) {
        lock().alone = None;
        TURNS.changed.notify_all();
    }
}
